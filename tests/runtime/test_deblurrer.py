"""A network made ready for this machine: steps, settings, precision, and what happens when it runs out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from deblur_demo.errors import DeblurError, DeviceError, InputError, SettingError
from deblur_demo.models import registry
from deblur_demo.models.contract import Estimate, Restorer, Traits
from deblur_demo.runtime.deblurrer import Deblurrer, Step, TileDone, _Worker
from deblur_demo.runtime.device import precisions
from deblur_demo.runtime.ensemble import SelfEnsemble
from deblur_demo.runtime.grid import SMALLEST_TILE

HALF = "bf16" if "bf16" in precisions("cpu") else None
needs_half = pytest.mark.skipif(HALF is None, reason="this CPU computes in fp32 only")


def on_cpu(network, precision="fp32", tile=0) -> Deblurrer:
    return Deblurrer(network, device="cpu", precision=precision, tile=tile)


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return -10 * torch.log10((a - b).square().mean()).item()


def test_steps_are_those_of_the_plain_network_clamped(lively):
    network, window = lively("mtrnn-lite"), torch.rand(1, 1, 3, 64, 72)
    with torch.no_grad():
        plain = [estimate.image.clamp(0, 1) for estimate in network.run(window, 3)]
    steps = list(on_cpu(network).steps(window, 3))
    assert [step.index for step in steps] == [1, 2, 3]
    for step, image in zip(steps, plain, strict=True):
        assert (step.image - image).abs().max() < 1e-5
        assert step.image.dtype == torch.float32 and step.seconds > 0 and step.notices == ()


def test_a_step_is_the_callers_own(recurrent):
    """Overwriting a step changes no later one, and later ones leave it alone."""
    network, window = recurrent(), torch.rand(1, 1, 3, 50, 60)
    untouched = [step.image.clone() for step in on_cpu(network).steps(window, 3)]
    kept = []
    for step in on_cpu(network, tile=20).steps(window, 3):
        kept.append(step.image.clone())
        step.image.zero_()
    for mine, reference in zip(kept, untouched, strict=True):
        assert (mine - reference).abs().max() < 1e-5
    held = [step.image for step in on_cpu(network, tile=20).steps(window, 3)]
    assert all((a - b).abs().max() < 1e-5 for a, b in zip(held, untouched, strict=True))


def test_maps_are_the_callers_own_and_as_large_as_the_picture(recurrent):
    ensemble, window = SelfEnsemble(recurrent()), torch.rand(1, 1, 3, 50, 61)  # a size that needs padding
    whole = [step.maps["doubt"] for step in on_cpu(ensemble).steps(window, 3)]
    tiled = [step.maps["doubt"] for step in on_cpu(ensemble, tile=20).steps(window, 3)]
    assert [doubt.shape for doubt in tiled] == [(1, 1, 50, 61)] * 3
    assert all((mine - reference).abs().max() < 5e-2 for mine, reference in zip(tiled, whole, strict=True))
    assert (whole[2] - whole[0]).abs().mean() > 0.1, "and every step has its own"


def test_a_step_of_a_batch_falls_into_a_step_for_each_picture(recurrent):
    windows = torch.cat((torch.rand(1, 1, 3, 30, 40), 0.3 * torch.rand(2, 1, 3, 30, 40)))
    for step, *alone in zip(*(on_cpu(recurrent()).steps(w, 2) for w in (windows, *windows.split(1))), strict=True):
        parts = step.each()
        assert [part.index for part in parts] == [step.index] * 3
        assert sum(part.seconds for part in parts) == pytest.approx(step.seconds)
        assert step.change == pytest.approx(sum(part.change for part in parts) / 3)
        for part, one in zip(parts, alone, strict=True):
            torch.testing.assert_close(part.image, one.image, rtol=0, atol=1e-5)
            assert part.change == pytest.approx(one.change, rel=1e-4) and part.changes == (part.change,)
        assert parts[0].change > 1.1 * parts[1].change


def test_between_events_the_caller_may_train(recurrent):
    """No mode is left on at a yield, and the network that was passed in keeps its gradients."""
    network = recurrent()
    for event in on_cpu(network, tile=20).events(torch.rand(1, 1, 3, 30, 30), 1):
        assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
        if isinstance(event, Step):
            assert not event.image.is_inference()
    estimate = network(torch.rand(1, 1, 3, 24, 24), torch.rand(1, 3, 24, 24), ())
    estimate.image.sum().backward()
    assert network.stem.weight.grad is not None


def test_every_tile_is_an_event(recurrent):
    events = list(on_cpu(recurrent(), tile=32).events(torch.rand(1, 1, 3, 60, 90), 2))
    tiles = [(event.index, event.tile) for event in events if isinstance(event, TileDone)]
    assert tiles == [(index, tile) for index in (1, 2) for tile in range(1, 7)]
    assert [type(event) for event in events] == ([TileDone] * 6 + [Step]) * 2


@pytest.mark.parametrize(("asked", "steps"), [(None, 4), (1, 1), (9, 9), ("3", 3)])
def test_as_many_steps_as_asked_for(recurrent, asked, steps):
    assert len(list(on_cpu(recurrent()).steps(torch.rand(1, 1, 3, 24, 24), asked))) == steps


@pytest.mark.parametrize("asked", [None, 1, 10, "auto"])
def test_stages_are_all_run_whatever_is_asked_for(stages, asked):
    assert len(list(on_cpu(stages).steps(torch.rand(1, 3, 3, 24, 24), asked))) == 3


def test_auto_stops_at_the_networks_own_number_at_the_latest(recurrent):
    """This network's picture settles at no iteration, so only the number stops it."""
    assert len(list(on_cpu(recurrent()).steps(torch.rand(1, 1, 3, 24, 24), "auto"))) <= 4


