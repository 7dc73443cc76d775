"""What the image screen does: events come in, the pipeline runs, components are told what changed.

Every handler returns (or yields) a dictionary from components to what is new about them; what is
not in it stays as it is. The long one is a generator that yields per tile, because only between
two yields can a run be cancelled.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr
from gradio.processing_utils import save_file_to_cache

from deblur_demo import settings
from deblur_demo.errors import DeblurError
from deblur_demo.ui import text, views
from deblur_demo.ui.bench import Bench
from deblur_demo.ui.order import Order
from deblur_demo.ui.pace import Pace
from deblur_demo.ui.runs import Result, Run

if TYPE_CHECKING:
    from deblur_demo.runtime.deblurrer import Deblurrer
    from deblur_demo.ui.layout import Example, ImageScreen

DEVICE_QUEUE = {"concurrency_id": "device", "concurrency_limit": 1}  # one job at a time, whoever asks
_SCROLL_TO_STAGE = """() => {
  const block = window.innerWidth < 768 ? "start" : "nearest";  // on a phone the stage is below the settings
  document.querySelector("#status").scrollIntoView({ block });
  return [];
}"""
_log = logging.getLogger(__name__)

Updates = dict[gr.components.Component, object]


class ImageHandlers:
    """The handlers of one image screen.

    Args:
        screen: its components.
        bench: where the networks are.
        cache: folder for the files of a run.
        examples: the photos behind ``screen.examples``.
    """

    def __init__(self, screen: ImageScreen, bench: Bench, cache: Path, examples: Sequence[Example]):
        self.screen, self.bench, self.cache, self.examples = screen, bench, cache, examples

    def bind(self, page: gr.Blocks) -> None:
        """Connect every event of the screen, and of the page that it is on."""
        s = self.screen
        hidden = {"api_visibility": "private"}
        at_once = {**hidden, "show_progress": "hidden", "queue": False}
        latest = {**at_once, "trigger_mode": "always_last"}
        shown = [s.compare, s.step_png, s.strip, s.table]
        results = [*shown, s.scrubber, s.steps_zip]
        stage = [s.run_state, s.status, s.welcome, s.results, s.run, s.cancel]

        # The library starts listeners one after the other, so this one must come first: waiting can be cancelled, too.
        s.run.click(lambda: gr.update(interactive=True), outputs=s.cancel, js=_SCROLL_TO_STAGE, **at_once)
        job = s.run.click(
            self.deblur,
            [s.photos, s.model, s.iterations, s.auto, s.precision, s.tile, s.truth, s.metadata, s.run_state],
            [*stage, s.picker, *results],
            show_progress="minimal",  # the place in the queue, until it is this visitor's turn
            show_progress_on=s.status,
            **hidden,
            **DEVICE_QUEUE,
        )
        # The last word comes when the run has ended: an update on its way would undo it.
        s.cancel.click(self.stopping, outputs=[s.status, s.cancel], **at_once)
        stopped = s.cancel.click(None, cancels=[job], **at_once)
        stopped.then(self.cancelled, s.run_state, stage, **at_once)

        picked = [s.run_state, s.picker]
        s.scrubber.input(self.scrub, [*picked, s.scrubber], shown, **latest)
        s.strip.select(self.pick_step, picked, [s.scrubber, *shown], **latest)
        s.picker.input(self.pick_photo, picked, results, **latest)

        s.examples.select(self.pick_example, outputs=[s.photos, s.truth], **at_once)
        gr.on([s.photos.upload, s.photos.delete], self.change_photos, s.truth, s.truth, **at_once)
        webcam = [s.webcam, s.webcam_toggle]
        s.webcam_toggle.click(self.toggle_webcam, s.webcam_toggle, webcam, **at_once)
        s.webcam.input(self.take_snapshot, [s.photos, s.webcam], [s.photos, *webcam], **at_once)
        s.auto.change(self.set_auto, [s.model, s.auto], s.iterations, **at_once)
        page.load(self.offer_models, outputs=[s.model, s.about_model, s.iterations, s.auto], **at_once)
        s.model.input(self.pick_model, [s.model, s.auto], [s.about_model, s.iterations, s.auto], **at_once)

    # A run

    def deblur(
        self, photos, model, iterations, auto, precision, tile, truth, metadata, previous: Run | None
    ) -> Iterator[Updates]:
        """Deblur every photo, telling the page about each tile and each step.

        Trouble with one of several photos does not stop the others. However it ends, cancelled
        included, files are kept only if there is something to show.
        """
        s, run = self.screen, None
        try:
            order = Order.of(photos, model, "auto" if auto else iterations, precision, tile, truth, metadata)
            yield self._busy(views.status(text.LOADING.format(model=order.job.model), "busy"))
            deblurrer = self.bench.deblurrer(order.job)
            if previous is not None:
                previous.discard()
            run = Run(self.cache)
            yield {s.run_state: run}
            start = time.monotonic()
            yield from self._deblur_all(run, order, deblurrer)
            run.done = True
            yield self._finished(run, len(order.photos), time.monotonic() - start)
        except DeblurError as error:
            gr.Warning(escape(str(error)))
            yield self._stopped(str(error), "error", cleared=run is not None)
        except Exception:
            _log.exception("a run failed")
            yield self._stopped(text.UNEXPECTED, "error", cleared=run is not None)
        finally:
            if run is not None and not run.done:
                run.discard()

    def _deblur_all(self, run: Run, order: Order, deblurrer: Deblurrer) -> Iterator[Updates]:
        count = len(order.photos)
        for number, path in enumerate(order.photos, 1):
            try:
                yield from self._deblur_one(run, order, deblurrer, number)
            except DeblurError as error:
                if number == count and not run.results:
                    raise
                gr.Warning(escape(str(error) if path.name in str(error) else f"{path.name}: {error}"))

    def _deblur_one(self, run: Run, order: Order, deblurrer: Deblurrer, number: int) -> Iterator[Updates]:
        from deblur_demo.pipeline import StepReport, deblur_image

        s, path, count = self.screen, order.photos[number - 1], len(order.photos)
        photo, truth = order.read(path)
        for notice in photo.notices:
            gr.Info(escape(notice))
        most, last = order.iterations(deblurrer)
        pace = Pace(most)
        name = text.of_several(number, count, path.name)
        run.begin(path.name, photo.notices)
        yield {s.status: views.status(text.running(1, last, name=name), "busy", (number - 1) / count)}
        try:
            for event in deblur_image(photo, deblurrer, order.job.iterations, truth):
                if isinstance(event, StepReport):
                    run.add(event)
                    yield self._arrived(run.results[-1], most)
                else:
                    pace.tile(event)
                    line = text.running(event.index, last, event.tile, event.tiles, pace.remaining, name)
                    yield {s.status: views.status(line, "busy", (number - 1 + pace.fraction) / count)}
            run.finish()
        except DeblurError:
            run.drop()
            raise

    def stopping(self) -> Updates:
        """From the click until the tile at hand is done."""
        s = self.screen
        return {s.status: views.status(text.STOPPING, "busy"), s.cancel: gr.update(interactive=False)}

    def cancelled(self, run: Run | None) -> Updates:
        """The run has been stopped, its files went with it. Results of the one before stay if it never got its turn."""
        kept = run is not None and run.done and run.folder.exists()
        return self._stopped(text.CANCELLED, "idle", cleared=not kept)

    # Looking at results

    def scrub(self, run: Run | None, picked: int | None, index: float) -> Updates:
        """Show another step on the slider."""
        result = self._result(run, picked)
        return self._at(result, int(index), len(result.steps)) if result else {self.screen.table: gr.skip()}

    def pick_step(self, run: Run | None, picked: int | None, event: gr.SelectData) -> Updates:
        """Show the step whose thumbnail was chosen."""
        return {self.screen.scrubber: event.index, **self.scrub(run, picked, event.index)}

    def pick_photo(self, run: Run | None, picked: int | None) -> Updates:
        """Show another photo of the batch."""
        result = self._result(run, picked)
        return self._complete(result) if result else {self.screen.table: gr.skip()}

    @staticmethod
    def _result(run: Run | None, picked: int | None) -> Result | None:
        if run is None or not run.folder.exists():
            gr.Info(text.EXPIRED)
            return None
        return run.results[picked or 0]

    # The input

    def pick_example(self, event: gr.SelectData) -> Updates:
        """Take an example, with its sharp reference where there is one."""
        example = self.examples[event.index]
        photo, truth = (path and save_file_to_cache(path, str(self.cache)) for path in (example.photo, example.truth))
        return {self.screen.photos: [photo], self.screen.truth: truth}

    def change_photos(self, truth: str | None) -> Updates:
        """An example's reference goes with the example; a visitor's own stays."""
        names = [example.truth.name for example in self.examples if example.truth]
        return {self.screen.truth: None if truth and Path(truth).name in names else gr.skip()}

    def toggle_webcam(self, label: str) -> Updates:
        """Open the webcam, or put it away."""
        opened = label == text.WEBCAM
        s = self.screen
        return {
            s.webcam: gr.update(value=None, visible=opened),
            s.webcam_toggle: text.NO_WEBCAM if opened else text.WEBCAM,
        }

    def take_snapshot(self, photos: Sequence[str], snapshot: str | None) -> Updates:
        """Put the webcam's picture to the photos, and the webcam away."""
        added = [snapshot] if snapshot else []
        return {self.screen.photos: [*photos, *added], **self.toggle_webcam(text.NO_WEBCAM)}

    def set_auto(self, model: str, auto: bool) -> Updates:
        """A run that stops by itself needs no number, and neither does a network of fixed stages."""
        return {self.screen.iterations: gr.update(interactive=_iterative(model) and not auto)}

    def offer_models(self) -> Updates:
        """Fill the model picker: those that run come first, the others say what they lack."""
        from deblur_demo import catalogue, pipeline

        chosen = pipeline.default_model()
        rows = sorted(catalogue.models(), key=lambda row: (not row["ready"], row["id"] != chosen))
        choices = [(text.model_choice(row["id"], row["ready"]), row["id"]) for row in rows]
        picker = gr.update(choices=choices, value=chosen)
        return {self.screen.model: picker, **self.pick_model(chosen, settings.ITERATIONS.current() == "auto")}

    def pick_model(self, model: str, auto: bool) -> Updates:
        """Say what the network is, and offer the knobs that it has."""
        s = self.screen
        free = gr.update(interactive=_iterative(model))
        return {s.about_model: text.about_model(_row(model)), s.auto: free, **self.set_auto(model, auto)}

    # What the stage shows

    def _arrived(self, result: Result, most: int) -> Updates:
        """A step of a run that goes on; rows are reserved for those to come."""
        s, newest = self.screen, result.steps[-1].index
        return {
            **self._at(result, newest, most + 1),
            s.strip: _thumbnails(result, newest),
            s.welcome: gr.update(visible=False),
            s.results: gr.update(visible=True),
            s.picker: gr.update(visible=False),
            s.scrubber: gr.update(maximum=most, value=newest, interactive=False),
            s.step_png: gr.update(label=text.download_step(newest), value=None, interactive=False),
            s.steps_zip: gr.update(value=None, interactive=False),
        }

    def _complete(self, result: Result) -> Updates:
        """All about a photo that is done."""
        s, last = self.screen, result.steps[-1].index
        return {
            **self._at(result, last, len(result.steps)),
            s.strip: _thumbnails(result, last),
            s.scrubber: gr.update(maximum=last, value=last, interactive=True),
            s.steps_zip: gr.update(value=str(result.archive), interactive=True),
        }

    def _at(self, result: Result, index: int, rows: int) -> Updates:
        """The slider with one step on its right."""
        s, step = self.screen, result.steps[min(max(index, 0), len(result.steps) - 1)]
        pair = (str(result.steps[0].shown), str(step.shown))
        return {
            s.compare: gr.update(value=pair, label=text.compare(step.index)),
            s.step_png: gr.update(value=str(step.full), label=text.download_step(step.index), interactive=True),
            s.strip: gr.update(selected_index=step.index),
            s.table: views.table(result.steps, step.index, rows, result.notices),
        }

    def _busy(self, status: str) -> Updates:
        s = self.screen
        return {s.status: status, s.run: gr.update(interactive=False), s.cancel: gr.update(interactive=True)}

    def _rest(self, status: str) -> Updates:
        s = self.screen
        return {s.status: status, s.run: gr.update(interactive=True), s.cancel: gr.update(interactive=False)}

    def _finished(self, run: Run, count: int, seconds: float) -> Updates:
        s, result = self.screen, run.results[-1]
        line = text.finished(result.steps[-1].index, seconds, len(run.results), count)
        choices = [(f"{number}. {result.name}", number - 1) for number, result in enumerate(run.results, 1)]
        return {
            **self._complete(result),
            **self._rest(views.status(line, "done", 1.0)),
            s.picker: gr.update(choices=choices, value=len(choices) - 1, visible=count > 1),
            s.run_state: run,
        }

    def _stopped(self, line: str, kind: str, cleared: bool) -> Updates:
        """Say why nothing came out; the stage is cleared when what it showed is gone."""
        s = self.screen
        updates = self._rest(views.status(line, kind))
        if cleared:
            updates |= {s.run_state: None, s.welcome: gr.update(visible=True), s.results: gr.update(visible=False)}
        return updates


def _row(model: str) -> dict:
    from deblur_demo import catalogue

    return next(row for row in catalogue.models() if row["id"] == model)


def _iterative(model: str) -> bool:
    return _row(model)["max_steps"] > _row(model)["steps"]


def _thumbnails(result: Result, selected: int) -> dict:
    pictures = [(str(step.thumbnail), text.step_caption(step.index)) for step in result.steps]
    return gr.update(value=pictures, selected_index=selected)
