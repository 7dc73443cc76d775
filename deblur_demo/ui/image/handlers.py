"""What the image screen does: events come in, the pipeline runs, components are told what changed.

Every handler returns (or yields) a dictionary from components to what is new about them; what is
not in it stays as it is. The long one is a generator that yields per tile, because only between
two yields can a run be cancelled.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from deblur_demo.errors import DeblurError, OutputError
from deblur_demo.media.paths import shown
from deblur_demo.ui import text, views
from deblur_demo.ui.bench import Bench
from deblur_demo.ui.events import AT_ONCE, EACH, LATEST, Updates
from deblur_demo.ui.examples import Example, is_reference
from deblur_demo.ui.image import text as image_text
from deblur_demo.ui.image import views as image_views
from deblur_demo.ui.image.afterwards import Afterwards
from deblur_demo.ui.image.follow import follow
from deblur_demo.ui.image.layout import ImageScreen
from deblur_demo.ui.image.plots import plots
from deblur_demo.ui.image.run import ImageRun, Result
from deblur_demo.ui.job import ending
from deblur_demo.ui.knobs import asked
from deblur_demo.ui.order import ImageOrder
from deblur_demo.ui.pace import Pace
from deblur_demo.ui.runs import is_gone

if TYPE_CHECKING:
    from deblur_demo.runtime.deblurrer import Deblurrer


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
        results = [s.verdict, s.viewer, s.step_png, s.steps_zip, s.webp, s.mp4, s.table, s.plots]

        s.knobs.bind(page)
        inputs = [s.photos, s.truth, s.metadata, *s.knobs.values]
        s.job.bind(self.deblur, inputs, [s.welcome, s.results, s.picker, s.photos_zip, *results], self.clear)

        picked = [s.job.state, s.picker]
        s.viewer.picked(self.pick_step, picked, [s.job.status, s.step_png, s.table], **EACH)
        s.picker.input(self.pick_photo, picked, [s.job.status, *results], **LATEST)
        Afterwards(s).bind()

        s.examples.select(self.pick_example, outputs=[s.photos, s.truth], **AT_ONCE)
        gr.on([s.photos.upload, s.photos.delete], self.change_photos, s.truth, s.truth, **AT_ONCE)
        # Neither what empties the gallery nor what is pasted into it says more than that it is another.
        s.photos.change(self.count_photos, [s.photos, s.truth], s.truth, **AT_ONCE)
        webcam = [s.webcam, s.webcam_toggle]
        s.webcam_toggle.click(self.toggle_webcam, s.webcam_toggle, webcam, **AT_ONCE)
        s.webcam.input(self.take_snapshot, [s.photos, s.webcam, s.truth], [s.photos, s.truth, *webcam], **AT_ONCE)

    # A run

    def deblur(self, photos, truth, metadata, *rest) -> Iterator[Updates]:
        """Deblur every photo, telling the page about each tile and each step.

        Trouble with one of several photos does not stop the others. However it ends, photos that are
        finished are kept, and of one that is cancelled the steps that are.

        Args:
            photos, truth, metadata: as the page has them.
            rest: ``Knobs.values``, and the run before or None.
        """
        *knobs, previous = rest
        job, run, finished = self.screen.job, None, None
        try:
            with ending() as ended:
                order = ImageOrder.of(photos, truth, metadata, **asked(*knobs))
                yield job.working(views.status(text.loading(order.job.model, order.fetched), "busy"))
                deblurrer = self.bench.deblurrer(order.job)
                run = ImageRun(self.cache)
                run.replace(previous)
                yield {job.state: run}
                order = order.kept_by(run)
                start = time.monotonic()
                yield from self._deblur_all(run, order, deblurrer)
                if run.results:
                    last, seconds = run.results[-1].steps[-1].index, time.monotonic() - start
                    finished = text.finished(last, seconds, len(run.results), len(order.photos))
                else:
                    ended.trouble = image_text.NONE_DONE.format(count=len(order.photos))
            yield self._ended(run, previous, finished, ended.trouble)
        finally:
            if run is not None:
                run.end()

    def _deblur_all(self, run: ImageRun, order: ImageOrder, deblurrer: Deblurrer) -> Iterator[Updates]:
        count = len(order.photos)
        pace = Pace(order.iterations(deblurrer)[0], count)
        for number, path in enumerate(order.photos, 1):
            try:
                for news in follow(run, order, deblurrer, number, pace):
                    yield self._arrived(run, news) if isinstance(news, Result) else {self.screen.job.status: news}
                pace.photo()
            except DeblurError as error:
                if count == 1:
                    raise
                pace.failure()
                # Of several photos nobody waits for each, and what pops up is gone after a while: the end says it, too.
                run.failures.append(image_text.failure(shown(path), str(error)))
                gr.Warning(escape(run.failures[-1]))

    # Looking at results

    def pick_step(self, run: ImageRun | None, picked: int | None, event: gr.EventData) -> Updates:
        """Follow the viewer: the step on its right is marked and can be downloaded."""
        if is_gone(run):
            return self._expired()
        result = run.chosen(picked)
        if result is None or not result.steps:  # the viewer still shows the run before
            return {self.screen.table: gr.skip()}
        if not run.pick(result, int(event.index)):  # a map, or the reference
            return {self.screen.table: gr.skip()}
        return self._marked(run, result)

    def pick_photo(self, run: ImageRun | None, picked: int | None) -> Updates:
        """Show another photo of the batch."""
        if is_gone(run):
            return self._expired()
        if not run.ended:  # it is a photo of the run before, which is about to go
            return {self.screen.table: gr.skip()}
        run.picked = None
        return self._complete(run, run.chosen(picked))

    def _expired(self) -> Updates:
        return {self.screen.job.status: views.status(text.EXPIRED)}

    # The input

    def pick_example(self, event: gr.SelectData) -> Updates:
        """Take an example, with its sharp reference where there is one."""
        photo, truth = self.examples[event.index].taken(self.cache)
        return {self.screen.photos: [photo], self.screen.truth: truth}

    def change_photos(self, truth: str | None) -> Updates:
        """An example's reference goes with the example; a visitor's own stays."""
        return {self.screen.truth: None if is_reference(truth, self.examples) else gr.skip()}

    def count_photos(self, photos: Sequence[str] | None, truth: str | None) -> Updates:
        """A reference is for one photo."""
        return {self.screen.truth: gr.skip()} if len(photos or ()) == 1 else self.change_photos(truth)

    def toggle_webcam(self, label: str) -> Updates:
        """Open the webcam, or put it away."""
        opened = label == image_text.WEBCAM
        s = self.screen
        return {
            s.webcam: gr.update(value=None, visible=opened),
            s.webcam_toggle: image_text.NO_WEBCAM if opened else image_text.WEBCAM,
        }

    def take_snapshot(self, photos: Sequence[str], snapshot: str | None, truth: str | None) -> Updates:
        """Put the webcam's picture to the photos, and the webcam away."""
        added = [snapshot] if snapshot else []
        put_away = self.toggle_webcam(image_text.NO_WEBCAM)
        return {self.screen.photos: [*photos, *added], **self.change_photos(truth), **put_away}

    # What the stage shows

    def _arrived(self, run: ImageRun, result: Result) -> Updates:
        """A step of a run that goes on; rows are reserved for those to come."""
        s = self.screen
        run.on_stage()
        return {
            **self._marked(run, result),
            s.job.state: run,  # said anew, as what is said is kept for as long as the cache keeps files
            s.viewer: image_views.viewer(result),
            s.welcome: gr.update(visible=False),
            s.results: gr.update(visible=True),
            **{part: gr.update(visible=False) for part in (s.picker, s.photos_zip)},
            **{part: gr.update(interactive=False) for part in (s.webp, s.mp4)},
            s.steps_zip: gr.update(value=None, interactive=False),
            s.verdict: image_views.verdict(result, alone=len(run.results) == 1),
            s.plots: plots(result),
        }

    def _complete(self, run: ImageRun, result: Result) -> Updates:
        """All about a photo that is done."""
        s = self.screen
        return {
            **self._marked(run, result),
            s.viewer: image_views.viewer(result),
            **{part: gr.update(interactive=True) for part in (s.webp, s.mp4)},
            s.steps_zip: gr.update(value=str(result.archive), interactive=True),
            s.verdict: image_views.verdict(result, alone=len(run.results) == 1),
            s.plots: plots(result),
        }

    def _marked(self, run: ImageRun, result: Result) -> Updates:
        """What goes with the step on the right of the viewer: its row, and its download."""
        s, step = self.screen, run.looked_at(result)
        return {
            s.step_png: gr.update(value=str(step.full), label=image_text.download_step(step.index), interactive=True),
            s.table: image_views.table(result, step.index),
        }

    def _ended(
        self, run: ImageRun | None, previous: ImageRun | None, finished: str | None, trouble: str | None
    ) -> Updates:
        """The photos that are finished, to choose from, and why there are not more if there are not."""
        s = self.screen
        if run is None or not run.results:
            updates = s.job.without_result(run, previous, trouble, self._stage)
            return {**updates, s.job.status: updates[s.job.status] + image_views.failures(run)}
        if finished:
            status = views.status(finished, "done", 1.0)
        elif trouble:
            status = views.status(text.NEITHER_LOST.format(trouble=trouble), "error")
        else:
            last, done = run.results[-1], sum(not result.cut for result in run.results)
            status = views.status(image_text.cancelled(done, last.steps[-1].index if last.cut else 0))
        status += image_views.failures(run)
        run.done = True
        return {**self._stage(run), **s.job.resting(status), s.job.state: run}

    def _stage(self, run: ImageRun | None) -> Updates:
        """The photos of a run that has ended, to choose from; without a run, the stage as the page opened."""
        if run is None:
            return self.clear()
        s, results = self.screen, run.results
        choices = [(f"{number}. {result.name}", number - 1) for number, result in enumerate(results, 1)]
        packed = self._packed(run) if len(results) > 1 else None
        return {
            **self._complete(run, results[-1]),
            s.picker: gr.update(choices=choices, value=len(choices) - 1, visible=len(results) > 1),
            s.photos_zip: gr.update(value=packed, visible=packed is not None),
        }

    def _packed(self, run: ImageRun) -> str | None:
        """The ZIP of all photos, None where there is no room for it: the photos are there one by one."""
        try:
            return str(run.pack())
        except OutputError as error:
            gr.Warning(escape(str(error)))
            return None

    def clear(self) -> Updates:
        """The stage as it was when the page opened."""
        s = self.screen
        return {s.welcome: gr.update(visible=True), s.results: gr.update(visible=False), s.viewer: None}
