"""The command line loses nothing: photos given, references and finished results outlive a slip or an interruption."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageCms

from deblur_demo.cli import main
from deblur_demo.errors import OutputError
from deblur_demo.media.clip import read_frames
from deblur_demo.media.image import Photo, read_image, write_image
from deblur_demo.media.paths import check_writable, write_text

ROOT = Path(__file__).resolve().parents[1]


def test_no_photo_given_is_ever_written_over(deblur, shaky, tmp_path, shaky_photo, capsys):
    before = shaky.read_bytes()
    link = tmp_path / "link.png"
    link.symlink_to(shaky)
    for out in (shaky, tmp_path, link):
        assert deblur(shaky, "-o", out) == 1
        assert "is one of the files given" in capsys.readouterr().err
    other = tmp_path / "truth.png"
    write_image(shaky_photo, other)
    assert deblur(shaky, "-o", other, "--truth", other) == 1
    assert shaky.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["-o", "new.png", "--json", "shaky.png"], "is no report"),
        (["-o", "new.png", "--json", "new.png"], "two results"),
        (["-o", "new.webp", "--animation", "new.webp"], "two results"),
        (["-o", "new/", "--json", "new/../new/shaky.png"], "two results"),
    ],
)
def test_two_results_never_share_a_file(deblur, shaky, tmp_path, monkeypatch, capsys, words, found):
    monkeypatch.chdir(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*")}
    assert deblur("shaky.png", *words) == 1
    assert found in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("flag", ["--json", "--sharp"])
def test_a_shaken_photo_stays_as_it_was(shaky, tmp_path, capsys, flag):
    before = shaky.read_bytes()
    for other in (shaky, tmp_path / "out.png"):
        assert main(["blur", str(shaky), "-o", str(tmp_path / "out.png"), flag, str(other)]) == 1
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert os.listdir(tmp_path) == ["shaky.png"] and shaky.read_bytes() == before


def test_a_level_never_takes_the_place_of_the_result(shaky, tmp_path, capsys):
    words = ["blur", str(shaky), "-o", str(tmp_path / "levels" / "TL09.png"), "--levels-dir", str(tmp_path / "levels")]
    assert main(words) == 1
    assert "two results" in capsys.readouterr().err and not (tmp_path / "levels").exists()


def test_a_report_may_be_replaced_and_may_go_to_a_stream(deblur, shaky, tmp_path):
    for name in (tmp_path / "report.json", tmp_path / "report.json", "/dev/null"):
        assert deblur(shaky, "-o", tmp_path / "out.png", "--json", name) == 0


@pytest.mark.parametrize("report", ["shaky.png/r.json", "folder.json"])
def test_a_report_that_cannot_be_written_is_refused_before_the_work(deblur, shaky, tmp_path, report, capsys):
    (tmp_path / "folder.json").mkdir()
    assert deblur(shaky, "-o", tmp_path / "out.png", "--json", tmp_path / report) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot be" in line and not (tmp_path / "out.png").exists()


def test_a_full_disk_leaves_the_report_that_was_there(tmp_path):
    """A file that may not grow beyond 20 kB stands for it."""
    report = tmp_path / "report.json"
    report.write_text("older")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(OutputError, match=r"report\.json cannot be written: File too large"):
            write_text(report, "x" * 30_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert report.read_text() == "older" and os.listdir(tmp_path) == ["report.json"]


def test_a_report_through_a_link_goes_where_that_leads(tmp_path):
    """As with /dev/stdout, which is a link to what the program's output goes to."""
    (tmp_path / "link.json").symlink_to(tmp_path / "report.json")
    for text in ("older", "newer"):
        check_writable(tmp_path / "link.json")
        write_text(tmp_path / "link.json", text)
        assert (tmp_path / "link.json").is_symlink() and (tmp_path / "report.json").read_text() == text


def test_results_go_into_a_folder_of_references_under_new_names_only(deblur, shaky, tmp_path, sharp_photo, capsys):
    folder = tmp_path / "sharp"
    folder.mkdir()
    write_image(sharp_photo, folder / "shaky.png")
    before = (folder / "shaky.png").read_bytes()
    assert deblur(shaky, "-o", folder, "--truth", folder) == 1
    assert "is one of the files given" in capsys.readouterr().err
    assert (folder / "shaky.png").read_bytes() == before
    assert deblur(shaky, "-o", folder / "result.png", "--truth", folder) == 0


