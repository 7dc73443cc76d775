"""Transport streams whose times jump, as those that were joined end to end."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from deblur_demo.media.clip import probe, read_frames
from deblur_demo.media.clip_reader import JOINED
from tests.media.rewriting import LONG, rewrite, times
from tests.media.test_clip_sound import make

TICK = Fraction(1, 90_000)


def joined(path: Path, clips, offsets: tuple[int, ...], sound: str) -> Path:
    """As ``cat`` joins files of 2 s with a tone behind 0.7 s of silence, whose times begin at some seconds."""
    samples = clips.tone(48000, 2.0, silence=0.7)
    with open(path, "wb") as file:
        for offset in offsets:
            begun = {"output_ts_offset": str(offset)}
            part = clips.make(
                path.with_name("part.ts"), LONG, sound=sound, samples=samples, format="mpegts", container_options=begun
            )
            file.write(part.read_bytes())
            part.unlink()
    return path


@pytest.mark.parametrize("sound", ["aac", "mp2"])
@pytest.mark.parametrize("offsets", [(0, 0, 0), (0, 3600, 3590), (3600, 0, 20)])
def test_every_part_goes_on_where_the_one_before_ends(home, clips, offsets, sound):
    """The sound of a part, which is a little longer than its pictures, decides; one picture goes at a joint."""
    source = joined(home / "a.ts", clips, offsets, sound)
    info = probe(source)
    assert info.notices == (JOINED,)
    assert info.seconds == pytest.approx(6.05, abs=0.1) and info.frames == pytest.approx(150, abs=2)
    shown = times(source)
    steps = [after - before for before, after in zip(shown, shown[1:], strict=False)]
    assert len(shown) == 148 and sum(abs(step - Fraction(1, 25)) > TICK for step in steps) == 4
    assert max(steps) < Fraction(15, 100)
    part = [frame.time for frame in read_frames(source, 3.0, 5.0)]
    assert part == [time for time in shown if 3 <= time < 5]

    rewrite(source, home / "b.mp4")
    assert times(home / "b.mp4") == shown
    heard = np.abs(clips.heard(home / "b.mp4"))
    assert len(heard) == pytest.approx(6.05 * 48000, abs=4800)
    loud = [heard[round(48000 * time) :][:2400].max() > 0.1 for time in (0.3, 1.2, 2.4, 3.2, 4.45, 5.3)]
    assert loud == [False, True] * 3


def test_a_pause_of_the_sound_is_no_joint(home, clips):
    source = make(home / "a.ts", clips, tuple(range(30)), "mp2", 48000, [(0, 0.5, "mono"), (20, 0.5, "mono")])
    assert JOINED not in probe(source).notices
    assert times(source) == list(range(30))
