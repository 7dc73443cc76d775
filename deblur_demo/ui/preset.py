"""Settings that come from elsewhere: the visitor's browser, which remembers them, or a link that somebody shared.

Anyone can have written anything into either, so every value passes the checks that it would pass
on the API; what does not is left out. Neither ever holds a photo, or weights of a visitor's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import gradio as gr

from deblur_demo import settings
from deblur_demo.errors import CheckpointError, DeblurError, SettingError
from deblur_demo.ui import order, shelf, text

KNOBS = {
    knob.name: knob
    for knob in (settings.ITERATIONS, settings.PRECISION, settings.TILE, settings.ENSEMBLE, settings.SIZE)
}
NAMES = ("model", *KNOBS)
FIRST = "image"  # the screen that is meant where a link names none
_LONGEST = 100  # letters of a value that are looked at

# Components' values -> what is kept, or written into a link.
WANTED = """(model, iterations, auto, precision, tile, ensemble, size) => ({
  ...(String(model).startsWith("own:") ? {} : { model }),
  iterations: auto ? "auto" : iterations, precision, tile, ensemble, size,
})"""

# Only pages that came by https, or from this machine, are given a clipboard.
COPY = """async (...values) => {
  const place = document.querySelector("#%(screen)s-link .link");
  const [field, line] = [place.querySelector("input"), place.querySelector("p")];
  const wanted = new URLSearchParams({ screen: "%(screen)s", ...(%(wanted)s)(...values) });
  field.value = `${location.origin}${location.pathname}?${wanted}`;
  const copied = await (navigator.clipboard?.writeText(field.value) ?? Promise.reject()).then(() => true, () => false);
  field.hidden = copied;
  line.textContent = copied ? place.dataset.copied : "";
  if (!copied) field.select();
  return [];
}"""


@dataclass(frozen=True)
class Preset:
    """What is wanted of a screen's knobs.

    Attributes:
        values: of model, iterations, precision, tile, ensemble and size those that are given and pass.
        refused: what is wrong with the others, a line each.
    """

    values: Mapping[str, int | str]
    refused: tuple[str, ...] = ()

    @classmethod
    def of(cls, raw: object, names: Sequence[str] = NAMES) -> Preset:
        """Check what a browser handed over, whatever it is; ``names``: which of the values are asked for."""
        values, refused = {}, []
        for name, value in raw.items() if isinstance(raw, Mapping) else ():
            try:
                if name in names and value:
                    written = str(value)[:_LONGEST]
                    values[name] = KNOBS[name].parse(written) if name in KNOBS else _ready_model(written)
            except DeblurError as error:
                refused.append(str(error))
        return cls(values, tuple(refused))

    @classmethod
    def of_link(cls, request: gr.Request | None, screen: str, names: Sequence[str] = NAMES) -> Preset:
        """What the page's address says about a screen."""
        query = {} if request is None else dict(request.query_params)
        return cls.of(query if query.get("screen", FIRST) == screen else {}, names)


def wanted(remembered: object, request: gr.Request | None, screen: str, names: Sequence[str]) -> dict[str, int | str]:
    """What the page's address says of some of a screen's knobs, or else the browser's memory."""
    return {**Preset.of(remembered, names).values, **Preset.of_link(request, screen, names).values}


def linked_screen(request: gr.Request, screens: Sequence[str]) -> str:
    """The screen that the page's address names, or else the first.

    Raises:
        SettingError: there is no such screen.
    """
    name = request.query_params.get("screen", FIRST)
    if name not in screens:
        raise SettingError(*text.fill(text.NO_SCREEN, name=name[:_LONGEST], screens=", ".join(screens)))
    return name


def _ready_model(name: str) -> str:
    """A variant that has weights."""
    if shelf.is_own(name):
        raise CheckpointError(*text.WEIGHTS_GONE)
    try:
        job, _ = order.checked(name, settings.ITERATIONS.default)
    except SettingError as error:  # which names all that there are, and few of them have weights
        raise CheckpointError(*text.fill(text.NO_WEIGHTS, model=name)) from error
    return job.model
