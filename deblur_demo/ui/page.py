"""The page: a tab for each screen, and the API."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import gradio as gr
from gradio.utils import get_upload_folder

from deblur_demo import settings
from deblur_demo.errors import SettingError
from deblur_demo.ui import examples, preset, text, views, visitors
from deblur_demo.ui.bench import Bench
from deblur_demo.ui.compare import api as compare_api
from deblur_demo.ui.compare import layout as compare_layout
from deblur_demo.ui.compare import text as compare_text
from deblur_demo.ui.compare.handlers import CompareHandlers
from deblur_demo.ui.door import Page
from deblur_demo.ui.events import AT_ONCE
from deblur_demo.ui.image import api as image_api
from deblur_demo.ui.image import layout as image_layout
from deblur_demo.ui.image.handlers import ImageHandlers
from deblur_demo.ui.lab import api as lab_api
from deblur_demo.ui.lab import layout as lab_layout
from deblur_demo.ui.lab import text as lab_text
from deblur_demo.ui.lab.handlers import LabHandlers
from deblur_demo.ui.models import api as models_api
from deblur_demo.ui.models import layout as models_layout
from deblur_demo.ui.models import text as models_text
from deblur_demo.ui.models.handlers import ModelsHandlers
from deblur_demo.ui.video import api as video_api
from deblur_demo.ui.video import layout as video_layout
from deblur_demo.ui.video.handlers import VideoHandlers

SCREENS = ("image", "video", "compare", "lab", "models")  # as a link names them


def build() -> Page:
    """Build the whole page with its API; nothing is loaded and no port is opened.

    Raises:
        SettingError: an environment variable holds a value that its setting refuses.
    """
    hours, never = settings.CACHE_HOURS.current(), 10 * 365 * 86_400
    bench, cache = Bench(), Path(get_upload_folder())
    # The library deletes all files of a server that ends; while it runs, ``runs.sweep`` knows better what is in use.
    with Page(title=text.NAME, analytics_enabled=False, delete_cache=(never, never), fill_width=True) as page:
        # The queue is the only way to the device: direct calls that would step past it are closed. It comes
        # first, because the library describes the whole page once more whenever one is set.
        page.queue(max_size=settings.QUEUE_LENGTH.current(), api_open=False)
        gr.HTML(views.header(), elem_id="header", elem_classes="bare")
        with gr.Tabs(elem_id="screens") as tabs:
            with gr.Tab(text.IMAGE_SCREEN, id="image"):
                image = ImageHandlers(image_layout.place(hours), bench, cache, examples.BLURRED)
                image.bind(page)
            with gr.Tab(text.VIDEO_SCREEN, id="video"):
                video = VideoHandlers(video_layout.place(hours), bench, cache, examples.CLIPS)
                video.bind(page)
            with gr.Tab(compare_text.SCREEN, id="compare"):
                compare = CompareHandlers(compare_layout.place(hours), bench, cache, examples.BLURRED)
                compare.bind(page)
            with gr.Tab(lab_text.SCREEN, id="lab"):
                lab = LabHandlers(lab_layout.place(hours), bench, cache, examples.SHARP)
                lab.bind(page)
            with gr.Tab(models_text.SCREEN, id="models") as tab:
                knobs = [handlers.screen.knobs for handlers in (image, video, lab)]
                ModelsHandlers(models_layout.place(hours), bench, knobs, compare).bind(tab)
        status = {
            "image": image.screen.job.status, "video": video.screen.job.status,
            "compare": compare.screen.job.status, "lab": lab.screen.blurring.status,
        }  # fmt: skip
        _follow_link(page, tabs, status)
        gr.Markdown(text.PRIVACY.format(hours=text.hours(hours)), elem_id="privacy")
        image_api.add(bench, cache)
        video_api.add(bench, cache)
        compare_api.add(bench, cache)
        lab_api.add(cache)
        models_api.add()
    visitors.limit_jobs(page)
    return page


def _follow_link(page: gr.Blocks, tabs: gr.Tabs, status: Mapping[str, gr.HTML]) -> None:
    """Open the screen that the page's address names, and say in its status line what of the rest is wrong."""

    def follow(request: gr.Request) -> dict[gr.blocks.Block, object]:
        try:
            screen = preset.linked_screen(request, SCREENS)
        except SettingError as error:
            return {status[preset.FIRST]: views.status(str(error), "error")}
        refused = " ".join(preset.Preset.of_link(request, screen).refused)
        wrong = {status[screen]: views.status(refused, "error")} if refused and screen in status else {}
        # The first screen is open already, and who has gone on to another by now stays there.
        return {tabs: gr.skip() if screen == preset.FIRST else gr.update(selected=screen), **wrong}

    page.load(follow, outputs=[tabs, *status.values()], **AT_ONCE)
