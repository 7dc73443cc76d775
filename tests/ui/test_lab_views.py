"""What is drawn about a shake: right pixels, right points."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from deblur_demo.ui.image.run import StepFile
from deblur_demo.ui.lab import views as lab_views

STEP = StepFile(0, Path("f"), Path("f"), Path("f"), 1.0, 1.5, 0.4, 24.0, 0.8, 99.0)


def test_the_kernel_keeps_its_size_and_its_strongest_pixel_is_white():
    weights = np.zeros((9, 9), np.float32)
    weights[4, 3:6] = 0.25, 0.5, 0.25
    html = lab_views.kernel(weights, notices=["<script>alert(1)</script>"])
    png = base64.b64decode(re.search(r"base64,([^\"]+)", html)[1])
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture.shape == (9, 9) and picture[4, 3:6].tolist() == [128, 255, 128] and picture.sum() == 511
    assert "9 × 9 px" in html and "<script" not in html


def test_curves_rise_with_the_figures_and_keep_room_for_steps_to_come():
    steps = [replace(STEP, index=index, psnr=psnr) for index, psnr in enumerate((24.0, 25.0, 26.0))]
    psnr, ssim = re.findall(r'<polyline class="after" points="([^"]*)"', lab_views.curves(steps, most=4))
    points = [tuple(map(float, pair.split(","))) for pair in psnr.split()]
    assert [x for x, _ in points] == [0, 150, 300] and [y for _, y in points] == pytest.approx([92, 50, 8])
    assert len({pair.split(",")[1] for pair in ssim.split()}) == 1


def test_equal_pictures_have_no_psnr_and_so_no_curve_of_it():
    html = lab_views.curves([replace(STEP, psnr=None, ssim=1.0)], most=2)
    assert html.count("<polyline") == 1 and "PSNR" not in html and "SSIM" in html
