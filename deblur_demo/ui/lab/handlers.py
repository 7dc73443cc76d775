"""What the blur lab does: a photo is shaken, and a network works on it while the truth is known.

Two jobs on one screen, each with its own run: the shake, and the network's steps. A new shake
throws the steps of the old one away.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from html import escape
from pathlib import Path

import gradio as gr

from deblur_demo.errors import DeblurError, InputError
from deblur_demo.settings import LEVEL, SEED, SHIFT, Setting
from deblur_demo.ui import text, views
from deblur_demo.ui.bench import Bench
from deblur_demo.ui.events import AT_ONCE, EACH, LATEST, Updates
from deblur_demo.ui.examples import Example
from deblur_demo.ui.image import views as image_views
from deblur_demo.ui.image.follow import follow
from deblur_demo.ui.image.plots import quality
from deblur_demo.ui.image.run import ImageRun, Result
from deblur_demo.ui.job import ending
from deblur_demo.ui.knobs import asked
from deblur_demo.ui.lab import text as lab_text
from deblur_demo.ui.lab import views as lab_views
from deblur_demo.ui.lab.layout import LabScreen
from deblur_demo.ui.lab.order import ShakeOrder
from deblur_demo.ui.lab.pad import drawn_points, sheet, strokes
from deblur_demo.ui.lab.run import LabRun
from deblur_demo.ui.order import ImageOrder
from deblur_demo.ui.runs import is_gone

_HIGHEST_LOT = 1_000_000  # of the dice: a number that can be read out
# Another part of the path is exposed, at once and in the browser: what is drawn meanwhile stays.
_EXPOSE = f"(pad, level) => ({{ ...pad, level: Math.min(Math.max(level, {LEVEL.low}), {LEVEL.high}) }})"

# The stage shows the blur of another shake now. Said in the browser, so that no late answer takes the place of what a
# run says that was begun meanwhile.
_WAITING, _SAID = (json.dumps(line) for line in (escape(text.WAITING), views.status(lab_text.OTHER_SHAKE)))
_OTHER_SHAKE = f"""(status) => {{
  const resting = !status.includes('class="status busy"') && !status.includes({_WAITING});
  return resting && document.querySelector("#lab-viewer")?.checkVisibility() ? {_SAID} : status;
}}"""


class LabHandlers:
    """The handlers of one blur lab.

    Args:
        screen: its components.
        bench: where the networks are.
        cache: folder for the files of a run.
        examples: the photos behind ``screen.examples``.
    """

    def __init__(self, screen: LabScreen, bench: Bench, cache: Path, examples: Sequence[Example]):
        self.screen, self.bench, self.cache, self.examples = screen, bench, cache, examples

    def bind(self, page: gr.Blocks) -> None:
        """Connect every event of the screen, and of the page that it is on."""
        s = self.screen
        shaken, steps = s.blurring.state, s.deblurring.state
        stage = [s.viewer, s.table]

        s.knobs.bind(page)
        made = [s.welcome, s.results, s.steps, s.kernel, s.pair, s.recipe, steps, s.deblurring.run, *stage]
        s.blurring.bind(self.blur, [s.photo, *s.shake, steps], made, self.clear)
        made = [s.steps, s.curves, s.steps_zip, shaken, s.blurring.run, *stage]
        s.deblurring.bind(self.deblur, [shaken, *s.knobs.values], made, self.clear_steps)

        lot = [s.pad, s.seed, s.shift, s.level]
        page.load(self.lot, lot, s.pad, **AT_ONCE)
        s.pad.lot(self.throw_dice, [s.pad, *lot[2:]], [s.pad, s.seed], **AT_ONCE)
        s.shift.input(self.lot, lot, s.pad, **LATEST)
        s.seed.input(self.sow, lot, s.pad, **LATEST)
        s.level.input(None, lot[::3], s.pad, js=_EXPOSE, **LATEST)
        for edited in (s.pad.lot, s.pad.drawn, *(knob.input for knob in s.shake[1:])):
            edited(None, s.blurring.status, s.blurring.status, js=_OTHER_SHAKE, **LATEST)
        s.upload.upload(self.repeat, s.upload, [*s.shake, s.upload, s.blurring.status], **AT_ONCE)
        s.examples.select(self.pick_example, outputs=s.photo, **AT_ONCE)
        s.viewer.picked(self.pick_step, [shaken, steps], [s.blurring.status, s.table], **EACH)

    # The photo and its shake

    def pick_example(self, event: gr.SelectData) -> Updates:
        """Take an example."""
        photo, _ = self.examples[event.index].taken(self.cache)
        return {self.screen.photo: photo}

    def lot(self, pad: dict, seed: float | None, shift: float, level: float) -> Updates:
        """Show the path that these numbers draw."""
        from deblur_demo.lab import path_by_lot

        path = path_by_lot(_within(SEED, seed), _within(SHIFT, shift))
        return {self.screen.pad: sheet(path, _within(LEVEL, level), strokes=strokes(pad))}

    def sow(self, pad: dict, seed: float | None, shift: float, level: float) -> Updates:
        """The path of another seed; of one that is drawn, the seed makes the noise alone."""
        return {self.screen.pad: gr.skip()} if drawn_points(pad) else self.lot(pad, seed, shift, level)

    def throw_dice(self, pad: dict, shift: float, level: float) -> Updates:
        """Another path by lot."""
        seed = secrets.randbelow(_HIGHEST_LOT)
        return {self.screen.seed: seed, **self.lot(pad, seed, shift, level)}

    def repeat(self, upload: str) -> Updates:
        """Take every knob from a shake that was exported."""
        from deblur_demo.lab import path_by_lot, read_shake

        s = self.screen
        try:
            shake = read_shake(Path(upload))
        except DeblurError as error:
            gr.Warning(escape(str(error)))
            return {s.upload: None, s.blurring.status: views.status(str(error), "error")}
        path = shake.path or path_by_lot(shake.seed, shake.shift)
        return {
            s.pad: sheet(path, shake.level, drawn=bool(shake.path), strokes=None),
            **{getattr(s, name): getattr(shake, name) for name in ("seed", "shift", "level", "objects", "noise")},
            s.saturation: shake.saturation,
            s.upload: None,
            s.blurring.status: views.status(lab_text.REPEATED),
        }

    # The shake

    def blur(
        self, photo, pad, seed, shift, level, objects, noise, saturation, steps: ImageRun | None, before: LabRun | None
    ) -> Iterator[Updates]:
        """Shake the photo; what was on the stage goes, steps of a network included."""
        s, job, run = self.screen, self.screen.blurring, None
        try:
            with ending() as ended:
                knobs = {"seed": seed, "shift": shift, "level": level, "objects": objects, "noise": noise}
                order = ShakeOrder.of(photo, drawn_points(pad), saturation=saturation, **knobs)
                run = LabRun(self.cache, order.photo.name)
                run.replace(before, steps)
                shaking = views.status(lab_text.SHAKING, "busy", 0.05)
                yield {**job.working(shaking), job.state: run, s.deblurring.run: _off()}
                for share in run.while_wanted(run.make(order.read(), order.shake)):
                    yield {job.status: views.status(lab_text.WRITING, "busy", share)}
                for notice in run.notices:
                    gr.Info(escape(notice))
                stage = {**self._blurred(run), job.state: run, s.deblurring.state: None, **self.clear_steps()}
                run.done = True
                yield stage
            if run is None or not run.done:
                yield {**job.without_result(run, before, ended.trouble, self._blurred), **self._free()}
        finally:
            if run is not None:
                run.end()

    def _blurred(self, run: LabRun | None) -> Updates:
        if run is None:
            return self.clear()
        s = self.screen
        run.on_stage()
        return {
            **self._free(),
            **s.blurring.resting(views.status(lab_text.blurred(run.psnr), "done", 1.0)),
            s.viewer: lab_views.viewer(run),
            s.welcome: gr.update(visible=False),
            s.results: gr.update(visible=True),
            s.kernel: lab_views.kernel(run.kernel, run.notices),
            s.pair: str(run.pair),
            s.recipe: str(run.recipe),
        }

    # The network's steps

    def deblur(self, shaken: LabRun | None, *rest) -> Iterator[Updates]:
        """Deblur what was shaken, telling the page about each tile and how close each step comes to the truth.

        Args:
            shaken: the photo.
            rest: ``Knobs.values``, and the run before or None.
        """
        *knobs, before = rest
        s, job, run = self.screen, self.screen.deblurring, None
        try:
            with ending() as ended:
                if shaken is None or not shaken.kept:
                    raise InputError(*lab_text.NO_BLUR)
                order = ImageOrder.of([str(shaken.blurred)], str(shaken.sharp), keep_metadata=True, **asked(*knobs))
                loading = views.status(text.loading(order.job.model, order.fetched), "busy")
                run = ImageRun(self.cache)
                run.replace(before)
                yield {**job.working(loading), job.state: run, s.blurring.run: _off()}
                deblurrer = self.bench.deblurrer(order.job)
                start = time.monotonic()
                most, _ = order.iterations(deblurrer)
                with closing(follow(run, order, deblurrer)) as story:
                    for news in story:
                        yield self._arrived(shaken, run, most) if isinstance(news, Result) else {job.status: news}
            if run is not None and run.results:
                stage = self._deblurred(shaken, run, time.monotonic() - start, ended.trouble)
                run.done = True
                yield stage
            else:
                stage = partial(self._steps, shaken)
                yield {**job.without_result(run, before, ended.trouble, stage), **self._free()}
        finally:
            if run is not None:
                run.end()

    def _arrived(self, shaken: LabRun, run: ImageRun, most: int) -> Updates:
        """A step of a run that goes on; room is kept for those to come."""
        s, result = self.screen, run.results[-1]
        shaken.touch()
        run.on_stage()
        return {
            s.blurring.state: shaken,  # said anew, as what is said is kept for as long as the cache keeps files
            s.deblurring.state: run,
            s.viewer: lab_views.viewer(shaken, result),
            s.table: image_views.table(result, run.looked_at(result).index),
            s.curves: quality(result.steps, most),
            s.steps: gr.update(visible=True),
            s.steps_zip: gr.update(value=None, interactive=False),
        }

    def _deblurred(self, shaken: LabRun, run: ImageRun, seconds: float, trouble: str | None) -> Updates:
        job, result = self.screen.deblurring, run.results[-1]
        if trouble:
            status = views.status(text.NEITHER_LOST.format(trouble=trouble), "error")
        elif result.cut:
            status = views.status(text.CUT.format(index=result.steps[-1].index))
        else:
            scores = [step.psnr for step in result.steps]
            status = views.status(lab_text.deblurred(seconds, scores), "done", 1.0)
        return {**self._steps(shaken, run), **self._free(), **job.resting(status)}

    # What the stage shows

    def pick_step(self, shaken: LabRun | None, run: ImageRun | None, event: gr.EventData) -> Updates:
        """Follow the viewer: the step on its right is marked in the table."""
        s = self.screen
        if is_gone(shaken):
            return {s.blurring.status: views.status(text.EXPIRED)}
        result = None if run is None else run.chosen(None)
        if result is None or not result.steps:
            return {s.table: gr.skip()}
        if not run.pick(result, int(event.index)):  # a level, or the kernel
            return {s.table: gr.skip()}
        return {s.table: image_views.table(result, run.looked_at(result).index)}

    def _steps(self, shaken: LabRun | None, run: ImageRun | None) -> Updates:
        """The steps of a run that has ended; without a run, what they began with."""
        s = self.screen
        if run is not None:
            result = run.results[-1]
            packed = {s.steps_zip: gr.update(value=str(result.archive), interactive=True)}
            return {**self._arrived(shaken, run, result.steps[-1].index), **packed}
        stage = {s.viewer: lab_views.viewer(shaken)} if shaken is not None and shaken.kept else {}
        return {**stage, **self.clear_steps()}

    def _free(self) -> Updates:
        """Both jobs can be started."""
        return {job.run: gr.update(interactive=True) for job in (self.screen.blurring, self.screen.deblurring)}

    def clear_steps(self) -> Updates:
        """The stage without a network's steps."""
        return {self.screen.steps: gr.update(visible=False)}

    def clear(self) -> Updates:
        """The stage as it was when the page opened."""
        s = self.screen
        stage = {s.welcome: gr.update(visible=True), s.results: gr.update(visible=False), s.viewer: None}
        return {**stage, **self.clear_steps()}


def _off() -> dict:
    return gr.update(interactive=False)


def _within(knob: Setting, value: object) -> float:
    """A value of a knob as its field will have it once the visitor has typed: at the nearest end of the range."""
    number = value if isinstance(value, int | float) else knob.low
    return knob.kind(min(max(number, knob.low), knob.high))