def test_a_reference_behind_a_link_is_kept_too(deblur, shaky, tmp_path, sharp_photo, capsys):
    write_image(sharp_photo, tmp_path / "truth.png")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "shaky.png").symlink_to(tmp_path / "truth.png")
    before = (tmp_path / "truth.png").read_bytes()
    assert deblur(shaky, "-o", tmp_path / "truth.png", "--truth", tmp_path / "links", iterations=1) == 1
    assert "is one of the files given" in capsys.readouterr().err
    assert (tmp_path / "truth.png").read_bytes() == before


def test_no_report_takes_the_place_of_a_card(shaky, lively_checkpoint, tmp_path, capsys):
    for suffix in (".safetensors", ".json"):
        (tmp_path / f"mine{suffix}").write_bytes(lively_checkpoint.with_suffix(suffix).read_bytes())
    (tmp_path / "link.json").symlink_to(tmp_path / "mine.json")
    before = (tmp_path / "mine.json").read_bytes()
    deblurring = ["deblur", shaky, "--checkpoint", tmp_path / "mine.safetensors", "--iterations", 1, "--device", "cpu"]
    for words in (deblurring, ["blur", shaky]):
        for name in ("mine.json", "link.json"):
            assert main([*map(str, words), "-o", str(tmp_path / "out.png"), "--json", str(tmp_path / name)]) == 1
            assert f"{name} is the card of weights" in capsys.readouterr().err
    assert (tmp_path / "mine.json").read_bytes() == before and not (tmp_path / "out.png").exists()


def frames_folder(path: Path, sharp: np.ndarray, count: int = 4, **parts: object) -> Path:
    path.mkdir(parents=True)
    for index in range(count):
        write_image(Photo(np.roll(sharp, index, 1), **parts), path / f"frame_{index:06d}.png")
    return path


def test_frames_outlive_a_part_without_any_and_an_interrupted_second_run(deblur, sharp_photo, tmp_path, capsys):
    source = frames_folder(tmp_path / "in" / "take", sharp_photo.pixels)
    out = tmp_path / "out"
    (out / "take").mkdir(parents=True)
    (out / "take" / "tag.txt").write_text("of the visitor's own")
    assert deblur(source, "-o", out, iterations=1) == 0
    names = sorted(path.name for path in (out / "take").glob("*.png"))
    assert len(names) == 4
    assert deblur(source, "-o", out, "--start", 5) == 1
    assert "shows nothing from 5 s on" in capsys.readouterr().err
    assert sorted(path.name for path in (out / "take").glob("*.png")) == names

    (source / "frame_000002.png").write_bytes(b"damaged meanwhile")
    assert deblur(source, "-o", out, iterations=1) == 1
    assert sorted(path.name for path in (out / "take").glob("*.png")) == names
    assert (out / "take" / "tag.txt").read_text() == "of the visitor's own"
    assert deblur(source, "-o", out, iterations=3) == 1, "other settings"
    assert sorted(path.name for path in (out / "take").glob("*.png")) == names[:2], "of one kind"


