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

from deblur_demo.errors import OutputError
from training.data.files import SOURCES, Files
from training.shards import write_shards

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
        OutputError: even the lowest quality is too large.
    """
    files = Files(source)
    names = files.pictures
    sample = names[:: max(1, len(names) // 40)]
    for quality in QUALITIES:
        # Sizes of a sample decide where to start, the whole decides whether it fits.
        estimate = sum(len(_encode(files, name, quality)) for name in sample) * len(names) / len(sample)
        if estimate > 1.05 * megabytes * 2**20:
            continue
        with ThreadPoolExecutor() as pool:
            work = pool.map(lambda name, q=quality: _encode(files, name, q), names)
            blobs = list(tqdm(work, total=len(names), desc=f"pack at quality {quality}"))
        if sum(map(len, blobs)) <= megabytes * 2**20:
            content = io.BytesIO()
            with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
                for name, blob in zip(names, blobs, strict=True):
                    archive.writestr(str(Path(name).with_suffix(".webp")), blob)
                for name in files.names:
                    # What splits a set must travel with it, and where it comes from.
                    if name.endswith(("_list.txt", SOURCES)):
                        archive.writestr(name, files.read(name))
            if target.suffix.lower() == ".json":
                write_shards(target, content.getvalue(), shard)
            else:
                target.write_bytes(content.getvalue())
            return quality
    raise OutputError(
        f"{source} does not fit into {megabytes:g} MiB", "a larger --megabytes", "Leave pictures out or raise the limit"
    )


def _encode(files: Files, name: str, quality: int) -> bytes:
    image = files.decode(name).permute(1, 2, 0).numpy()
    encoded = cv2.imencode(".webp", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, quality])[1]
    return encoded.tobytes()
