"""A copy of half the size, one click away where a blur is too long for the network: in it the blur is half as long."""

from __future__ import annotations

from pathlib import Path

from gradio.processing_utils import save_file_to_cache

from deblur_demo.media.image import read_image, write_image
from deblur_demo.media.shrink import shrink
from deblur_demo.ui.image.run import Result
from deblur_demo.ui.runs import safe_stem


def halved(result: Result, truth: str | None, cache: Path) -> tuple[str, str | None]:
    """Put copies of half the size where uploads lie.

    Args:
        result: of the photo.
        truth: its sharp reference, uploaded, if there is one.
        cache: folder of uploads.

    Returns:
        Paths of the photo's copy and of the reference's.

    Raises:
        InputError: the reference cannot be read any more.
        OutputError: no space.
    """
    photo = result.steps[0].full
    copies = [_half(photo, photo.with_name(f"{safe_stem(result.name)}_half.png"), cache)]
    copies += [_half(Path(truth), photo.with_name(f"{safe_stem(truth)}_half.png"), cache)] if truth else [None]
    return tuple(copies)


def _half(source: Path, target: Path, cache: Path) -> str:
    photo = read_image(source, keep_metadata=True)  # what was to go is gone from a step already
    height, width = photo.pixels.shape[:2]
    write_image(shrink(photo, height * width / 4e6), target)
    return save_file_to_cache(target, str(cache))
