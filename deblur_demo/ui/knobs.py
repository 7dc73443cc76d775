"""Which network, how often and how it runs: the knobs of every screen that restores something."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from deblur_demo import settings
from deblur_demo.ui import text
from deblur_demo.ui.bench import is_fetched

Updates = dict[gr.components.Component, object]


@dataclass(frozen=True)
class Knobs:
    """The controls, in the order in which ``values`` hands them to a handler."""

    model: gr.Dropdown
    iterations: gr.Slider
    auto: gr.Checkbox
    precision: gr.Dropdown
    tile: gr.Dropdown
    ensemble: gr.Dropdown
    about: gr.Markdown

    @property
    def values(self) -> list[gr.components.Component]:
        """Inputs: model, iterations, auto, precision, tile, ensemble."""
        return [self.model, self.iterations, self.auto, self.precision, self.tile, self.ensemble]

    def bind(self, page: gr.Blocks) -> None:
        """Connect the controls to each other, and fill in the networks when the page has opened."""
        at_once = {"api_visibility": "private", "show_progress": "hidden", "queue": False}
        picked = [self.about, self.iterations, self.auto]
        page.load(self.offer_models, outputs=[self.model, *picked], **at_once)
        self.model.input(self.pick_model, [self.model, self.auto], picked, **at_once)
        self.auto.change(self.set_auto, [self.model, self.auto], self.iterations, **at_once)

    def offer_models(self) -> Updates:
        """Fill the model picker: those that run come first, the others say what they lack."""
        from deblur_demo import catalogue, pipeline

        chosen = pipeline.default_model()
        rows = sorted(catalogue.models(), key=lambda row: (not row["ready"], row["id"] != chosen))
        choices = [(text.model_choice(row["id"], row["ready"]), row["id"]) for row in rows]
        picker = gr.update(choices=choices, value=chosen)
        return {self.model: picker, **self.pick_model(chosen, settings.ITERATIONS.current() == "auto")}

    def pick_model(self, model: str, auto: bool) -> Updates:
        """Say what the network is and costs, and offer the knobs that it has."""
        from deblur_demo import catalogue

        row = {**_row(model), "gmacs": catalogue.gmacs(model)}
        about = text.about_model(row, is_fetched(row))
        return {self.about: about, self.auto: gr.update(interactive=is_iterative(model)), **self.set_auto(model, auto)}

    def set_auto(self, model: str, auto: bool) -> Updates:
        """A run that stops by itself needs no number, and neither does a network of fixed stages."""
        return {self.iterations: gr.update(interactive=is_iterative(model) and not auto)}


def asked(model: str, iterations: float, auto: bool, precision: str, tile: str, ensemble: str) -> dict[str, object]:
    """What ``Knobs.values`` handed over, as ``order.checked`` takes it."""
    return {
        "model": model, "iterations": "auto" if auto else iterations, "precision": precision, "tile": tile,
        "ensemble": ensemble,
    }  # fmt: skip


def place_model(screen: str) -> dict[str, gr.components.Component]:
    """Model and iterations; ``screen`` begins the ids of the elements."""
    with gr.Group():
        # The choices come when the page has opened: to know the networks means to import torch.
        model = gr.Dropdown([], label=text.MODEL, filterable=False, interactive=True, elem_id=f"{screen}-model")
        about = gr.Markdown(text.MODELS_COMING, elem_classes=["hint", "about-model"], padding=True)
    wanted = settings.ITERATIONS.current()
    with gr.Group():
        iterations = gr.Slider(
            settings.ITERATIONS.low, settings.ITERATIONS.high,
            settings.ITERATIONS.default if wanted == "auto" else wanted, step=1, precision=0,
            label=text.ITERATIONS, info=text.ITERATIONS_HELP, interactive=wanted != "auto", buttons=[],
            elem_id=f"{screen}-iterations",
        )  # fmt: skip
        auto = gr.Checkbox(wanted == "auto", label=text.AUTO, info=text.AUTO_HELP, elem_id=f"{screen}-auto")
    return {"model": model, "about": about, "iterations": iterations, "auto": auto}


def place_runtime() -> dict[str, gr.components.Component]:
    """What few people change: how the network is computed."""
    ensemble = gr.Dropdown(
        [(text.ENSEMBLES[word], word) for word in settings.ENSEMBLE.words], value=settings.ENSEMBLE.current(),
        label=text.ENSEMBLE, info=text.ENSEMBLE_HELP, filterable=False,
    )  # fmt: skip
    precision = gr.Dropdown(
        list(settings.PRECISION.words), value=settings.PRECISION.current(), label=text.PRECISION,
        info=text.PRECISION_HELP, filterable=False,
    )  # fmt: skip
    tile = gr.Dropdown(
        [*settings.TILE.words, "0", "256", "512", "1024"], value=str(settings.TILE.current()), label=text.TILE,
        info=text.TILE_HELP, allow_custom_value=True,
    )  # fmt: skip
    return {"ensemble": ensemble, "precision": precision, "tile": tile}


def _row(model: str) -> dict:
    from deblur_demo import catalogue

    return next(row for row in catalogue.models() if row["id"] == model)


def _iterative(model: str) -> bool:
    return _row(model)["max_steps"] > _row(model)["steps"]
