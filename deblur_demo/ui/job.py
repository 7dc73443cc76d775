"""One job at a time on a screen: its buttons, its status line, and how it is cancelled."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape

import gradio as gr

from deblur_demo.errors import DeblurError
from deblur_demo.ui import text, views
from deblur_demo.ui.bench import DEVICE_QUEUE
from deblur_demo.ui.events import AT_ONCE, PRIVATE, Updates
from deblur_demo.ui.runs import Cancelled, Run, expire

_log = logging.getLogger(__name__)

# On a phone the stage is below the settings. It fills the window, so that there is page enough to bring it to the top.
_SCROLL_TO_STAGE = """() => {
  const [status, phone] = [document.querySelector("#%s-status"), window.innerWidth < 768];
  if (phone) status.parentElement.style.minHeight = "100vh";
  const { top, bottom } = status.getBoundingClientRect();
  // Not by scrollIntoView, from where the Tab key would go on; Cancel comes next.
  window.scrollBy(0, phone ? top - 12 : Math.min(top - 12, 0) || Math.max(bottom - window.innerHeight, 0));
  return [];
}"""


@dataclass
class Ending:
    """How a run came to its end.

    Attributes:
        trouble: what went wrong, in a line; None where nothing did, or the visitor cancelled.
    """

    trouble: str | None = None


@contextmanager
def ending() -> Iterator[Ending]:
    """Around the work of a run: what ends it early is told to the visitor, and goes no farther."""
    end = Ending()
    try:
        yield end
    except Cancelled as wish:
        end.trouble = str(wish) or None
    except DeblurError as error:
        gr.Warning(escape(str(error)))
        end.trouble = str(error)
    except Exception:
        _log.exception("a run failed")
        end.trouble = text.UNEXPECTED


@dataclass(frozen=True)
class JobControls:
    """Run and Cancel, the status line, and the run whose results are on the stage."""

    screen: str
    state: gr.State
    obeyed: gr.State  # whether a run stopped when it was asked to
    run: gr.Button
    cancel: gr.Button
    status: gr.HTML

    def bind(
        self,
        work: Callable,
        inputs: Sequence[gr.components.Component],
        outputs: Sequence[gr.components.Component],
        clear: Callable[[], Updates],
    ) -> None:
        """Connect the buttons.

        Args:
            work: a generator of updates. It takes ``inputs`` and the ``Run`` before (or None), tells
                ``state`` of its own run as soon as there is one, yields often, lets
                ``Run.while_wanted`` end it, says last what became of it, and calls ``Run.end``.
            inputs, outputs: components that it reads and writes besides these controls.
            clear: updates that empty the stage.
        """
        mine = [self.state, self.status, self.run, self.cancel]

        def cancelled(run: Run | None, obeyed: bool) -> Updates:
            if obeyed:
                return {self.status: gr.skip()}  # it has had the last word itself
            # It never got its turn, or was done before it heard. What is on the stage stays, unless it was deleted.
            if run is not None and run.kept:
                return self.resting(views.status(text.CANCELLED_STAYS, "idle"))
            updates = self.resting(views.status(text.CANCELLED, "idle"))
            return updates if run is None else {**updates, self.state: None, **clear()}

        async def stopped(run: Run | None) -> bool:
            return run is not None and await run.stop()

        def waiting() -> Updates:
            return {self.status: views.status(text.WAITING), self.cancel: gr.update(interactive=True)}

        # The library starts listeners one after the other, so this one must come first: waiting can be cancelled, too.
        scroll = _SCROLL_TO_STAGE % self.screen
        self.run.click(waiting, outputs=[self.status, self.cancel], js=scroll, **AT_ONCE)
        job = self.run.click(
            work,
            [*inputs, self.state],
            [*mine, *outputs],
            show_progress="minimal",  # the place in the queue, until it is this visitor's turn
            show_progress_on=self.status,
            **PRIVATE,
            **DEVICE_QUEUE,
        )
        job.failure(self.refused, self.status, mine[1:], **AT_ONCE)
        # A run that goes on is asked to stop, and comes to its end as it likes. What is left of
        # it then, a place in the queue, is taken away.
        self.cancel.click(self.stopping, outputs=[self.status, self.cancel], **AT_ONCE)
        asked = self.cancel.click(stopped, self.state, self.obeyed, **AT_ONCE)
        ended = asked.then(None, cancels=[job], **AT_ONCE)
        ended.then(cancelled, [self.state, self.obeyed], [*mine, *outputs], **AT_ONCE)

    def refused(self, status: str) -> Updates:
        """After a job that the queue did not take, or that broke off; a cancelled one comes by here, too."""
        if text.WAITING in status:
            return self.resting(views.status(text.REFUSED, "error"))
        if views.is_busy(status) and text.STOPPING not in status:
            return self.resting(views.status(text.UNEXPECTED, "error"))
        return {self.status: gr.skip()}

    def stopping(self) -> Updates:
        """From the click until the tile at hand is done."""
        return {self.status: views.status(text.STOPPING, "busy"), self.cancel: gr.update(interactive=False)}

    def working(self, status: str) -> Updates:
        return {self.status: status, self.run: gr.update(interactive=False), self.cancel: gr.update(interactive=True)}

    def resting(self, status: str) -> Updates:
        return {self.status: status, self.run: gr.update(interactive=True), self.cancel: gr.update(interactive=False)}

    def without_result(
        self, run: Run | None, previous: Run | None, trouble: str | None, stage: Callable[[Run | None], Updates]
    ) -> Updates:
        """After a run that has nothing to keep: the stage is as it was before.

        Args:
            run: None if it did not even begin.
            previous: the run before.
            trouble: why there is nothing; None: it was cancelled.
            stage: updates that show a run that has ended; of None, those that empty the stage.
        """
        updates = self.resting(views.status(trouble, "error") if trouble else views.status(text.CANCELLED))
        if run is None:
            return updates
        if not run.staged:
            return {**updates, self.state: previous}
        back = previous if previous is not None and previous.kept else None
        return {**stage(back), **updates, self.state: back}


def place_states(hours: float) -> dict[str, gr.State]:
    """Where a screen keeps its last run, for as long as the cache keeps its files."""
    return {"state": gr.State(time_to_live=hours * 3600, delete_callback=expire), "obeyed": gr.State(False)}


def place_buttons(screen: str, label: str = text.RUN) -> dict[str, gr.components.Component]:
    with gr.Row():
        run = gr.Button(label, variant="primary", scale=3, min_width=120, elem_id=f"{screen}-run")
        cancel = gr.Button(text.CANCEL, interactive=False, scale=1, min_width=90, elem_id=f"{screen}-cancel")
    return {"run": run, "cancel": cancel}


def place_status(screen: str) -> gr.HTML:
    return gr.HTML(views.status(text.READY), elem_id=f"{screen}-status", elem_classes="status-line")
