"""What the image screen offers once a photo is done: an animation of its steps, and a run as a tip says."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import gradio as gr

from deblur_demo.errors import DeblurError
from deblur_demo.settings import SIZE
from deblur_demo.ui import preset, text, views
from deblur_demo.ui.events import AT_ONCE, Updates
from deblur_demo.ui.image import text as image_text
from deblur_demo.ui.image import views as image_views
from deblur_demo.ui.image.film import film
from deblur_demo.ui.image.layout import ImageScreen
from deblur_demo.ui.image.run import ImageRun
from deblur_demo.ui.runs import is_gone

_FETCH = """(file) => {
  if (file) Object.assign(document.createElement("a"), { href: file.url, download: file.orig_name }).click();
  return [];
}"""
_RUN = """() => {
  if (!document.querySelector("#image-status .status.error")) document.querySelector("#image-run").click();
  return [];
}"""


class Afterwards:
    """The handlers of these offers.

    Args:
        screen: its components.
    """

    def __init__(self, screen: ImageScreen):
        self.screen = screen

    def bind(self) -> None:
        """Connect the buttons."""
        s, picked = self.screen, [self.screen.job.state, self.screen.picker]
        for button, suffix in ((s.webp, ".webp"), (s.mp4, ".mp4")):
            making = button.click(self.begin_film, s.job.state, s.job.status, **AT_ONCE)
            made = making.then(partial(self.make_film, suffix), picked, [s.job.status, s.film], **AT_ONCE)
            made.then(None, s.film, js=_FETCH, **AT_ONCE)
        wanted = [*s.knobs.offered, s.knobs.size, s.job.status]
        taken = s.verdict.tip(self.take_tip, [*picked, s.photos, s.knobs.auto], wanted, **AT_ONCE)
        taken.then(None, None, js=_RUN, **AT_ONCE)  # a tip is for one photo, so the browser does not remember it

    def begin_film(self, run: ImageRun | None) -> Updates:
        """From the click until the animation is there."""
        status = views.status(image_text.ANIMATING, "busy", 0.5)
        return {self.screen.job.status: status + image_views.failures(run)}

    def make_film(self, suffix: str, run: ImageRun | None, picked: int | None) -> Updates:
        """Make an animation of the photo's steps, for a script of the page to fetch."""
        s = self.screen
        if is_gone(run):
            return {s.job.status: views.status(text.EXPIRED), s.film: None}
        if not run.ended:  # what was to become a film is about to go, and the next run has the word
            return {s.job.status: gr.skip(), s.film: None}
        try:
            path = film(run.chosen(picked), suffix)
        except DeblurError as error:
            return {s.job.status: views.status(str(error), "error") + image_views.failures(run), s.film: None}
        status = views.status(image_text.animated(path.name, path.stat().st_size), "done", 1.0)
        return {s.job.status: status + image_views.failures(run), s.film: str(path)}

    def take_tip(
        self, run: ImageRun | None, picked: int | None, photos: Sequence[str] | None, auto: bool, event: gr.EventData
    ) -> Updates:
        """Set the model or the size that a tip names, for a script of the page to run the photo with."""
        s = self.screen
        if is_gone(run):
            return {s.job.status: views.status(text.EXPIRED, "error")}
        if not run.ended:
            return {s.job.status: gr.skip()}
        name = run.chosen(picked).name
        if [Path(photo).name for photo in photos or ()] != [name]:
            return {s.job.status: views.status(image_text.OTHER_PHOTO.format(name=name), "error")}
        tip = preset.Preset.of({event.knob: event.value}, ("model", "size"))
        if tip.refused:
            return {s.job.status: views.status(tip.refused[0], "error")}
        model = tip.values.get("model")
        chosen = {} if model is None else {s.knobs.model: model, **s.knobs.pick_model(model, auto)}
        return {s.job.status: views.status(text.READY), s.knobs.size: tip.values.get("size", SIZE.default), **chosen}
