"""A compact copy of a corpus: the same tree as one ``.zip`` of WebP pictures under a size limit.

Small enough to travel to a rented machine in seconds, cut in shards if need be; ``load_corpus`` reads
it like the folder.
"""

from __future__ import annotations

import io
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
from tqdm import tqdm

from deblur_demo.errors import InputError, OutputError
from deblur_demo.media.paths import store
from training.data.cifar import is_cifar
from training.data.files import PACKED, SOURCES, Files
from training.shards import write_shards
from training.targets import check_apart, check_file

QUALITIES = (95, 92, 90, 88, 86, 84, 82, 80, 75, 70)


def pack(source: Path, target: Path, megabytes: float, shard: int = 16 * 2**20) -> int:
    """Write the pack at the highest WebP quality that fits.

    Args:
        source: corpus folder.
        target: the ``.zip``, or a ``.json`` for the index of its shards.
        megabytes: limit in MiB.
        shard: most bytes of a shard.

    Returns:
        The quality chosen.

    Raises:
        InputError: there is nothing to pack, or a picture is too large for WebP.
        OutputError: the target is the source, no pack, or cannot be written; or even the lowest quality is too large.
    """
    _check(source, target)
    files = Files(source)
    names = files.pictures
    # As they are go: the folder's name and lists, which split sets, where pictures come from, and CIFAR-10.
    plain = {name: files.read(name) for name in files.names if name.endswith(("_list.txt", SOURCES)) or is_cifar(name)}
    if not names and not any(map(is_cifar, plain)):
        raise InputError(f"{source} holds no pictures", "a data set", "Point to such a folder")
    plain[PACKED] = files.folder.encode()
    limit = megabytes * 2**20
    left = limit - sum(map(len, plain.values()))
    sample = names[:: max(1, len(names) // 40)]
    for quality in QUALITIES if left > 0 else ():
        # Sizes of a sample decide where to start, the whole decides whether it fits.
        estimate = sum(len(_encode(files, name, quality)) for name in sample) * len(names) / max(1, len(sample))
        if estimate > 1.05 * left:
            continue
        with ThreadPoolExecutor() as pool:
            work = pool.map(lambda name, q=quality: _encode(files, name, q), names)
            blobs = list(tqdm(work, total=len(names), desc=f"pack at quality {quality}"))
        pictures = (str(Path(name).with_suffix(".webp")) for name in names)
        content = _zipped({**dict(zip(pictures, blobs, strict=True)), **plain})
        if len(content) <= limit:
            if target.suffix.lower() == ".json":
                write_shards(target, content, shard)
            else:
                store(content, target)
            return quality
    raise OutputError(
        f"{source} does not fit into {megabytes:g} MiB", "a larger --megabytes", "Leave pictures out or raise the limit"
    )


def _check(source: Path, target: Path) -> None:
    """Refuse, before anything is encoded, a name that is no pack's."""
    if target.suffix.lower() not in (".zip", ".json"):
        raise OutputError(f"{target} is no name for a pack", "<name>.zip, or <name>.json with shards", "Change --pack")
    check_apart(target, source)
    check_file(target, _is_pack, "a pack")


def _is_pack(path: Path) -> bool:
    try:
        return PACKED in Files(path).names
    except InputError:
        return False


def _zipped(contents: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return packed.getvalue()


def _encode(files: Files, name: str, quality: int) -> bytes:
    image = files.decode(name).permute(1, 2, 0).numpy()
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, quality])
    if not done:
        height, width = image.shape[:2]
        raise InputError(
            f"{name} of {width}x{height} cannot be written as WebP",
            "pictures of at most 16,383 pixels a side",
            "Scale it down, cut it, or leave it out",
        )
    return encoded.tobytes()
