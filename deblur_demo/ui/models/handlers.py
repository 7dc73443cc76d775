"""What the models screen does: it shows every model, and puts a visitor's own weights into that visitor's pickers."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from html import escape
from threading import Lock

import gradio as gr

from deblur_demo.errors import DeblurError
from deblur_demo.ui import shelf, text, views
from deblur_demo.ui.bench import DEVICE_QUEUE, Bench
from deblur_demo.ui.compare.handlers import CompareHandlers
from deblur_demo.ui.events import AT_ONCE, PRIVATE, Updates
from deblur_demo.ui.knobs import Knobs
from deblur_demo.ui.models import text as models_text
from deblur_demo.ui.models import views as models_views
from deblur_demo.ui.models.layout import ModelsScreen
from deblur_demo.ui.runs import expire
from deblur_demo.ui.shelf import OwnWeights

_log = logging.getLogger(__name__)


class ModelsHandlers:
    """The handlers of one models screen.

    Args:
        screen: its components.
        bench: where the networks are.
        knobs: of the screens with a model picker.
        comparing: of the compare screen, which has ticks instead.
    """

    def __init__(self, screen: ModelsScreen, bench: Bench, knobs: Sequence[Knobs], comparing: CompareHandlers):
        self.screen, self.bench, self.knobs, self.comparing = screen, bench, knobs, comparing
        self._counting, self._looking = Lock(), Lock()

    def bind(self, tab: gr.Tab) -> None:
        """Connect every event of the screen, and of the tab that it is in."""
        s = self.screen
        chosen = [*(part for knobs in self.knobs for part in (knobs.model, knobs.auto)), self.comparing.screen.models]
        pickers = [*(part for knobs in self.knobs for part in knobs.offered), self.comparing.screen.models]
        shown = [s.own, s.loaded, s.unload, s.cards, s.memory, s.status, *pickers]
        wanted, seen = [s.own, s.which], [s.cards, s.memory]

        for event in (tab.select, s.which.input):
            looked = event(self.look, wanted, seen, **AT_ONCE)
            counted = looked.then(self.count, wanted, **AT_ONCE)
            # Looks again, at what is wanted by then.
            counted.then(self.look, wanted, seen, **AT_ONCE)
        # Weights are large and come to the device's memory, so they wait for their turn like any job.
        loaded = gr.on(
            [s.load.click, s.address.submit],
            self.load,
            [s.files, s.address, s.own, s.which, *chosen],
            [s.files, s.address, s.load, *shown],
            show_progress="minimal",
            show_progress_on=s.status,
            **PRIVATE,
            **DEVICE_QUEUE,
        )
        unloaded = s.unload.click(self.unload, [s.loaded, s.own, s.which, *chosen], shown, **AT_ONCE)
        # Who looked a moment before has not seen it, and may have the later word.
        for changed in (loaded, unloaded):
            changed.then(self.look, wanted, seen, **AT_ONCE)

    # Looking

    def look(self, own: Sequence[OwnWeights], everything: bool) -> Updates:
        """Show the cards, and what is in memory now; who asks later is answered later."""
        from deblur_demo.runtime import device

        with self._looking:
            used = device.used_memory()
            free = device.free_memory(device.place().device)
            memory = models_views.memory(used, free, self.bench.loaded(), own)
            cards = models_views.cards(models_views.entries(own, everything))
        return {self.screen.cards: cards, self.screen.memory: memory}

    def count(self, own: Sequence[OwnWeights], everything: bool) -> None:
        """Count the operations of what is shown, which takes a while the first time."""
        from deblur_demo import catalogue

        with self._counting:
            for entry in models_views.entries(own, everything):
                catalogue.gmacs(entry.row["id"])

    # Coming and going

    def load(
        self, files: list[str], address: str, own: Sequence[OwnWeights], everything: bool, *chosen: object
    ) -> Iterator[Updates]:
        """Check weights and put them into this visitor's pickers."""
        s = self.screen
        yield {s.status: views.status(models_text.CHECKING, "busy"), s.load: gr.update(interactive=False)}
        try:
            brought = shelf.load(files, address, own)
            updates = {
                **self._offer((*own, brought), everything, chosen),
                s.files: None,
                s.address: "",
                s.status: views.status(models_text.loaded(brought.name), "done", 1.0),
            }
        except DeblurError as error:
            gr.Warning(escape(str(error)))
            updates = {s.status: views.status(str(error), "error")}
        except Exception:
            _log.exception("loading weights failed")
            updates = {s.status: views.status(text.UNEXPECTED, "error")}
        yield {**updates, s.load: gr.update(interactive=True)}

    def unload(self, choice: str, own: Sequence[OwnWeights], everything: bool, *chosen: object) -> Updates:
        """Delete some of the visitor's weights; pickers that are set to them go back to what is here."""
        gone = [weights for weights in own if weights.choice == choice]
        for weights in gone:
            self.bench.forget(weights.weights)
            expire(weights)
        updates = self._offer([weights for weights in own if weights not in gone], everything, chosen)
        line = models_text.unloaded(gone[0].name) if gone else text.READY
        return {**updates, self.screen.status: views.status(line)}

    def _offer(self, own: Sequence[OwnWeights], everything: bool, chosen: Sequence[object]) -> Updates:
        """The same weights everywhere: on this screen and in every picker."""
        s, own = self.screen, tuple(weights for weights in own if weights.kept)
        names = [(text.own_choice(weights.name, weights.model), weights.choice) for weights in own]
        updates = {
            s.own: own,
            s.loaded: gr.update(choices=names, value=names[-1][1] if names else None, visible=bool(names)),
            s.unload: gr.update(visible=bool(names)),
            **self.look(own, everything),
        }
        *pairs, ticked = chosen
        for number, knobs in enumerate(self.knobs):
            model, auto = pairs[2 * number : 2 * number + 2]
            updates |= knobs.offer(own, model, auto)
        return {**updates, **self.comparing.offer_own(own, ticked)}
