"""What is drawn as HTML: right figures, reserved rows, nothing that a file name could smuggle in."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from deblur_demo.ui import views
from deblur_demo.ui.image.run import Result, StepFile
from deblur_demo.ui.image.views import table

STEPS = [
    StepFile(index, Path("f"), Path("f"), 0.25 * index, 1.5 if index else None, 0.4, None, None, None)
    for index in range(3)
]
SCORED = [replace(step, psnr=psnr, ssim=0.8, mse=99.0) for step, psnr in zip(STEPS, (24.0, 25.5, 25.1), strict=True)]


def cells(html: str) -> list[list[str]]:
    rows = re.findall(r"<tr.*?</tr>", html.split("<tbody>")[1])
    return [[re.sub("<.*?>", "", cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row)] for row in rows]


def test_rows_for_steps_to_come_are_reserved():
    rows = cells(table(Result("a.png", 7, STEPS), shown=2))
    assert len(rows) == 7 and {len(row) for row in rows} == {4}
    assert rows[1] == ["1", "0.25", "1.50", "0.40"] and rows[0][1:3] == ["–", "–"]
    assert rows[5] == ["5", "", "", ""]


def test_scores_appear_with_a_truth_and_the_best_is_marked():
    html = table(Result("a.png", 3, SCORED), shown=1)
    assert [row[4] for row in cells(html)] == ["24.00", "25.50 best", "25.10"]
    assert html.count("aria-current=step") == 1


def test_names_and_notices_are_escaped():
    assert "<img" not in views.status("<img src=x onerror=alert(1)> is no picture", "error")
    assert "<script" not in table(Result("a.png", 3, STEPS, notices=("<script>alert(1)</script>",)), 0)
    assert 'aria-valuenow="42"' in views.status("busy", "busy", 0.42)


def test_it_is_said_when_pictures_are_shown_smaller():
    assert "% of their size" not in table(Result("a.png", 3, STEPS), 0)
    assert "at 71 % of their size; downloads" in table(Result("a.png", 3, STEPS, scale=0.7071), 0)


def test_terms_are_explained_without_a_mouse():
    shown = views.terms([("PSNR dB", "higher is better"), ("A < B", "x & y")])
    assert shown.startswith("<details") and "<dt>PSNR dB</dt><dd>higher is better</dd>" in shown
    assert "<dt>A &lt; B</dt><dd>x &amp; y</dd>" in shown