@pytest.mark.parametrize("asked", [0, -1, 10, 1e6, float("nan"), "6;rm", 2.5, True])
def test_a_number_that_the_network_does_not_take_is_refused(recurrent, asked):
    with pytest.raises(SettingError):
        next(on_cpu(recurrent()).events(torch.rand(1, 1, 3, 24, 24), asked))


@pytest.mark.parametrize(
    "window",
    [torch.rand(1, 3, 24, 24), torch.rand(1, 3, 3, 24, 24), torch.rand(1, 1, 1, 24, 24), torch.rand(1, 1, 3, 0, 24)],
)
def test_a_window_of_another_shape_is_refused(recurrent, window):
    with pytest.raises(InputError, match=r"\(B, 1, 3, H, W\)"):
        next(on_cpu(recurrent()).events(window))


def test_a_window_of_bytes_is_refused(recurrent):
    with pytest.raises(InputError, match="uint8"):
        next(on_cpu(recurrent()).events(torch.zeros(1, 1, 3, 24, 24, dtype=torch.uint8)))


@needs_half
@pytest.mark.parametrize("name", ["mtrnn", "mtrnn-lite"])
def test_bf16_stays_close_to_fp32_over_the_iterations(lively, name):
    network, window = lively(name), torch.rand(1, 1, 3, 64, 64)
    exact, fast = (list(on_cpu(network, precision).steps(window, 2)) for precision in ("fp32", HALF))
    assert psnr(exact[0].image, fast[0].image) > 50
    assert psnr(exact[1].image, fast[1].image) > 40
    assert not torch.equal(exact[0].image, fast[0].image), "this was not bf16"
    assert network.dtype == torch.float32


@needs_half
def test_features_stay_channels_last_in_bf16(lively):
    """A layer that changed the layout would cost a copy of all features, back and forth."""
    deblurrer = on_cpu(lively("mtrnn-lite"), HALF)
    network, _ = deblurrer.ready(deblurrer.placement)
    layouts = []
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            module.register_forward_hook(
                lambda _, inputs, output: layouts.extend(
                    x.is_contiguous(memory_format=torch.channels_last) for x in (*inputs, output)
                )
            )
    list(deblurrer.steps(torch.rand(1, 1, 3, 64, 64), 2))
    assert len(layouts) == 2 * 2 * 46 and all(layouts)


def with_a_huge_channel(network):
    """Give an MT-RNN a channel that nobody listens to: 3.4e38, which is finite in fp32 and rounds to infinity in bf16.

    Times a weight of zero that makes 0 in fp32, and NaN in bf16.
    """
    with torch.no_grad():
        network.stem.bias[0] = 3.4e38
        for block in network.encoder1:
            block.conv1.weight[:, 0] = 0
        network.down1.weight[:, 0] = 0
        network.skip1.weight[:, 32] = 0
    return network


@needs_half
def test_an_overflow_in_bf16_is_computed_again_as_if_fp32_from_the_start(lively):
    network, window = with_a_huge_channel(lively("mtrnn-lite")), torch.rand(1, 1, 3, 40, 52)
    exact = list(on_cpu(network).steps(window, 3))
    steps = list(on_cpu(network, HALF).steps(window, 3))
    assert [step.index for step in steps] == [1, 2, 3]
    assert all(torch.equal(a.image, b.image) for a, b in zip(exact, steps, strict=True))
    assert [a.change for a in exact] == [b.change for b in steps]
    assert "fp32" in steps[0].notices[0] and not steps[1].notices


