"""The authors' own weights for a user's own use: downloaded, checked, converted, tried out, kept in the user's cache.

The authors published these files without saying under which licence. So nothing here bundles or
mirrors them: each user fetches them from their authors, at a pinned commit, and is told so before.
"""

from __future__ import annotations

import difflib
import hashlib
import http.client
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from deblur_demo.errors import CheckpointError, OutputError, SettingError
from deblur_demo.models import checkpoint, convert
from deblur_demo.models.checkpoint import Card
from deblur_demo.models.contract import Restorer, centre_frame

RAW = "https://raw.githubusercontent.com"
TIMEOUT = 30  # seconds without a byte
LARGEST = 64 << 20  # bytes of a file whose size is not stated below
LICENCE = "none stated by the authors; for your own use"

# What the self-check allows: mean absolute change, of the range.
FLAT = 0.05
EDGE = 0.1


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository: its path, its git blob id and, where known, its size in bytes."""

    path: str
    blob: str
    size: int | None = None


@dataclass(frozen=True)
class Upstream:
    """Published weights.

    Attributes:
        model: identifier of the variant that they belong to.
        repository: ``owner/name`` on GitHub.
        commit: pinned, 40 hexadecimal digits.
        files: what to fetch; one file, or a folder's.
        data: what the paper says they were trained on, with its licence.
        megabytes: roughly, together.
    """

    model: str
    repository: str
    commit: str
    files: tuple[RemoteFile, ...]
    data: str
    megabytes: float

    @property
    def description(self) -> str:
        """What a user should know before agreeing, in a few lines."""
        return (
            f"Weights of {self.model} by the authors of the paper, {self.megabytes:g} MB in {len(self.files)} file(s)\n"
            f"from https://github.com/{self.repository}, commit {self.commit[:12]}.\n"
            "Licence: the authors state none. Fetch them for your own use only, and do not pass them on.\n"
            f"They go to {self.target}" + (", replacing what is there." if self.target.exists() else ".")
        )

    @property
    def target(self) -> Path:
        return checkpoint.user_cache() / f"{self.model}.safetensors"


_GOPRO = "GoPro training set, CC BY 4.0 (Nah 2017), as the paper says"

UPSTREAM = {
    "mtrnn-gopro": Upstream(
        "mtrnn",
        "Dong1P/MTRNN",
        "e27c29b8b720050e1f8b5788f8373ad505ba708b",
        (RemoteFile("model_best.pt", "03861d52edb9397175e395827b29557f1673eb3e"),),
        _GOPRO,
        megabytes=10.5,
    ),
    "dmphn-gopro": Upstream(
        "dmphn",
        "HongguangZhang/DMPHN-cvpr19-master",
        "9fff261daca8beb0cbaaa0b64df4239b5a05dd17",
        tuple(
            RemoteFile(f"checkpoints/DMPHN_1_2_4/{name}.pkl", blob, size)
            for name, blob, size in (
                ("decoder_lv1", "3c522bd0c1db6c670e45a08443c8df2501e36b7b", 3763929),
                ("decoder_lv2", "98304ca061d989f84a3b8127998d38e0af712008", 3763929),
                ("decoder_lv3", "7c0d69f6a3e604946890f0682cc02efa688fbb38", 3763929),
                ("encoder_lv1", "41abd6cf7dc9710b0a7def886269de18ab450dad", 3477671),
                ("encoder_lv2", "7abfd748ef51b222ec430d25c0c0475bfed59a90", 3477665),
                ("encoder_lv3", "353b1b5ecd416b04451dfcecae696e0966b1d718", 3477667),
            )
        ),
        _GOPRO,
        megabytes=21.7,
    ),
}


def upstream(name: str) -> Upstream:
    """The published weights of that name, or a SettingError that lists the names."""
    if name not in UPSTREAM:
        close = difflib.get_close_matches(name, UPSTREAM, n=1)
        action = f"Did you mean {close[0]!r}" if close else "Choose one of these"
        raise SettingError(f"there are no published weights {name!r}", ", ".join(UPSTREAM), action)
    return UPSTREAM[name]


def fetch(source: Upstream, base: str | None = None, say: Callable[[str], None] = lambda line: None) -> Path:
    """Download, check, convert and try out published weights, then keep them in the user's cache.

    Args:
        source: what to fetch.
        base: where raw files of repositories are, as ``base/owner/name/commit/path``; None: GitHub.
        say: gets a line when something is done.

    Returns:
        The ``.safetensors`` file, its card beside it.

    Raises:
        CheckpointError: no connection, the files are not those pinned here, hold something else than
            the network's tensors, or do not behave like its weights. Nothing is kept then.
        OutputError: the cache or the temporary folder cannot be written.
    """
    with tempfile.TemporaryDirectory() as folder:
        for file in source.files:
            content = _download(file, f"{base or RAW}/{source.repository}/{source.commit}/{file.path}")
            path = Path(folder) / Path(file.path).name
            try:
                path.write_bytes(content)
            except OSError as error:
                raise OutputError(f"{path} cannot be written: {error.strerror}", "space left", "Make room") from error
            say(f"{path.name}: {path.stat().st_size:,} bytes, as published")
        conversion = convert.read(path if len(source.files) == 1 else Path(folder), source.model)
    self_check(conversion.network, source.model)
    say("Converted; the self-check passed")
    card = Card(
        model=source.model,
        settings=conversion.settings,
        licence=LICENCE,
        data=(source.data,),
        recipe=f"the authors' weights: https://github.com/{source.repository}, commit {source.commit}, converted",
        limits="not evaluated here",
    )
    convert.write(conversion, source.target, card)
    return source.target


@torch.no_grad()
def self_check(network: Restorer, name: str) -> None:
    """Hold a converted network to what any trained one does, so that a mistake does not reach a photo.

    At every step its estimate is finite; a flat grey has nothing to deblur, so it changes by less
    than 0.05 of the range in the mean (the border of the picture may); a soft edge keeps its place,
    so the picture changes by less than 0.1. Weights in the wrong layers miss both by far.

    Raises:
        CheckpointError: it does something else.
    """
    side = 128
    frames = network.traits.frames
    flat = torch.full((1, frames, 3, side, side), 0.4)
    edge = torch.sigmoid(torch.linspace(-16, 16, side)).mul(0.6).add(0.2).expand(1, frames, 3, side, side)
    for picture, window, most in (("a flat grey", flat, FLAT), ("a soft edge", edge, EDGE)):
        for step, estimate in enumerate(network.run(window), start=1):
            change = (estimate.image - centre_frame(window)).abs().mean().item()
            if not change < most:  # nor is NaN
                raise CheckpointError(
                    f"step {step} of the converted {name} changes {picture} by {change:.3f} of the range",
                    f"less than {most:g}, as trained weights do",
                    "Report it; until then use other weights",
                )


def _download(file: RemoteFile, url: str) -> bytes:
    """A file's content, if it is the one that its git blob id names."""
    limit = LARGEST if file.size is None else file.size
    request = urllib.request.Request(url, headers={"User-Agent": "deblur-demo"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            content = answer.read(limit + 1)
    except urllib.error.HTTPError as error:
        raise CheckpointError(
            f"{url} answers {error.code} {error.reason}",
            "the file that was there when this version was made",
            "If the authors have moved it, convert a copy that you have: python -m deblur_demo convert",
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise CheckpointError(
            f"{url} cannot be fetched: {getattr(error, 'reason', None) or error or type(error).__name__}",
            "a connection to the internet",
            "Try again later, or convert a copy that you have: python -m deblur_demo convert",
        ) from error
    found = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    if found != file.blob or file.size not in (None, len(content)):
        size = f"more than {limit:,}" if len(content) > limit else f"{len(content):,}"
        raise CheckpointError(
            f"{url} has {size} bytes and git blob id {found[:12]}",
            (f"{file.size:,} bytes and " if file.size else "") + f"git blob id {file.blob[:12]}, as published",
            "The file has changed or the transfer is broken; try again later",
        )
    return content
