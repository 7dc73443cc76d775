"""Clips through networks: windows, stages, scenes, batches; how often a network runs and how far it reads."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from functools import partial

import pytest
import torch
from skimage import data
from torch import Tensor

from deblur_demo.errors import InputError, SettingError
from deblur_demo.media.frames import to_tensor, window
from deblur_demo.models import registry
from deblur_demo.models.contract import Estimate, Restorer, Traits, centre_frame
from deblur_demo.runtime.deblurrer import Deblurrer, TileDone
from deblur_demo.runtime.ensemble import SelfEnsemble
from deblur_demo.runtime.footage import MOST_AT_ONCE, FrameDone, Windows, at_once, deblur_frames
from deblur_demo.runtime.footprint import Footprint


def on_cpu(network: Restorer, tile: int = 0) -> Deblurrer:
    return Deblurrer(network, device="cpu", precision="fp32", tile=tile)


def pan(picture, count: int, height: int = 40, width: int = 56) -> list[Tensor]:
    """A clip that moves 2 px a frame over a picture."""
    return [to_tensor(picture[100 : 100 + height, 90 + 2 * i : 90 + 2 * i + width]) for i in range(count)]


@pytest.fixture(scope="module")
def clip() -> list[Tensor]:
    return pan(data.astronaut(), 5)


@pytest.fixture(scope="module")
def two_scenes() -> list[Tensor]:
    """Three frames of one picture, then two of another."""
    return pan(data.astronaut(), 3) + pan(data.coffee(), 2)


@pytest.fixture
def mlfa() -> Restorer:
    torch.manual_seed(0)
    network = registry.build("mlfa", first="brehm-stage1-s", width=4).eval()
    with torch.no_grad():
        for net in (network.first, network.second):
            net.head.weight.mul_(5)
    return network


def done(deblurrer: Deblurrer, frames, iterations=None, batch=1) -> list[FrameDone]:
    return [e for e in deblur_frames(deblurrer, frames, iterations, batch) if isinstance(e, FrameDone)]


def neighbours(frames: list[Tensor], index: int, scene: range) -> Tensor:
    """The window around a frame, written out: (1, 3, 3, H, W)."""
    return window([frames[min(max(i, scene[0]), scene[-1])] for i in (index - 1, index, index + 1)])


@pytest.mark.parametrize("count", [1, 3, 5])
@pytest.mark.parametrize("lengths", [[1], [2], [7], [1, 1, 4], [3, 2, 1]])
def test_windows_repeat_the_ends_of_scenes(count, lengths):
    scenes, start = [], 0
    for length in lengths:
        scenes.append(range(start, start + length))
        start += length
    windows, found = Windows(count), []
    for scene in scenes:
        for index in scene:
            found += windows.push(index, index == scene[0] and index > 0)
    found += windows.end()
    reach = range(-(count // 2), count // 2 + 1)
    assert found == [tuple(min(max(i + k, s[0]), s[-1]) for k in reach) for s in scenes for i in s]


def test_frames_of_a_single_frame_network_are_restored_one_by_one(recurrent, clip):
    deblurrer = on_cpu(recurrent())
    found = done(deblurrer, clip, 3)
    assert [frame.index for frame in found] == [0, 1, 2, 3, 4] and not any(frame.cut for frame in found)
    for frame, image in zip(found, clip, strict=True):
        alone = list(deblurrer.steps(window([image]), 3))
        assert [step.index for step in frame.steps] == [1, 2, 3]
        for mine, theirs in zip(frame.steps, alone, strict=True):
            assert torch.equal(mine.image, theirs.image) and mine.change == theirs.change and mine.seconds > 0


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_windows_of_three_do_not_reach_into_another_scene(recurrent, two_scenes, batch):
    deblurrer = on_cpu(recurrent(frames=3))
    found = done(deblurrer, two_scenes, 2, batch)
    assert [frame.cut for frame in found] == [False, False, False, True, False]
    for frame in found:
        scene = range(3) if frame.index < 3 else range(3, 5)
        expected = list(deblurrer.steps(neighbours(two_scenes, frame.index, scene), 2))
        for mine, theirs in zip(frame.steps, expected, strict=True):
            torch.testing.assert_close(mine.image, theirs.image, rtol=0, atol=1e-5)


@pytest.mark.parametrize("batch", [2, 3])
@pytest.mark.parametrize("frames", [1, 3])
def test_a_batch_changes_nothing(recurrent, two_scenes, frames, batch):
    deblurrer = on_cpu(recurrent(frames), tile=32)
    alone, together = done(deblurrer, two_scenes, 3), done(deblurrer, two_scenes, 3, batch)
    assert [(f.index, f.cut) for f in alone] == [(f.index, f.cut) for f in together]
    for one, other in zip(alone, together, strict=True):
        for mine, theirs in zip(one.steps, other.steps, strict=True):
            torch.testing.assert_close(mine.image, theirs.image, rtol=0, atol=1e-5)
            assert mine.change == pytest.approx(theirs.change, rel=1e-4)
            assert other.index > 0 or theirs.seconds > 0
    changes = [frame.steps[0].change for frame in alone]
    assert max(changes) > 1.01 * min(changes), "else the mean would do as well"


class Settling(Restorer):
    """Halves the distance of a picture to grey; so one close to grey settles sooner."""

    traits = Traits(halo=0, steps=6, max_steps=10)

    def __init__(self):
        super().__init__()
        self.share = torch.nn.Parameter(torch.tensor(0.5))
        self.calls: list[int] = []

    def forward(self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]) -> Estimate:
        return Estimate(previous + self.share * (0.5 - previous))


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_auto_stops_each_frame_by_itself(batch):
    frames = [torch.full((1, 3, 8, 8), 0.5 + offset) for offset in (0.0, 0.003, 0.45, 0.02, 0.2)]
    found = done(on_cpu(Settling()), frames, "auto", batch)
    # Half the distance is 0.0, 0.38, 57, 2.6 and 26 levels in iteration 1, then half of that each time.
    # Settled: below 0.7 of the first and below 0.6 levels, or below 0.1.
    assert [len(frame.steps) for frame in found] == [1, 2, 6, 4, 6]
    for frame, image in zip(found, frames, strict=True):
        last = 0.5 + (image - 0.5) * 0.5 ** len(frame.steps)
        torch.testing.assert_close(frame.steps[-1].image, last, rtol=0, atol=1e-6)


class Counting:
    """Counts the images that a module sees."""

    def __init__(self, module: torch.nn.Module):
        self.seen = 0
        module.register_forward_pre_hook(self)

    def __call__(self, module, inputs) -> None:
        self.seen += len(inputs[0][0]) if isinstance(inputs[0], tuple) else len(inputs[0])


def counted(deblurrer: Deblurrer) -> list[Counting]:
    """A counter on every network that really runs."""
    return [Counting(stage.ready(stage.placement)[0]) for stage in deblurrer.along_clip]


@pytest.mark.parametrize("batch", [1, 2])
def test_each_stage_sees_each_frame_once(mlfa, two_scenes, batch):
    two_scenes = [image[..., :32, :48] for image in two_scenes]  # what is padded at the border would differ
    deblurrer = on_cpu(mlfa)
    first, second = counted(deblurrer)
    found = done(deblurrer, two_scenes, batch=batch)
    assert (first.seen, second.seen) == (5, 5)
    for frame in found:
        scene = range(3) if frame.index < 3 else range(3, 5)
        both = list(deblurrer.steps(neighbours(two_scenes, frame.index, scene)))
        assert [step.index for step in frame.steps] == [1, 2]
        for mine, theirs in zip(frame.steps, both, strict=True):
            torch.testing.assert_close(mine.image, theirs.image, rtol=0, atol=1e-5)
            assert mine.change == pytest.approx(theirs.change, rel=1e-3) and mine.change > 0.1
    assert (first.seen, second.seen) == (5, 5), "a deblurrer of windows is another copy"


def test_tiles_of_the_second_stage_count_on(mlfa, clip):
    events = list(deblur_frames(on_cpu(mlfa), clip[:2]))
    assert [e.index if isinstance(e, TileDone) else "frame" for e in events] == [1, 1, 2, "frame", 2, "frame"]


def test_an_ensemble_of_stages_is_a_chain_of_ensembles(mlfa, clip):
    deblurrer = on_cpu(SelfEnsemble(mlfa))
    first, second = counted(deblurrer)
    found = done(deblurrer, clip[:2])
    assert (first.seen, second.seen) == (2, 2)
    stage1, stage2 = (SelfEnsemble(net) for net in mlfa.along_clip())
    with torch.no_grad():
        middle = [next(stage1.run(image[:, None, :, :32, :48])).image.clamp(0, 1) for image in clip[:2]]
        last = next(stage2.run(neighbours(middle, 0, range(2)))).image.clamp(0, 1)
    small = done(deblurrer, [image[..., :32, :48] for image in clip[:2]])
    torch.testing.assert_close(small[0].steps[0].image, middle[0], rtol=0, atol=1e-5)
    torch.testing.assert_close(small[0].steps[1].image, last, rtol=0, atol=1e-5)
    assert len(found[0].steps) == 2


class Tape:
    """Frames without end that count how many were taken."""

    def __init__(self):
        self.taken = 0

    def __iter__(self) -> Iterator[Tensor]:
        while True:
            self.taken += 1
            yield torch.full((1, 3, 32, 32), 0.4 + 0.001 * (self.taken % 100))


@pytest.mark.parametrize(("frames", "batch", "furthest"), [(1, 1, 1), (3, 1, 2), (1, 3, 3), (3, 2, 3)])
def test_it_reads_no_further_than_it_must(recurrent, frames, batch, furthest):
    tape = Tape()
    events = deblur_frames(on_cpu(recurrent(frames)), tape, 1, batch)
    assert tape.taken == 0
    for event in events:
        if isinstance(event, FrameDone):
            assert event.index < tape.taken <= event.index + furthest
            if event.index == 40:
                break


def test_it_holds_only_a_few_frames(recurrent):
    """However long the clip: frames that went by are gone."""
    alive = []

    def frames() -> Iterator[Tensor]:
        for _ in range(30):
            frame = torch.rand(1, 3, 24, 24)
            alive.append(weakref.ref(frame))
            yield frame

    for _ in deblur_frames(on_cpu(recurrent(3)), frames(), 1):
        assert sum(reference() is not None for reference in alive) <= 5


@pytest.mark.parametrize("after", [0, 1, 3, 7])
def test_closing_stops_at_once(recurrent, after):
    deblurrer, tape = on_cpu(recurrent(3), tile=16), Tape()
    (counter,) = counted(deblurrer)
    events = deblur_frames(deblurrer, tape, 2)
    for _ in range(after):
        next(events)
    seen, taken = counter.seen, tape.taken
    events.close()
    assert (counter.seen, tape.taken) == (seen, taken) and seen == after, "every event was a tile"
    assert next(events, None) is None


def test_an_error_of_the_source_comes_through(recurrent, clip):
    def broken() -> Iterator[Tensor]:
        yield from clip[:2]
        raise OSError("the cable")

    events = deblur_frames(on_cpu(recurrent()), broken(), 1)
    with pytest.raises(OSError, match="the cable"):
        list(events)


def test_no_frames_are_no_frames(recurrent):
    assert list(deblur_frames(on_cpu(recurrent()), [])) == []


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (torch.rand(1, 3, 40, 58), r"frame 1 .*\(1, 3, 40, 58\).*\(1, 3, 40, 56\)"),
        (torch.rand(3, 40, 56), r"frame 1"),
        (torch.zeros(1, 3, 40, 56, dtype=torch.uint8), "uint8"),
    ],
)
def test_a_frame_of_another_kind_is_refused(recurrent, clip, frame, said):
    with pytest.raises(InputError, match=said):
        list(deblur_frames(on_cpu(recurrent()), [clip[0], frame], 1))


def test_a_batch_on_a_gpu_is_as_large_as_memory_allows_within_limits():
    """A frame of a megapixel: 600 + 2 * 50 + 4 * 12 bytes a pixel at work, 7 * 12 of results on the CPU."""
    traits, footprint, much = Traits(halo=0, steps=6, max_steps=6), Footprint(600, 50), 10**12
    fits = partial(at_once, traits, footprint, 10**6)
    assert [fits(on_device, much) for on_device in (0, 748e6, 2.99e9, 3e9, much)] == [1, 1, 1, 2, MOST_AT_ONCE]
    assert [fits(much, on_cpu) for on_cpu in (0, 336e6, 671e6, 673e6, 1.01e9)] == [1, 1, 1, 2, 3]


def test_on_a_cpu_frames_go_one_by_one(recurrent):
    tape = Tape()
    next(event for event in deblur_frames(on_cpu(recurrent()), tape, 1) if isinstance(event, FrameDone))
    assert tape.taken == 1


@pytest.mark.parametrize("batch", [0, -1, 1.5, "many", None])
def test_a_batch_that_is_none_is_refused(recurrent, clip, batch):
    with pytest.raises(SettingError, match="batch"):
        next(deblur_frames(on_cpu(recurrent()), clip, 1, batch))


def test_a_number_of_iterations_out_of_range_is_refused(recurrent, clip):
    with pytest.raises(SettingError, match="iterations"):
        list(deblur_frames(on_cpu(recurrent()), clip, 99))


def test_a_network_that_hands_the_middle_through_shows_no_lag(clip):
    """A shift by a frame would be invisible on a still picture, and fatal on a clip."""

    class Through(Restorer):
        traits = Traits(halo=0, frames=3)

        def __init__(self):
            super().__init__()
            self.one = torch.nn.Parameter(torch.ones(()))

        def forward(self, window, previous, state):
            return Estimate(centre_frame(window) * self.one.float())

    for frame, image in zip(done(on_cpu(Through()), clip), clip, strict=True):
        assert torch.equal(frame.steps[0].image, image)
