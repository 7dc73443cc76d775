"""The multi-temporal conversion of one-stage networks (Park 2020, section 5.2 and table 3).

Any network that restores a single frame in a single stage becomes multi-temporal: it sees the
previous estimate and the blurred frame, its output is added to the blurred frame, and the same
weights serve every iteration. ``mt-<id>`` is the conversion of ``<id>``; all networks in this
folder that say where they see their frame have one.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import fields, make_dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from deblur_demo.models.contract import Estimate, Restorer, centre_frame
from deblur_demo.models.registry import Variant

STEPS, MAX_STEPS = 6, 10  # Park 2020, section 4.3
CLAMP = "    clamp: whether the estimate is clamped to [0, 1] before the next iteration sees it."


class MultiTemporal(Restorer):
    """A one-stage network, applied again and again.

    The network gets a window of two frames, the estimate and the blurred one. The latter then
    is the centre frame, to which a residual network adds its output anyway; to the output of any
    other the blurred frame is added here.

    Its first convolutions start with the original's weights, halved, on both frames. As both are
    the same at first, iteration 1 of a converted network begins as the original.

    Args:
        make: builds the network from its settings.
        settings: the network's own, and ``clamp``.
    """

    def __init__(self, make: Callable[[object], Restorer], settings: object):
        super().__init__()
        self.settings = settings
        self.net = make(settings)
        for path in self.net.first_convolutions:
            _widen(self.net.get_submodule(path))
        self.traits = replace(self.net.traits, steps=STEPS, max_steps=MAX_STEPS)

    @torch.no_grad()
    def convert_from(self, original: Restorer) -> None:
        """Take the weights of a trained network, and look at nothing but the blurred frame for now.

        So every iteration begins as the original. With the weights halved on both frames only the
        first would, because the further ones see less blur and undo less of it.

        Args:
            original: the network that this is the conversion of, one of ``FAITHFUL``, of the same settings.
        """
        weights = original.state_dict()
        for path in self.net.first_convolutions:
            weight = weights[f"{path}.weight"]
            weights[f"{path}.weight"] = torch.cat((torch.zeros_like(weight), weight), dim=1)
        self.net.load_state_dict(weights)

    def forward(self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]) -> Estimate:
        blurred = centre_frame(window)  # (B, 3, H, W)
        if self.settings.clamp:
            previous = previous.clamp(0, 1)
        pair = torch.stack((previous, blurred), dim=1)  # (B, 2, 3, H, W)
        estimate = self.net(pair, previous, state)
        if self.net.silent_output is not None:
            estimate = estimate._replace(image=blurred + (estimate.image - self.net.silent_output))
        return estimate


@torch.no_grad()
def _widen(convolution: nn.Conv2d) -> None:
    """Let a convolution see two frames instead of one."""
    convolution.in_channels *= 2
    convolution.weight = nn.Parameter(torch.cat((convolution.weight,) * 2, dim=1) / 2)


def _convertible() -> Iterator[tuple[str, Variant]]:
    """The networks in this folder that can be converted, with their identifiers."""
    package = __name__.rpartition(".")[0]
    for info in pkgutil.iter_modules(importlib.import_module(package).__path__):
        module_name = f"{package}.{info.name}"
        if module_name != __name__:
            for name, variant in importlib.import_module(module_name).VARIANTS.items():
                one_frame = getattr(variant.settings, "frames", 1) == 1
                if one_frame and getattr(variant.make, "first_convolutions", None) is not None:
                    yield name, variant


def _convert(variant: Variant) -> Variant:
    # One flat dataclass of the network's settings and the conversion's: ``build`` and cards need no nesting.
    own = type(variant.settings)
    extended = make_dataclass(
        f"MultiTemporal{own.__name__}",
        [("clamp", bool, True)],
        bases=(own,),
        frozen=True,
        namespace={"__doc__": f"{inspect.cleandoc(own.__doc__)}\n{CLAMP}"},
    )
    values = {field.name: getattr(variant.settings, field.name) for field in fields(own)}
    return Variant(
        partial(MultiTemporal, variant.make),
        extended(**{**values, **variant.make.converted_settings}),
        paper=f"{variant.paper}; converted as in Park et al., ECCV 2020, table 3",
        trained_for=variant.trained_for,
    )


_ORIGINALS = dict(_convertible())
VARIANTS = {f"mt-{name}": _convert(variant) for name, variant in _ORIGINALS.items()}
# Those whose conversion can go on from what they have learned, see ``MultiTemporal.convert_from``.
FAITHFUL = tuple(
    name
    for name, variant in _ORIGINALS.items()
    if variant.make.silent_output is None and not variant.make.converted_settings
)
