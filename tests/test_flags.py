"""Flags that would do nothing: refused in one line, before any work."""

from __future__ import annotations

import numpy as np
import pytest

from deblur_demo.media.image import Photo, read_image, write_image


@pytest.mark.parametrize(
    "flag", [("--start", 1), ("--end", "end"), ("--codec", "h264"), ("--crf", 18), ("--side-by-side",), ("--resume",)]
)
def test_a_photo_has_no_use_for_flags_of_clips(deblur, shaky, tmp_path, capsys, flag):
    assert deblur(shaky, "-o", tmp_path / "out.png", *flag) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{flag[0]} is for clips, and no input is one" in line and not (tmp_path / "out.png").exists()


def test_what_is_not_there_is_said_rather_than_that_it_is_no_clip(deblur, tmp_path, capsys):
    assert deblur(tmp_path / "absent.mp4", "-o", tmp_path / "out.mp4", "--start", 1) == 1
    assert "absent.mp4 cannot be opened" in capsys.readouterr().err


def test_a_clip_has_no_metadata_to_keep(deblur, shaky, shaky_clip, tmp_path, capsys):
    assert deblur(shaky_clip, "-o", tmp_path / "out.mp4", "--keep-metadata") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "--keep-metadata is for photos, and no input is one" in line and not (tmp_path / "out.mp4").exists()


def test_photos_and_clips_together_take_the_flags_of_both(deblur, shaky, sharp_photo, tmp_path):
    (tmp_path / "take").mkdir()
    for index in range(3):
        write_image(sharp_photo, tmp_path / "take" / f"frame_{index:06d}.png")
    words = [shaky, tmp_path / "take", "-o", tmp_path / "out", "--end", 0.04, "--side-by-side", "--keep-metadata"]
    assert deblur(*words, iterations=1) == 0
    assert [path.name for path in (tmp_path / "out" / "take").glob("*.png")] == ["frame_000000.png"]
    assert read_image(tmp_path / "out" / "take" / "frame_000000.png").pixels.shape == (48, 144, 3)
    assert read_image(tmp_path / "out" / "shaky.png").pixels.shape == (48, 72, 3)


def test_the_largest_picture_is_also_the_largest_frame(deblur, tmp_path, capsys):
    (tmp_path / "take").mkdir()
    write_image(Photo(np.zeros((1001, 1000, 3), np.uint8)), tmp_path / "take" / "frame_000000.png")
    assert deblur(tmp_path / "take", "-o", tmp_path / "out", "--max-megapixels", 1, iterations=1) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "at most 1 megapixels" in line and not list((tmp_path / "out").rglob("*.png"))