class Growing(Restorer):
    """Its feature doubles (nearly) each step, and in the second is too large for bf16 but not for fp32."""

    traits = Traits(halo=0, steps=2, max_steps=3, state_strides=(1,))

    def __init__(self):
        super().__init__()
        self.start, self.growth, self.share = (nn.Parameter(torch.tensor(x)) for x in (1.7e38, 1.999, 0.3))

    def forward(self, window, previous, state):
        feature = state[0] * self.growth if state else self.start.expand(*previous.shape)
        return Estimate(previous * self.share.float() + 0 * feature.float(), (feature,))


@needs_half
def test_an_overflow_in_a_later_step_goes_on_in_fp32_from_that_step():
    window = torch.rand(1, 1, 3, 20, 20)
    exact = list(on_cpu(Growing()).steps(window, 2))
    first, second = on_cpu(Growing(), HALF, tile=8).steps(window, 2)
    assert 1e-4 < (first.image - exact[0].image).abs().max() < 1e-2, "the first step stays the one shown, in bf16"
    assert torch.equal(second.image, exact[1].image) and second.change == pytest.approx(exact[1].change)
    assert not first.notices and "fp32" in second.notices[0]


@needs_half
def test_a_restart_is_visible_as_tiles_of_the_first_step_again():
    events = on_cpu(Growing(), HALF, tile=16).events(torch.rand(1, 1, 3, 16, 32), 2)
    seen = [(type(event).__name__[0], event.index) for event in events]
    assert seen == [("T", 1), ("T", 1), ("S", 1), ("T", 1), ("T", 1), ("T", 2), ("T", 2), ("S", 2)]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_in_fp32_is_an_error(recurrent, value):
    window = torch.rand(1, 1, 3, 30, 30)
    window[0, 0, 1, 20, 20] = value
    with pytest.raises(DeblurError, match="not finite"):
        list(on_cpu(recurrent()).steps(window, 1))


SCARCE = """
import resource, sys, torch
from pathlib import Path
sys.path.insert(0, str(Path(sys.argv[1]).parent))
from conftest import Recurrent
from deblur_demo.runtime.deblurrer import Deblurrer
torch.manual_seed(0)
torch.set_num_threads(1)
deblurrer = Deblurrer(Recurrent(width=64).eval(), device="cpu", precision="fp32", tile=0)
window = torch.rand(1, 1, 3, 512, 520)
exact = [step.image for step in deblurrer.steps(window, 1)]
held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + int(sys.argv[2]) * 2**20,) * 2)
steps = list(deblurrer.steps(window, 1))
print(max((a - b.image).abs().max().item() for a, b in zip(exact, steps)))
print(*(notice for step in steps for notice in step.notices), sep=";")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process so")
def test_out_of_memory_makes_the_tiles_smaller_and_the_result_the_same():
    command = [sys.executable, "-c", SCARCE, str(Path(__file__)), "130"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    difference, notices = done.stdout.splitlines()
    assert float(difference) < 1e-4
    assert "tiles of at most 260 px" in notices


def test_memory_for_no_tile_at_all_is_an_error_that_says_so(recurrent):
    deblurrer = on_cpu(recurrent())
    worker = _Worker(deblurrer, deblurrer.placement)
    worker.retreat(2 * SMALLEST_TILE)
    assert worker.largest == SMALLEST_TILE
    with pytest.raises(DeviceError, match=f"even for a tile of {SMALLEST_TILE} px"):
        worker.retreat(SMALLEST_TILE)


def test_a_picture_larger_than_the_memory_is_refused_before_it_starts(recurrent):
    """Half a million pixels a side, of which only one is stored."""
    window = torch.rand(1, 1, 3, 1, 1).expand(1, 1, 3, 500_000, 500_000)
    with pytest.raises(DeblurError, match=r"for 250000.0 megapixels: .* GB of \d+"):
        next(on_cpu(recurrent(), tile="auto").events(window))


def test_the_zoo_in_reduced_precision_keeps_the_network_that_was_passed_in():
    network = registry.build("mtrnn-lite")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    list(Deblurrer(network, tile=0).steps(torch.rand(1, 1, 3, 16, 16), 1))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert network.dtype == torch.float32
