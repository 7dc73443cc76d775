"""What the compare screen does: one photo goes through several networks, the viewer gets what each makes of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from deblur_demo import settings
from deblur_demo.errors import CheckpointError, OutputError
from deblur_demo.ui import knobs, preset, text, views
from deblur_demo.ui.bench import Bench
from deblur_demo.ui.compare import text as compare_text
from deblur_demo.ui.compare import views as compare_views
from deblur_demo.ui.compare.contest import Progress, Trouble, compete
from deblur_demo.ui.compare.layout import CompareScreen
from deblur_demo.ui.compare.order import CompareOrder, results_of
from deblur_demo.ui.compare.run import CompareRun
from deblur_demo.ui.events import AT_ONCE, LATEST, Updates
from deblur_demo.ui.examples import Example, is_reference
from deblur_demo.ui.job import ending

if TYPE_CHECKING:
    from deblur_demo.ui.shelf import OwnWeights

_CLASSICS = ("wiener", "richardson-lucy")


class CompareHandlers:
    """The handlers of one compare screen.

    Args:
        screen: its components.
        bench: where the networks are.
        cache: folder for the files of a run.
        examples: the photos behind ``screen.examples``.
    """

    def __init__(self, screen: CompareScreen, bench: Bench, cache: Path, examples: Sequence[Example]):
        self.screen, self.bench, self.cache, self.examples = screen, bench, cache, examples

    def bind(self, page: gr.Blocks) -> None:
        """Connect every event of the screen, and of the page that it is on."""
        s = self.screen

        s.job.bind(self.run, s.asked, [s.welcome, s.results, s.viewer, s.archive, s.table], self.clear)
        filled = [*s.asked[2:], s.planned]
        page.load(self.offer_models, [s.iterations, s.sizes], filled, **AT_ONCE)
        ticked = [
            s.models.change,
            s.iterations.input,
            s.sizes.input,
        ]  # weights that are put away take their ticks along
        gr.on(ticked, self.plan, s.ticks, s.planned, **LATEST)
        s.examples.select(self.pick_example, outputs=[s.photo, s.truth], **AT_ONCE)
        gr.on([s.photo.upload, s.photo.clear], self.change_photo, s.truth, s.truth, **AT_ONCE)

    # The input

    def offer_models(
        self, iterations: Sequence[int], sizes: Sequence[str], request: gr.Request | None = None
    ) -> Updates:
        """Fill in the networks that run, and tick what the page's address names.

        Ticked else are the network for this machine, and always the classic filters.
        """
        s, offered = self.screen, knobs.choices(ready=True)
        linked = dict(preset.Preset.of_link(request, "compare").values)
        models = list(dict.fromkeys((linked.pop("model", offered[0][1]), *_CLASSICS)))
        ticks = {}
        if (number := linked.pop("iterations", "auto")) != "auto":  # here every result has its number
            ticks[s.iterations] = iterations = [number]
        if size := linked.pop("size", None):
            ticks[s.sizes] = sizes = [size]
        return {
            s.models: gr.update(choices=offered, value=models),
            **ticks,
            **{getattr(s, name): str(value) for name, value in linked.items()},
            **self.plan(models, iterations, sizes),
        }

    def offer_own(self, own: Sequence[OwnWeights], ticked: Sequence[str]) -> Updates:
        """Offer what the visitor has brought, too; ticks stay where they are, but those of weights that are gone."""
        offered = knobs.choices(own, ready=True)
        values = [value for _, value in offered]
        kept = [value for value in ticked if value in values]
        gone = {"value": kept} if len(kept) < len(ticked) else {}
        return {self.screen.models: gr.update(choices=offered, **gone)}

    def plan(self, models: Sequence[str], iterations: Sequence[int], sizes: Sequence[str]) -> Updates:
        """Say how many results the ticks make."""
        try:
            count = results_of(models, iterations, sizes)
        except CheckpointError as error:  # weights of the visitor's own that are gone
            return {self.screen.planned: escape(str(error))}
        return {self.screen.planned: compare_text.planned(count, settings.MAX_CONTENDERS.current())}

    def pick_example(self, event: gr.SelectData) -> Updates:
        """Take an example, with its sharp reference where there is one."""
        photo, truth = self.examples[event.index].taken(self.cache)
        return {self.screen.photo: photo, self.screen.truth: truth}

    def change_photo(self, truth: str | None) -> Updates:
        """An example's reference goes with the example; a visitor's own stays."""
        return {self.screen.truth: None if is_reference(truth, self.examples) else gr.skip()}

    # A run

    def run(
        self, photo, truth, models, iterations, sizes, precision, tile, ensemble, previous: CompareRun | None
    ) -> Iterator[Updates]:
        """Run one network after the other, telling the page about each tile and each result.

        Trouble with one does not stop the others. However it ends, cancelled included, results
        that are finished are kept.
        """
        job, run = self.screen.job, None
        start = time.monotonic()
        try:
            with ending() as ended:
                order = CompareOrder.of(
                    photo, truth, models, iterations, sizes, precision=precision, tile=tile, ensemble=ensemble
                )
                yield job.working(views.status(text.loading(order.entrants[0].name, order.entrants[0].fetched), "busy"))
                run = CompareRun(self.cache, order.photo, order.results)
                run.replace(previous)
                yield {job.state: run}
                yield from self._compare(run, order)
            if run is not None:
                run.elapsed = time.monotonic() - start
            yield self._finished(run, previous, ended.trouble)
        finally:
            if run is not None:
                run.end()

    def _compare(self, run: CompareRun, order: CompareOrder) -> Iterator[Updates]:
        for news in compete(run, order, self.bench):
            if isinstance(news, Progress):
                yield {self.screen.job.status: views.status(news.line, "busy", news.fraction)}
            elif isinstance(news, Trouble):
                gr.Warning(escape(news.line))
            else:
                yield self._arrived(run)

    # What the stage shows

    def _arrived(self, run: CompareRun) -> Updates:
        """The results so far; room is reserved for those to come."""
        s = self.screen
        run.on_stage()
        return {
            s.job.state: run,  # said anew, as what is said is kept for as long as the cache keeps files
            s.welcome: gr.update(visible=False),
            s.results: gr.update(visible=True),
            s.viewer: compare_views.viewer(run),
            s.table: compare_views.table(run),
            s.archive: gr.update(value=None, interactive=False),
        }

    def _finished(self, run: CompareRun | None, previous: CompareRun | None, trouble: str | None) -> Updates:
        """What there is to keep, and why it is not more if it is not."""
        s = self.screen
        if run is None or not run.results:
            return s.job.without_result(run, previous, trouble, self._stage)
        done, count = len(run.results), len(run.expected)
        cancelled = not run.complete and not trouble
        try:
            run.pack()
        except OutputError as error:  # the results are there one by one
            gr.Warning(escape(str(error)))
        if trouble:
            status = views.status(text.NEITHER_LOST.format(trouble=trouble), "error")
        elif cancelled:
            status = views.status(compare_text.kept(done, count), "idle", done / count)
        else:
            status = views.status(compare_text.finished(done, run.elapsed), "done", 1.0)
        return {**self._stage(run), **s.job.resting(status)}

    def _stage(self, run: CompareRun | None) -> Updates:
        """The results of a run that has ended; without a run, the stage as the page opened."""
        if run is None:
            return self.clear()
        packed = gr.update(value=run.archive and str(run.archive), interactive=run.archive is not None)
        return {**self._arrived(run), self.screen.archive: packed}

    def clear(self) -> Updates:
        """The stage as it was when the page opened."""
        s = self.screen
        return {s.welcome: gr.update(visible=True), s.results: gr.update(visible=False), s.viewer: None}