def test_another_folder_of_the_same_name_is_not_gone_on_with(deblur, sharp_photo, tmp_path, capsys):
    first = frames_folder(tmp_path / "1" / "take", sharp_photo.pixels)
    second = frames_folder(tmp_path / "2" / "take", sharp_photo.pixels // 2)
    assert deblur(first, "-o", tmp_path / "out", iterations=1) == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.png")}
    assert deblur(second, "-o", tmp_path / "out", "--resume", iterations=1) == 1
    assert "take cannot be continued: it was made with other settings" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.png")} == before


def test_no_photo_given_lies_in_a_folder_that_frames_go_to(deblur, sharp_photo, tmp_path, capsys):
    source = frames_folder(tmp_path / "in" / "take", sharp_photo.pixels, 2)
    photo = frames_folder(tmp_path / "out" / "take", sharp_photo.pixels) / "frame_000003.png"
    (tmp_path / "link.png").symlink_to(photo)
    for given in (photo, tmp_path / "link.png"):
        assert deblur(source, given, "-o", tmp_path / "out", iterations=1) == 1
        assert "take holds one of the files given" in capsys.readouterr().err
    assert len(list(photo.parent.iterdir())) == 4


def test_steps_outlive_a_run_that_cannot_begin(deblur, shaky, tmp_path, sharp_photo):
    wanted = (shaky, "-o", tmp_path / "out.png", "--steps-dir", tmp_path / "steps")
    assert deblur(*wanted, iterations=1) == 0
    write_image(Photo(sharp_photo.pixels[:40]), tmp_path / "sharp.png")
    assert deblur(*wanted, "--truth", tmp_path / "sharp.png", iterations=1) == 1
    assert sorted(os.listdir(tmp_path / "steps" / "shaky")) == ["step_00.png", "step_01.png"]


def test_a_shorter_part_leaves_no_frames_of_the_longer_behind_it(deblur, sharp_photo, tmp_path):
    source = frames_folder(tmp_path / "in" / "take", sharp_photo.pixels)
    for end, count in ((1, 4), (0.1, 3)):
        assert deblur(source, "-o", tmp_path / "out", "--end", end, iterations=1) == 0
        assert len(list((tmp_path / "out" / "take").glob("*.png"))) == count


def test_frames_keep_their_profile_and_their_names_dots(deblur, sharp_photo, tmp_path, capsys):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    deep = sharp_photo.pixels.astype(np.uint16) * 257 - 1
    source = frames_folder(tmp_path / "2024.05.01", np.maximum(deep, 0), 2, icc=profile)
    assert deblur(source, source, "-o", tmp_path / "out", iterations=1) == 0
    assert "16 bits per channel were rounded" in capsys.readouterr().out
    for name in ("2024.05.01", "2024.05.01-2"):
        assert read_image(tmp_path / "out" / name / "frame_000001.png").icc == profile
    first = next(read_frames(source)).pixels
    assert np.array_equal(first, sharp_photo.pixels), "rounded, not cut off"


@pytest.mark.skipif(os.name != "posix", reason="a terminal of its own, and signals")
@pytest.mark.parametrize("number", ["SIGTERM", "SIGHUP"])
def test_who_ends_it_gets_what_is_done_and_a_report(shaky_clip, shaky_photo, lively_checkpoint, tmp_path, number):
    write_image(Photo(shaky_photo.pixels[:16, :16]), tmp_path / "photo.png")
    inputs, out = [tmp_path / "photo.png", shaky_clip], tmp_path / "out"
    words = ["-o", out, "--json", tmp_path / "r.json", "--checkpoint", lively_checkpoint, "--device", "cpu"]
    words += ["--iterations", "10", "--ensemble", "8"]  # so that the signal comes long before the end
    screen, terminal = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "deblur_demo", "deblur", *map(str, [*inputs, *words])],
        cwd=ROOT,
        stderr=terminal,
        preexec_fn=lambda: signal.signal(getattr(signal, number), signal.SIG_DFL),
    )
    os.close(terminal)
    said = ""
    while "frame 0 " not in said:
        said += os.read(screen, 1000).decode()
    process.send_signal(getattr(signal, number))
    assert process.wait(timeout=60) == 130
    os.close(screen)
    frames = len(list(read_frames(out / "shaky.mp4")))
    assert sorted(os.listdir(out)) == ["photo.png", "shaky.mp4"] and 1 <= frames < 6
    photo, clip = json.loads((tmp_path / "r.json").read_text())["files"]
    assert (photo["output"], photo["error"], len(photo["steps"])) == (str(out / "photo.png"), None, 11)
    assert (clip["output"], clip["error"], len(clip["frames"])) == (None, "interrupted", frames)


def test_what_stops_the_program_leaves_one_line(deblur, shaky, shaky_clip, tmp_path, monkeypatch, capsys):
    long = tmp_path / f"{300 * 'x'}.png"
    for words in (["-o", long], ["-o", tmp_path / "a.png", "--truth", long]):
        assert deblur(shaky, *words) == 1
        assert len(capsys.readouterr().err.splitlines()) == 1
    for words in (["-o", long.with_suffix(".mp4")], ["-o", tmp_path / "a.mp4", "--truth", long]):
        assert deblur(shaky_clip, *words, iterations=1) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert "File name too long" in line
    for model in ("mtrnn", "dmphn", "carlo"):
        words = ["convert", str(long), "-o", str(tmp_path / "out.safetensors"), "--model", model]
        assert main(words) == 1 and len(capsys.readouterr().err.splitlines()) == 1
    assert main(["export", str(long), "--repo", "me/nets"]) == 1
    monkeypatch.setenv("DEBLUR_CACHE", str(long))
    assert main(["export", "mtrnm", "--repo", "me/nets"]) == 1
    assert main(["export", "sgenet", "--repo", "me/nets"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 3
    for place in (".", shaky / "x.safetensors", tmp_path / "shaky.pt"):
        assert main(["deblur", str(shaky), "-o", str(tmp_path / "a.png"), "--checkpoint", str(place)]) == 1
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_who_reads_only_the_first_line_may_leave():
    listing = subprocess.Popen(
        [sys.executable, "-m", "deblur_demo", "models"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    listing.stdout.close()
    assert listing.communicate(timeout=60)[1] == b"" and listing.returncode == 1
