"""The API of the blur lab: ``/blur_photo`` with typed inputs, every value checked by the server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import gradio as gr

from deblur_demo.settings import LEVEL, NOISE, OBJECTS, SATURATION, SEED, SHIFT
from deblur_demo.ui.answers import one_line_errors
from deblur_demo.ui.bench import DEVICE_QUEUE
from deblur_demo.ui.components import OneFile
from deblur_demo.ui.lab import text as lab_text
from deblur_demo.ui.lab.order import ShakeOrder
from deblur_demo.ui.lab.run import LabRun

_KNOBS = {SEED: lab_text.SEED, SHIFT: lab_text.SHIFT, LEVEL: lab_text.LEVEL, OBJECTS: lab_text.OBJECTS,
          NOISE: lab_text.NOISE, SATURATION: lab_text.SATURATION}  # fmt: skip


def add(cache: Path) -> None:
    """Add the endpoint to the page that is being built.

    Args:
        cache: folder for the files of a run.
    """

    def blur_photo(image, path, seed, shift, level, objects, noise, saturation):
        """Shake a sharp photo on purpose, so that the truth is known.

        Args:
            image: A sharp photo: JPEG, PNG, WebP, TIFF or BMP. An upload to this server.
            path: Points [x, y] in pixels that the camera passes, in order, to draw its path; empty: a random path.
            seed: Which random path, and which noise: 0 to 2147483647.
            shift: Length of a random path in pixels, 1 to 200.
            level: Temporal level, odd, 1 to 13: frames that the blurred picture is exposed for; 1 is sharp.
            objects: Things that move on their own, 0 to 3.
            noise: Sensor noise, 0 to 20; 1 is a phone indoors.
            saturation: Light behind clipped pixels, as a multiple of white, 1 to 20.

        Returns:
            the blurred photo as PNG
            the sharp photo that belongs to it
            the shake, to repeat it, and the PSNR of the blurred photo in dB
        """
        knobs = {"seed": seed, "shift": shift, "level": level, "objects": objects, "noise": noise}
        yield from _blur_photo(cache, image, path, saturation=saturation, **knobs)

    with gr.Group(visible=False):
        inputs = [
            OneFile(label=lab_text.PHOTO),
            gr.JSON([], label=lab_text.PATH),
            *(gr.Number(knob.default, label=f"{label} ({knob.accepted})") for knob, label in _KNOBS.items()),
        ]
        outputs = [gr.File(label=lab_text.BLURRED), gr.File(label=lab_text.SHARP), gr.JSON(label=lab_text.REPORT)]
        gr.Button(lab_text.BLUR).click(blur_photo, inputs, outputs, api_name="blur_photo", **DEVICE_QUEUE)


def _blur_photo(cache: Path, image: str | None, path: object, **knobs: object) -> Iterator[tuple[str, str, dict]]:
    run = None
    with one_line_errors():
        try:
            order = ShakeOrder.of(image, path, **knobs)
            run = LabRun(cache, order.photo.name)
            run.keep_pair(order.read(), order.shake)
            run.done = True
            report = {"shake": json.loads(run.shake.to_json()), "psnr": run.psnr, "notices": run.notices}
            yield str(run.blurred), str(run.sharp), report
        finally:
            if run is not None:
                run.end()
