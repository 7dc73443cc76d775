"""Which network, how often and how it runs: the knobs of every screen that restores something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape

import gradio as gr

from deblur_demo import settings
from deblur_demo.errors import CheckpointError
from deblur_demo.ui import preset, shelf, text
from deblur_demo.ui.bench import is_fetched
from deblur_demo.ui.components import Choice, Knob, OnePhoto
from deblur_demo.ui.events import AT_ONCE, LATEST, Updates


@dataclass(frozen=True)
class Knobs:
    """The controls of one screen, in the order in which ``values`` hands them to a handler.

    ``memory`` is what the browser keeps of them; ``copy`` and ``link``, where a screen has them,
    write their settings into an address.
    """

    screen: str
    model: Choice
    iterations: Knob
    auto: gr.Checkbox
    precision: Choice
    tile: Choice
    ensemble: Choice
    size: Choice
    about: gr.Markdown
    memory: gr.BrowserState
    copy: gr.Button | None = None
    link: gr.HTML | None = None

    @property
    def values(self) -> list[gr.components.Component]:
        """Inputs: model, iterations, auto, precision, tile, ensemble, size."""
        return [self.model, self.iterations, self.auto, self.precision, self.tile, self.ensemble, self.size]

    def bind(self, page: gr.Blocks) -> None:
        """Connect the controls to each other; when the page has opened, fill in the networks and what is wanted."""
        picked = [self.about, self.iterations, self.auto]
        # First what is quick: to know the networks means to import torch, and whoever is fast has chosen by then.
        recalled = page.load(self.recall, self.memory, self.values[1:], **AT_ONCE)
        recalled.then(self.offer_models, [self.memory, self.auto], [self.model, *picked], **AT_ONCE)
        self.model.input(self.pick_model, [self.model, self.auto], picked, **LATEST)
        self.auto.change(self.set_auto, [self.model, self.auto], self.iterations, **AT_ONCE)
        edits = [part.input for part in self.values]
        gr.on(edits, None, self.values, self.memory, js=preset.WANTED, **AT_ONCE)
        if self.copy is not None:
            copying = preset.COPY % {"screen": self.screen, "wanted": preset.WANTED}
            self.copy.click(None, self.values, js=copying, **AT_ONCE)

    def recall(self, remembered: object = None, request: gr.Request | None = None) -> Updates:
        """Set knobs as the page's address or else the browser's memory says; what neither names stays as it is."""
        wanted = preset.wanted(remembered, request, self.screen, tuple(preset.KNOBS))
        often = wanted.pop("iterations", None)
        updates = {getattr(self, name): str(value) for name, value in wanted.items()}
        if often == "auto":
            updates |= {self.auto: True, self.iterations: gr.update(interactive=False)}
        elif often is not None:
            updates |= {self.auto: False, self.iterations: gr.update(value=often, interactive=True)}
        return updates or {self.auto: gr.skip()}

    def offer_models(self, remembered: object = None, auto: bool = False, request: gr.Request | None = None) -> Updates:
        """Fill the model picker, and pick the one that the page's address or else the browser's memory names."""
        from deblur_demo import pipeline

        wanted = preset.wanted(remembered, request, self.screen, ("model",))
        model = wanted.get("model") or pipeline.default_model()
        return {**self.pick_model(model, auto), self.model: gr.update(choices=choices(), value=model)}

    @property
    def offered(self) -> list[gr.components.Component]:
        """Outputs of ``offer``."""
        return [self.model, self.about, self.iterations, self.auto]

    def offer(self, own: Sequence[shelf.OwnWeights], model: str, auto: bool) -> Updates:
        """Offer what the visitor has brought, too; the choice stays if it is still there."""
        from deblur_demo import pipeline

        offered = choices(own)
        if model in (value for _, value in offered):
            return {self.model: gr.update(choices=offered)}
        chosen = pipeline.default_model()
        return {self.model: gr.update(choices=offered, value=chosen), **self.pick_model(chosen, auto)}

    def pick_model(self, model: str | None, auto: bool) -> Updates:
        """Say what the network is and costs, and offer the knobs that it has.

        Who leaves the picker before the networks are there has picked None.
        """
        if model is None:
            return {self.about: gr.skip()}
        try:
            row = row_of(model, costs=True)
        except CheckpointError as error:  # weights of the visitor's own that are gone
            return {self.about: escape(str(error))}
        about = text.about_model(row, is_fetched(row))
        return {self.about: about, self.auto: gr.update(interactive=is_iterative(model)), **self.set_auto(model, auto)}

    def set_auto(self, model: str | None, auto: bool) -> Updates:
        """A run that stops by itself needs no number, and neither does a network of fixed stages.

        A link may ask for the former before the networks are there: ``model`` is None then.
        """
        try:
            return {self.iterations: gr.update(interactive=not auto and (model is None or is_iterative(model)))}
        except CheckpointError:  # said as soon as it is picked or run
            return {self.iterations: gr.skip()}


def asked(
    model: str, iterations: float, auto: bool, precision: str, tile: str, ensemble: str, size: str
) -> dict[str, object]:
    """What ``Knobs.values`` handed over, as ``order.checked`` takes it."""
    return {
        "model": model, "iterations": "auto" if auto else iterations, "precision": precision, "tile": tile,
        "ensemble": ensemble, "size": size,
    }  # fmt: skip


def place_model(screen: str) -> dict[str, gr.components.Component]:
    """Model and iterations, and what the browser keeps of them; ``screen`` begins the ids of the elements."""
    # A key and a secret of its own choice would be others after the server's next start. There is nothing to hide.
    memory = gr.BrowserState(storage_key=f"deblur-demo-{screen}", secret="settings")
    with gr.Group():
        # The choices come when the page has opened: to know the networks means to import torch.
        model = Choice([], label=text.MODEL, filterable=False, interactive=True, elem_id=f"{screen}-model")
        about = gr.Markdown(text.MODELS_COMING, elem_classes=["hint", "about-model"], padding=True)
    wanted = settings.ITERATIONS.current()
    with gr.Group():
        iterations = Knob(
            settings.ITERATIONS.low, settings.ITERATIONS.high,
            settings.ITERATIONS.default if wanted == "auto" else wanted, step=1, precision=0,
            label=text.ITERATIONS, info=text.ITERATIONS_HELP, interactive=wanted != "auto", buttons=[],
            elem_id=f"{screen}-iterations",
        )  # fmt: skip
        auto = gr.Checkbox(wanted == "auto", label=text.AUTO, info=text.AUTO_HELP, elem_id=f"{screen}-auto")
    return {"model": model, "about": about, "iterations": iterations, "auto": auto, "memory": memory}


def place_link(screen: str) -> dict[str, gr.components.Component]:
    """A button that writes the settings into a link; where there is no clipboard, a field to copy it from."""
    copy = gr.Button(text.LINK, size="sm", elem_id=f"{screen}-copy")
    link = gr.HTML(
        f'<div class="link" data-copied="{text.LINK_COPIED}"><p role="status"></p>'
        f'<input readonly hidden aria-label="{text.LINK_FIELD}"></div>',
        elem_id=f"{screen}-link", elem_classes="bare",
    )  # fmt: skip
    return {"copy": copy, "link": link}


def place_truth(elem_id: str) -> OnePhoto:
    """Where a visitor puts the sharp picture, if there is one."""
    truth = OnePhoto(
        label=text.TRUTH, sources=["upload"], type="filepath", image_mode=None, format="png", buttons=[], height=170,
        elem_id=elem_id,
    )  # fmt: skip
    gr.Markdown(text.TRUTH_HELP, elem_classes="hint")
    return truth


def place_size(screen: str) -> dict[str, gr.components.Component]:
    """The size to restore at; ``screen`` begins the ids of the elements."""
    size = Choice(
        sizes(), value=settings.SIZE.current(), label=text.SIZE, info=text.SIZE_HELP, filterable=False,
        elem_id=f"{screen}-size",
    )  # fmt: skip
    return {"size": size}


def sizes() -> list[tuple[str, str]]:
    """What a picker of sizes offers, labels and values."""
    return [(text.SIZES[word], word) for word in settings.SIZE.words]


def place_runtime() -> dict[str, gr.components.Component]:
    """What few people change: how the network is computed."""
    ensemble = Choice(
        [(text.ENSEMBLES[word], word) for word in settings.ENSEMBLE.words], value=settings.ENSEMBLE.current(),
        label=text.ENSEMBLE, info=text.ENSEMBLE_HELP, filterable=False,
    )  # fmt: skip
    precision = Choice(
        list(settings.PRECISION.words), value=settings.PRECISION.current(), label=text.PRECISION,
        info=text.PRECISION_HELP, filterable=False,
    )  # fmt: skip
    tile = Choice(
        [*settings.TILE.words, "0", "256", "512", "1024"], value=str(settings.TILE.current()), label=text.TILE,
        info=text.TILE_HELP, allow_custom_value=True,
    )  # fmt: skip
    return {"ensemble": ensemble, "precision": precision, "tile": tile}


def choices(own: Sequence[shelf.OwnWeights] = (), ready: bool = False) -> list[tuple[str, str]]:
    """What a model picker offers, labels and values: own weights, networks that run, those that do not.

    Args:
        own: weights that the visitor brought.
        ready: without the networks that do not run.
    """
    from deblur_demo import catalogue, pipeline

    rows = catalogue.by_use(catalogue.models(), pipeline.default_model())
    offered = [(text.model_choice(row), row["id"]) for row in rows if row["ready"] or not ready]
    return [(text.own_choice(weights.name, weights.model), weights.choice) for weights in own] + offered


def row_of(choice: str, costs: bool = False) -> dict:
    """The row of ``catalogue.models`` behind a choice; of a visitor's weights it is true to their own network.

    Args:
        choice: of a model picker.
        costs: whether ``gmacs`` is counted, which takes up to a second.

    Raises:
        CheckpointError: a visitor's weights that are gone.
    """
    from deblur_demo import catalogue

    model, own = shelf.model_of(choice), shelf.is_own(choice)
    row = next(row for row in catalogue.models() if row["id"] == model)
    if own:
        row |= {"ready": True, "checkpoint": shelf.name_of(choice), **catalogue.built(shelf.network_of(choice))}
    if costs:
        row["gmacs"] = _own_gmacs(choice) if own else catalogue.gmacs(model)
    return row


@lru_cache(maxsize=256)
def _own_gmacs(choice: str) -> float:
    """Operations of a visitor's weights, which stay the same under their choice."""
    from deblur_demo.models import complexity

    return complexity.gmacs(shelf.network_of(choice))


def is_iterative(choice: str) -> bool:
    """Whether the number of iterations is the visitor's choice.

    Raises:
        CheckpointError: a visitor's weights that are gone.
    """
    return shelf.network_of(choice).traits.iterative
