"""Weights on the Hugging Face Hub: a file at a pinned revision, with its card, kept in the Hub's own cache.

The Hub is asked last, after the bundled weights and the user's cache. ``huggingface_hub`` continues
a transfer that breaks off, keeps what is there, and stays offline if ``HF_HUB_OFFLINE`` says so.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deblur_demo.errors import CheckpointError, OutputError, SettingError
from deblur_demo.models import checkpoint

SCHEME = "hf://"
FORM = f"{SCHEME}owner/repo@revision/file.safetensors"
_ADDRESS = re.compile(r"hf://([\w.-]+/[\w.-]+)@([\w.-]+)/((?:[\w-][\w.-]*/)*[\w-][\w.-]*\.safetensors)")


@dataclass(frozen=True)
class HubFile:
    """A weights file of a model repository.

    Attributes:
        repository: ``owner/repo``.
        revision: commit, tag or branch; only a commit always names the same weights.
        file: path inside, ``.safetensors``; its card is beside it.
        sha256: of the file, where we know it; empty for a file that a user names.
    """

    repository: str
    revision: str
    file: str
    sha256: str = ""

    def __str__(self) -> str:
        return f"{SCHEME}{self.repository}@{self.revision}/{self.file}"


# Model -> where its weights are published, at a commit and with their hash. Nothing is published yet.
SOURCES: dict[str, HubFile] = {}


def parse(address: str) -> HubFile:
    """The file that an address names.

    Raises:
        CheckpointError: the address has another form. Without a revision it would name other
            weights tomorrow.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise CheckpointError(f"the address is {address!r}", FORM, "Change the address")
    return HubFile(*match.groups())


def locate(place: str | Path) -> Path:
    """The local file of a checkpoint that a user named: a path, or an address that is downloaded first.

    Raises:
        CheckpointError: see ``parse`` and ``download``.
    """
    is_address = isinstance(place, str) and place.startswith(SCHEME)
    return download(parse(place)) if is_address else Path(place)


def find(model: str) -> Path | None:
    """The published weights of a variant, downloaded if need be; None if there are none.

    Raises:
        CheckpointError: they cannot be had, or are not those that were published.
    """
    return download(SOURCES[model]) if model in SOURCES else None


def cached(model: str) -> Path | None:
    """The published weights of a variant if they are here already; asks no server."""
    if model not in SOURCES:
        return None
    from huggingface_hub import try_to_load_from_cache

    source = SOURCES[model]
    path = try_to_load_from_cache(source.repository, source.file, revision=source.revision)
    return Path(path) if isinstance(path, str) else None


def download(source: HubFile) -> Path:
    """Weights and card in the Hub's cache, downloaded if need be.

    Raises:
        CheckpointError: no such repository, revision or file; offline and not in the cache; or the
            weights are not those whose hash is known.
    """
    from huggingface_hub import hf_hub_download

    card = str(Path(source.file).with_suffix(".json").as_posix())
    try:
        for file in (card, source.file):
            path = Path(hf_hub_download(source.repository, file, revision=source.revision))
    except Exception as error:  # the client lets what its HTTP library raises through, whichever that is
        raise _explained(error, source) from error
    if source.sha256 and (found := checkpoint.sha256(path)) != source.sha256:
        raise CheckpointError(
            f"{source} has sha256 {found[:12]}",
            f"{source.sha256[:12]}, as published",
            f"Delete {path.resolve()} and try again",
        )
    return path


