"""Fixed validation sets made of held-out pictures, as folders of pairs: the same corpus gives the same files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import cv2
import torch
from torch import Tensor

from deblur_demo.errors import InputError
from deblur_demo.light import to_light
from deblur_demo.media.paths import make_folder, store
from deblur_demo.synthesis.camera import CameraSettings, develop, jpeg
from deblur_demo.synthesis.exposure import MotionSettings, moving_frames, temporal_level
from deblur_demo.synthesis.gaussian import GaussianSettings, random_gaussian
from training.config import Neighbours
from training.data.augment import enlarged
from training.data.cifar import is_cifar, read_cifar
from training.data.files import Files
from training.data.held_out import HELD_OUT_PHOTOS
from training.data.recognise import by_clip, in_runs, recognise
from training.data.samples import MARGIN, lengthened
from training.targets import check_apart, claim

SIDE, SEED = 384, 2020
CLIP_SIDE, CLIP_ROOM, CLIP_FRAMES = 256, 512, 5
SHARP_SIDE, NOISE, QUALITY, BRIGHTER, LARGER = 256, 5 / 255, 60, 2.2, 1.5
LEVELS = (7, 9, 11, 13)
WIDTHS = GaussianSettings(low=0.4)  # narrower ones leave a picture as it is, and its PSNR is infinite

Made = Iterator[tuple[str, Tensor, Tensor]]  # names, blurred and sharp pictures, (3, H, W) in [0, 1]


def write_validation(source: Path, target: Path, kind: str = "motion", side: int | None = None) -> int:
    """Write one of the sets ``KINDS``.

    Every picture has its own seed, the level goes round through 7, 9, 11 and 13, and every second
    input has noise. The Gaussian set has no noise, and widths from 0.4 to 3 pixels. The sharp set has no blur:
    it shows what a network does where nothing is to be done.

    Args:
        source: corpus folder.
        target: folder for the pairs.
        kind: "motion" (``blur/`` and ``sharp/``), "clips" (``<photo>/blur/00000.png`` ..., consecutive
            exposures along one path), "frames" (means of real 240 fps frames below ``val/`` or
            ``test/``), "gaussian" (CIFAR-10's test pictures) or "sharp" (every photo with noise of 5 levels,
            as JPEG of quality 60, with clipped lights and noise, and 1.5 times enlarged with noise).
        side: of the motion pictures in pixels; None: 384, 256 for clips and sharp photos, and whole frames.

    Returns:
        The number of pairs.

    Raises:
        InputError: the corpus has none of the held-out pictures.
        OutputError: the folder holds something else, or cannot be written to.
    """
    check_apart(target, source)
    files = Files(source)
    record = {"blur": "Gaussian" if kind == "gaussian" else "motion", "kind": kind, "pictures": _fingerprint(files)}
    count = 0
    for count, (name, blurred, sharp) in enumerate(KINDS[kind](files, side), 1):
        if count == 1:  # not before it is known that there is anything to write
            claim(target, record)
        write_pair(target / PurePosixPath(name).parent, PurePosixPath(name).name, blurred, sharp)
    return count


def _fingerprint(files: Files) -> str:
    """What tells apart the pictures that sets can be made of, by their names and sizes in bytes."""
    names = [name for entry in recognise(files) if entry.test for name in entry.files]
    names += [name for name in files.names if is_cifar(name)]
    text = "".join(f"{name} {files.byte_count(name)}\n" for name in sorted(names))
    return hashlib.sha256(text.encode()).hexdigest()


def _motion(files: Files, side: int | None) -> Made:
    side = side or SIDE
    names, pictures = _held_out(files, side + 2 * MARGIN)
    for index, name in enumerate(names):
        generator = torch.Generator().manual_seed(SEED + index)
        light = moving_frames(
            pictures[index][None], pictures[index - 1][None], side, MotionSettings(), generator
        )  # (1, 13, 3, side, side)
        blurred = develop(temporal_level(light, level_of(index)), camera_of(index), generator)
        yield name, blurred[0], temporal_level(light, 1)[0]


def _clips(files: Files, side: int | None) -> Made:
    side = side or CLIP_SIDE
    names, pictures = _held_out(files, min(CLIP_ROOM, side * 2))
    for index, name in enumerate(names):
        for number, pair in enumerate(photo_clip(pictures[index], pictures[index - 1], side, index)):
            yield f"{name}/{number:05d}", *pair


def photo_clip(photo: Tensor, thing: Tensor, side: int, index: int) -> list[tuple[Tensor, Tensor]]:
    """Consecutive exposures of a photo along one path, blurred and sharp, each (3, side, side) in [0, 1].

    Args:
        photo: (3, S, S) in [0, 1], S >= side.
        thing: another of the same shape, pieces of which move by themselves.
        side: of the pictures in pixels.
        index: what the path, the level and the noise follow from.
    """
    period, exposure = Neighbours().period, MotionSettings().frames
    motion = lengthened(MotionSettings(), exposure + (CLIP_FRAMES - 1) * period)
    middles = [exposure // 2 + number * period for number in range(CLIP_FRAMES)]
    generator = torch.Generator().manual_seed(SEED + index)
    light = moving_frames(photo[None], thing[None], side, motion, generator, sharp=middles)  # (1, 65, 3, side, side)
    exposures = [light[:, middle - exposure // 2 : middle + exposure // 2 + 1] for middle in middles]
    blurred = torch.stack([temporal_level(frames, level_of(index)) for frames in exposures], dim=1)
    blurred = develop(blurred, camera_of(index), generator)[0]  # (5, 3, side, side)
    return [(picture, temporal_level(frames, 1)[0]) for picture, frames in zip(blurred, exposures, strict=True)]


def _frames(files: Files, side: int | None) -> Made:
    written, length = 0, max(LEVELS)
    for clip in by_clip([entry for entry in recognise(files) if entry.test], "frames"):
        first = 0  # frame of a run, counted in its clip
        for run in in_runs(clip):
            for start in range(0, len(run) - length + 1, length):
                pictures = [files.decode(entry.files[0]) for entry in run[start : start + length]]
                if len({picture.shape for picture in pictures}) > 1:
                    raise InputError(
                        f"the frames of {run[0].clip} differ in size", "frames of one size", "Cut them alike"
                    )
                if side:
                    shot = torch.stack([middle_square(picture, side) for picture in pictures])
                else:
                    shot = torch.stack(pictures).float() / 255
                light = to_light(shot)[None]  # (1, 13, 3, H, W)
                blurred = temporal_level(light, level_of(written))
                name = f"{run[0].clip.replace('/', '_')}_{first + start:06d}"
                yield name, blurred[0], temporal_level(light, 1)[0]
                written += 1
            first += len(run)
    if not written:
        raise InputError(
            f"{files.source} has no clip of {length} frames in a row to validate on",
            "val/<name>_240fps/<clip>/000000.png and so on",
            "Move a clip there",
        )


def _gaussian(files: Files, side: int | None) -> Made:
    pictures = read_cifar(files, "test")
    if pictures is None:
        raise InputError(
            f"{files.source} has no test pictures of CIFAR-10",
            "cifar-10-batches-py/test_batch or an .npz with x_test",
            "Point to such a folder",
        )
    generator = torch.Generator().manual_seed(SEED)
    for start in range(0, len(pictures), 100):
        sharp = pictures[start : start + 100].float() / 255
        blurred = random_gaussian(sharp, WIDTHS, generator)
        for number, pair in enumerate(zip(blurred, sharp, strict=True), start):
            yield f"{number:05d}", *pair


def _sharp(files: Files, side: int | None) -> Made:
    side = side or SHARP_SIDE
    names, pictures = _held_out(files, side)
    small = round(side / LARGER)
    inner = slice((side - small) // 2, (side + small) // 2)
    for index, (name, photo) in enumerate(zip(names, pictures, strict=True)):
        generator = torch.Generator().manual_seed(SEED + index)
        bright, soft = (photo * BRIGHTER).clamp(max=1), enlarged(photo[None, :, inner, inner], side)[0]
        yield f"{name}_jpeg", jpeg(photo[None], torch.tensor([float(QUALITY)]))[0], photo
        for ill, truth in (("noise", photo), ("bright", bright), ("soft", soft)):
            noise = NOISE * torch.randn(truth.shape, generator=generator)
            yield f"{name}_{ill}", (truth + noise).clamp(0, 1), truth


KINDS: dict[str, Callable[[Files, int | None], Made]] = {
    "motion": _motion,
    "clips": _clips,
    "frames": _frames,
    "gaussian": _gaussian,
    "sharp": _sharp,
}


def _held_out(files: Files, side: int) -> tuple[list[str], list[Tensor]]:
    """Names, fit for files, and middle squares, (3, side, side) in [0, 1], of the held-out photos.

    Those of Kodak and Urban100 where they are there, so that the set stays the same; else those below val/ or test/.
    """
    names = [name for name in files.pictures if str(Path(name).with_suffix("")).endswith(HELD_OUT_PHOTOS)]
    names = names or [entry.files[0] for entry in recognise(files) if entry.role == "photos" and entry.test]
    if len(names) < 2:
        raise InputError(
            f"{files.source} has {len(names)} photos that are held out",
            "photos/kodak and photos/urban100, or two and more photos below val/",
            "Add some, or move some there",
        )
    fit = [name.replace("/", "_").rsplit(".", 1)[0] for name in names]
    return fit, [middle_square(files.decode(name), side) for name in names]


def level_of(index: int) -> int:
    """The temporal level of a set's picture: they take turns."""
    return LEVELS[index % len(LEVELS)]


def camera_of(index: int) -> CameraSettings:
    """The camera of a set's picture: every second one has noise."""
    return replace(CameraSettings(), noise_share=index % 2, jpeg_share=0.0)


def write_pair(folder: Path, name: str, blurred: Tensor, sharp: Tensor) -> None:
    """Write ``blur/<name>.png`` and ``sharp/<name>.png``; pictures are (3, H, W) in [0, 1].

    Raises:
        OutputError: they cannot be written.
    """
    for side, image in (("blur", blurred), ("sharp", sharp)):
        make_folder(folder / side)
        pixels = (image * 255).round().byte().permute(1, 2, 0).numpy()
        store(cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1], folder / side / f"{name}.png")


def middle_square(picture: Tensor, side: int) -> Tensor:
    """The middle square of a photo: (3, side, side) in [0, 1].

    Raises:
        InputError: the photo is smaller.
    """
    height, width = picture.shape[-2:]
    if min(height, width) < side:
        raise InputError(
            f"a photo to blur is {width}x{height}", f"at least {side} pixels both ways", "Take smaller ones out"
        )
    top, left = (height - side) // 2, (width - side) // 2
    return picture[:, top : top + side, left : left + side].float() / 255
