"""What the image screen offers once a photo is done: an animation of its steps, and a run at half its size."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from deblur_demo.errors import DeblurError
from deblur_demo.ui import text, views
from deblur_demo.ui.events import AT_ONCE, Updates
from deblur_demo.ui.image import text as image_text
from deblur_demo.ui.image.film import film
from deblur_demo.ui.image.half import halved
from deblur_demo.ui.image.layout import ImageScreen
from deblur_demo.ui.image.run import ImageRun

_FETCH = """(file) => {
  if (file) Object.assign(document.createElement("a"), { href: file.url, download: file.orig_name }).click();
  return [];
}"""
_RUN = """() => {
  if (!document.querySelector("#image-status .error")) document.querySelector("#image-run").click();
  return [];
}"""


class Afterwards:
    """The handlers of these offers.

    Args:
        screen: its components.
        cache: folder of uploads.
    """

    def __init__(self, screen: ImageScreen, cache: Path):
        self.screen, self.cache = screen, cache

    def bind(self) -> None:
        """Connect the buttons."""
        s, picked = self.screen, [self.screen.job.state, self.screen.picker]
        for button, suffix in ((s.webp, ".webp"), (s.mp4, ".mp4")):
            making = button.click(self.begin_film, outputs=s.job.status, **AT_ONCE)
            made = making.then(partial(self.make_film, suffix), picked, [s.job.status, s.film], **AT_ONCE)
            made.then(None, s.film, js=_FETCH, **AT_ONCE)
        taken = s.verdict.half(self.take_half, [*picked, s.truth], [s.photos, s.truth, s.job.status], **AT_ONCE)
        taken.then(None, None, js=_RUN, **AT_ONCE)

    def begin_film(self) -> Updates:
        """From the click until the animation is there."""
        return {self.screen.job.status: views.status(image_text.ANIMATING, "busy", 0.5)}

    def make_film(self, suffix: str, run: ImageRun | None, picked: int | None) -> Updates:
        """Make an animation of the photo's steps, for a script of the page to fetch."""
        s = self.screen
        if run is None or not run.kept:
            return {s.job.status: views.status(text.EXPIRED), s.film: None}
        try:
            path = film(run.results[picked or 0], suffix)
        except DeblurError as error:
            return {s.job.status: views.status(str(error), "error"), s.film: None}
        line = image_text.animated(path.name, path.stat().st_size)
        return {s.job.status: views.status(line, "done", 1.0), s.film: str(path)}

    def take_half(self, run: ImageRun | None, picked: int | None, truth: str | None) -> Updates:
        """Take a copy of half the size in the photo's place, for a script of the page to run."""
        s = self.screen
        if run is None or not run.kept:
            return {s.job.status: views.status(text.EXPIRED, "error")}
        try:
            photo, truth = halved(run.results[picked or 0], truth, self.cache)
        except DeblurError as error:
            return {s.job.status: views.status(str(error), "error")}
        return {s.photos: [photo], s.truth: truth, s.job.status: views.status(image_text.HALVED)}