def bring(source: HubFile, folder: Path, largest: int, largest_card: int) -> Path:
    """Fetch weights and card for someone else: into a folder, without this machine's login and cache.

    Args:
        source: what they name.
        folder: where the files go, beside each other.
        largest, largest_card: bytes.

    Returns:
        The weights' path.

    Raises:
        CheckpointError: as ``download``; or a file is larger.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    card = Path(source.file).with_suffix(".json").as_posix()
    try:
        for file, most in ((card, largest_card), (source.file, largest)):
            found = get_hf_file_metadata(hf_hub_url(source.repository, file, revision=source.revision), token=False)
            if found.size is None or found.size > most:
                raise CheckpointError(
                    f"{file} on the Hub has {found.size} bytes", f"at most {most}", "Use smaller weights"
                )
            fetched = hf_hub_download(
                source.repository, file, revision=found.commit_hash, local_dir=folder / "hub", token=False
            )
            target = folder / Path(file).name
            os.replace(fetched, target)
    except CheckpointError:
        raise
    except Exception as error:  # the client lets what its HTTP library raises through, whichever that is
        raise _explained(error, source) from error
    finally:
        shutil.rmtree(folder / "hub", ignore_errors=True)  # what the client notes beside its files
    return target


def check_repository(repository: str, flag: str) -> None:
    """See, before the work, that a name can be one of the Hub's.

    Raises:
        SettingError: it is not ``owner/name``.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise SettingError(f"the repository is {repository!r}", "owner/name", f"Change {flag}")


@contextmanager
def filling(folder: Path, flag: str) -> Iterator[None]:
    """An empty folder, made if need be, for the block to fill.

    Args:
        folder: the folder.
        flag: that named it, for the message.

    Raises:
        OutputError: it holds something, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise OutputError(f"{folder} is not empty", "an empty folder, or a new one", f"Change {flag}")
        yield
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written: {error.strerror or error}", "a writable folder with space left", "Change it"
        ) from error


def upload(
    folder: Path, repository: str, flag: str, message: str, kind: str = "model", replaced: list[str] | None = None
) -> tuple[str, str]:
    """Make a repository if need be and upload a folder.

    Args:
        folder: what goes there.
        repository: ``owner/name``.
        flag: that named it, for the message.
        message: of the commit.
        kind: "model" or "space".
        replaced: patterns of files that are deleted there if the folder does not hold them.

    Returns:
        Its address, and the commit.

    Raises:
        OutputError: not logged in, not allowed, or no connection.
    """
    from huggingface_hub import HfApi

    try:
        api = HfApi()
        sdk = "gradio" if kind == "space" else None
        address = api.create_repo(repository, repo_type=kind, space_sdk=sdk, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repository, repo_type=kind, folder_path=folder, commit_message=message, delete_patterns=replaced
        )
    except Exception as error:  # the client lets what its HTTP library raises through, whichever that is
        raise OutputError(
            f"{repository} cannot be written on the Hub: {(str(error).splitlines() or [type(error).__name__])[0]}",
            f"a {kind} that you may write",
            f"Log in with: hf auth login, and check {flag}",
        ) from error
    return str(address), commit.oid


def _explained(error: Exception, source: HubFile) -> CheckpointError:
    """What a failure of the Hub's client means for someone who wants weights."""
    from huggingface_hub.constants import is_offline_mode
    from huggingface_hub.errors import RemoteEntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

    if isinstance(error, RepositoryNotFoundError):
        found = f"the Hub has no repository {source.repository}, or none that you may see"
        return CheckpointError(found, FORM, "Check the name; for a private one log in with: hf auth login")
    if isinstance(error, RevisionNotFoundError):
        return CheckpointError(f"{source.repository} has no revision {source.revision}", FORM, "Check the revision")
    if isinstance(error, RemoteEntryNotFoundError):
        found = f"{source.repository} has no {source.file} with a card beside it at {source.revision}"
        return CheckpointError(found, FORM, "Check the file's name")
    cause = error.__cause__ or error  # the client puts advice around what happened
    reason = "HF_HUB_OFFLINE is set" if is_offline_mode() else (str(cause) or type(cause).__name__).splitlines()[0]
    return CheckpointError(
        f"{source} is not in the Hub's cache and cannot be fetched: {reason}",
        "a connection to the Hub, or weights that are here",
        "Connect, or name a file with --checkpoint FILE.safetensors",
    )
