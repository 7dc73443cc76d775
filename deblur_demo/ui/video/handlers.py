"""What the video screen does: a clip is looked at, its frames go through the network, the player gets both."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr
from gradio.processing_utils import save_file_to_cache

from deblur_demo.errors import DeblurError
from deblur_demo.ui import text, views
from deblur_demo.ui.bench import Bench
from deblur_demo.ui.events import AT_ONCE, Updates
from deblur_demo.ui.examples import ExampleClip
from deblur_demo.ui.job import ending
from deblur_demo.ui.knobs import asked
from deblur_demo.ui.order import ClipOrder
from deblur_demo.ui.pace import ClipPace
from deblur_demo.ui.runs import is_gone
from deblur_demo.ui.video import player
from deblur_demo.ui.video import text as video_text
from deblur_demo.ui.video import views as video_views
from deblur_demo.ui.video.layout import VideoScreen
from deblur_demo.ui.video.run import VideoRun

if TYPE_CHECKING:
    from deblur_demo.clips import FrameReport
    from deblur_demo.runtime.deblurrer import Deblurrer

_BETWEEN_PICTURES = 1.0  # seconds; a GPU is faster than a page can show, and a visitor's line slower
_BETWEEN_LINES = 0.2


class VideoHandlers:
    """The handlers of one video screen.

    Args:
        screen: its components.
        bench: where the networks are.
        cache: folder for the files of a run.
        examples: the clips behind ``screen.examples``.
    """

    def __init__(self, screen: VideoScreen, bench: Bench, cache: Path, examples: Sequence[ExampleClip]):
        self.screen, self.bench, self.cache, self.examples = screen, bench, cache, examples

    def bind(self, page: gr.Blocks) -> None:
        """Connect every event of the screen, and of the page that it is on."""
        s = self.screen
        stage = [s.welcome, s.live, s.player, s.results, s.download, s.curve, s.figures]

        s.knobs.bind(page)
        inputs = [s.clip, s.start, s.end, s.codec, s.crf, *s.knobs.values]
        s.job.bind(self.deblur, inputs, stage, self.clear)

        looked = [s.about, s.start, s.end, s.job.status, *stage]
        s.clip.upload(self.look, [s.clip, s.job.state], looked, **AT_ONCE)
        s.examples.select(self.pick_example, s.job.state, [s.clip, *looked], **AT_ONCE)
        s.clip.clear(self.forget, s.job.state, looked, **AT_ONCE)
        s.player.first(self.begin_here, outputs=s.start, **AT_ONCE)
        s.player.last(self.end_here, outputs=s.end, **AT_ONCE)

    # The input

    def look(self, clip: str, run: VideoRun | None) -> Updates:
        """Say what the clip is and show it; a run that goes on keeps the stage, one that has ended its download."""
        from deblur_demo.media.clip import probe

        s = self.screen
        try:
            info = probe(Path(clip))
        except DeblurError as error:
            return {**self.forget(run), s.job.status: views.status(str(error), "error")}
        about = video_text.about_clip(
            info.width, info.height, info.seconds, info.frames, float(info.rate), bool(info.sounds), info.notices
        )
        updates = {s.about: about, s.start: 0, s.end: None}
        if run is None or run.ended:
            shown = gr.update(value=player.source_alone(info, Path(clip)), visible=True)
            kept = not is_gone(run)
            updates |= {s.player: shown, s.welcome: gr.update(visible=False), s.results: gr.update(visible=kept)}
            updates |= {s.job.status: views.status(text.READY)}
            if kept:
                label = video_text.DOWNLOAD_EARLIER.format(name=run.target.name)
                updates |= {s.download: gr.update(label=label)}
                updates |= {part: gr.update(visible=False) for part in (s.curve, s.figures)}
        return updates

    def pick_example(self, run: VideoRun | None, event: gr.SelectData) -> Updates:
        """Take an example as if it had been dropped."""
        clip = save_file_to_cache(self.examples[event.index].clip, str(self.cache))
        return {self.screen.clip: clip, **self.look(clip, run)}

    def forget(self, run: VideoRun | None) -> Updates:
        """The clip has been taken away; what was made of one stays."""
        s = self.screen
        updates = {s.about: "", s.start: 0, s.end: None}
        if run is None or run.ended:
            updates |= {s.job.status: views.status(text.READY), **self._stage(None if is_gone(run) else run)}
        return updates

    def begin_here(self, event: gr.EventData) -> Updates:
        """Take the part from the frame on that the player shows."""
        return {self.screen.start: _earlier(event.seconds)}

    def end_here(self, event: gr.EventData) -> Updates:
        """Take the part up to the frame that the player shows."""
        return {self.screen.end: _earlier(event.seconds)}

    # A run

    def deblur(self, clip, start, end, codec, crf, *rest) -> Iterator[Updates]:
        """Deblur a clip, telling the page about every frame.

        Cancelled or in trouble, the frames that are finished are kept as a playable file; if the page
        was closed, nobody would fetch them.

        Args:
            clip, start, end, codec, crf: as the page has them.
            rest: ``Knobs.values``, and the run before or None.
        """
        *knobs, previous = rest
        job, run = self.screen.job, None
        try:
            with ending() as ended:
                order = ClipOrder.of(clip, start, end, codec, crf, **asked(*knobs))
                yield job.working(views.status(text.loading(order.job.model, order.fetched), "busy"))
                deblurrer = self.bench.deblurrer(order.job)
                run = VideoRun(self.cache, order.clip.source, trimmed=order.clip.start > 0)
                run.replace(previous)
                yield {job.state: run}
                with closing(self._deblur(run, order, deblurrer)) as updates:
                    yield from updates
            yield self._finished(run, previous, ended.trouble)
        finally:
            if run is not None:
                run.end()

    def _deblur(self, run: VideoRun, order: ClipOrder, deblurrer: Deblurrer) -> Iterator[Updates]:
        from deblur_demo import clips

        work = self.bench.deblur_clip(order.to(run.source, run.target), order.job)
        most, last = order.iterations(deblurrer)
        pace, told, shown = ClipPace(None, most), 0.0, 0.0
        with closing(run.while_wanted(work)) as events:
            for event in events:
                run.note(event)
                where = ""
                if isinstance(event, clips.Begun):
                    pace = ClipPace(event.frames, most)
                    for notice in event.info.notices:
                        gr.Info(escape(notice))
                elif isinstance(event, clips.FrameReport):
                    pace.frame()
                    if time.monotonic() - shown >= _BETWEEN_PICTURES:
                        shown = time.monotonic()
                        yield self._arrived(run, event)
                elif not isinstance(event, clips.ClipReport):
                    pace.tile(event)
                    where = text.running(event.index, last, event.tile, event.tiles) if most * event.tiles > 1 else ""
                if time.monotonic() - told >= _BETWEEN_LINES:
                    told = time.monotonic()
                    line = video_text.filming(pace.done, pace.frames, pace.rate, pace.remaining, where)
                    yield {self.screen.job.status: views.status(line, "busy", pace.fraction)}

    # What the stage shows

    def _arrived(self, run: VideoRun, report: FrameReport) -> Updates:
        """The newest frame."""
        s = self.screen
        run.on_stage()
        pair = tuple(map(str, run.preview(report)))
        label = video_text.NEWEST.format(number=report.index + 1)
        return {
            s.job.state: run,  # said again, because the library forgets a state after a while
            s.live: gr.update(value=pair, label=label, visible=True),
            s.player: gr.update(value=None, visible=False),
            **{part: gr.update(visible=False) for part in (s.welcome, s.results)},
        }

    def _finished(self, run: VideoRun | None, previous: VideoRun | None, trouble: str | None) -> Updates:
        """What there is to keep, in the player and for download, and why it is not more if it is not."""
        s = self.screen
        if run is None or not run.settle():
            return s.job.without_result(run, previous, trouble, self._stage)
        count, expected = len(run.frames), run.begun.frames
        if not run.partial:
            status = views.status(video_text.filmed(count, run.elapsed), "done", 1.0)
        elif trouble:
            status = views.status(text.NEITHER_LOST.format(trouble=trouble), "error")
        else:
            status = views.status(video_text.kept(count, expected), "idle", count / expected if expected else 0.0)
        return {**self._stage(run), **s.job.resting(status), s.job.state: run}

    def _stage(self, run: VideoRun | None) -> Updates:
        """What a run that has ended has to keep; without a run, the stage as the page opened."""
        if run is None:
            return self.clear()
        s = self.screen
        both = player.source_and_result(run.begun.info, run.source, run.target, run.times, run.offset)
        return {
            s.live: gr.update(value=None, visible=False),
            s.welcome: gr.update(visible=False),
            s.player: gr.update(value=both, visible=True),
            s.results: gr.update(visible=True),
            s.download: gr.update(
                value=str(run.target), label=video_text.DOWNLOAD_PART if run.partial else video_text.DOWNLOAD_CLIP
            ),
            s.curve: gr.update(value=video_views.curve(run), visible=True),
            s.figures: gr.update(value=video_views.figures(run), visible=True),
        }

    def clear(self) -> Updates:
        """The stage as it was when the page opened."""
        s = self.screen
        empty = {part: gr.update(value=None, visible=False) for part in (s.live, s.player)}
        return {s.welcome: gr.update(visible=True), s.results: gr.update(visible=False), **empty}


def _earlier(seconds: float) -> float:
    """A frame's time in whole milliseconds, never after it: a part begins with it, or ends before it."""
    return math.floor(float(seconds) * 1000) / 1000
