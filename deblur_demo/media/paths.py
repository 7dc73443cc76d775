"""Files as people name them: how a name is shown, what is refused before it is opened, what is written whole."""

from __future__ import annotations

import errno
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from numpy import ndarray

from deblur_demo.errors import InputError, OutputError
from deblur_demo.whole import partial, whole


def shown(path: Path) -> str:
    """A file's name, fit for one line: without its folders, marks of direction, line ends."""
    name = printable(path.name) or str(path)
    return name if len(name) <= 60 else name[:40] + "..." + name[-17:]


def printable(text: str) -> str:
    """The text with a question mark for every letter that could break or turn a line."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def check_file(path: Path, what: str) -> int:
    """Refuse whatever is not a regular file with something in it, before it is opened.

    Args:
        path: as a visitor gave it; a link to a file is a file.
        what: what the file should be, such as "a picture file".

    Returns:
        Its size in bytes.

    Raises:
        InputError: absent, unreadable, a URL, a folder, a device, or empty.
    """
    name = shown(path)
    try:
        size = path.stat().st_size
        regular = path.is_file()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        if re.match(r"[a-z][a-z0-9+.-]+:/", str(path), re.IGNORECASE):
            raise InputError(f"{name} is a URL", "a file on this machine", "Download it first") from error
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{name} cannot be opened: {reason}", "an existing file", "Check the path") from error
    if not regular:
        kind = "a folder" if path.is_dir() else "a device, pipe or socket"
        raise InputError(f"{name} is {kind}", what, "Choose a file")
    if size == 0:
        raise InputError(f"{name} is empty (0 bytes)", f"{what} with something in it", "Copy or export it again")
    return size


def entries(folder: Path) -> list[Path]:
    """What lies in a folder, sorted.

    Raises:
        InputError: it cannot be listed.
    """
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise InputError(
            f"{shown(folder)} cannot be opened: {error.strerror}", "a folder that may be read", "Check the path"
        ) from error


def check_free(path: Path, originals: Iterable[Path]) -> None:
    """Refuse to write over what was given.

    Args:
        path: a file or folder to be written; files in such a folder may be replaced.
        originals: files and folders that were given; the files in such a folder were, too.

    Raises:
        OutputError: it is one of them, or a folder that holds one.
    """
    if not os.path.exists(path):
        return
    for given in filter(os.path.exists, originals):
        around = _holds(path, given)
        if around or _holds(given, path) or os.path.samefile(path, given):
            verb = "holds" if around else "is"
            raise OutputError(f"{path} {verb} one of the files given", "a result beside its source", "Change the name")


def _holds(folder: Path, file: Path) -> bool:
    """Whether a file, or the one that it is a link to, lies right in a folder."""
    if not (os.path.isdir(folder) and os.path.isfile(file)):
        return False
    return any(os.path.samefile(place.parent, folder) for place in (file, file.resolve()))


def check_names(results: Iterable[Path], report: Path | None) -> None:
    """Refuse names of results by which a file would be lost.

    Args:
        results: files to be written.
        report: a file for a report on them. It may replace nothing but another one: a photo that follows the flag is
            easily taken for its name, and the card of weights is a .json, too.

    Raises:
        OutputError: two have the same name; or there is such a file as the report, and it is not called .json, or
            is a card.
    """
    taken = set()
    for path in (*results, *filter(None, [report])):
        place = os.path.realpath(path)
        if place in taken:
            raise OutputError(f"{path} would hold two results", "a name for each", "Change one of them")
        taken.add(place)
    if report and os.path.isfile(report):
        card = any(os.path.isfile(path.with_suffix(".safetensors")) for path in (report, report.resolve()))
        if card or report.suffix.lower() != ".json":
            found = f"{report} is the card of weights" if card else f"{report} exists and is no report"
            raise OutputError(found, "a new name, or a report's .json to replace", "Change --json")


def make_folder(path: Path) -> None:
    """Make a folder and those above it.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder {path} cannot be made: {error.strerror}", "a writable place", "Choose another"
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all, in a folder that is made if need be; a stream or a link is written into.

    Raises:
        OutputError: it cannot be written.
    """
    make_folder(path.parent)
    with _writing(path):
        if _has_place(path):
            with whole(path) as unfinished:
                unfinished.write_text(text, encoding="utf-8")
        else:
            path.write_text(text, encoding="utf-8")


def check_writable(path: Path) -> None:
    """See, before the work, that a file can be written, in a folder that is made if need be; nothing is left of it.

    Raises:
        OutputError: it cannot be written.
    """
    make_folder(path.parent)
    with _writing(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if _has_place(path):
            trial = partial(path)
            trial.touch(exist_ok=False)
            trial.unlink()
        elif path.exists() and not os.access(path, os.W_OK):  # opening a pipe would end it for its reader
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _has_place(path: Path) -> bool:
    """Whether a file may take a place: not that of a device or a pipe, nor of a link such as /dev/stdout."""
    return not path.is_symlink() and (path.is_file() or not path.exists())


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}", "a writable file", "Choose another") from error


def store(data: ndarray | memoryview | bytes, path: Path) -> None:
    """Write a file whole or not at all: beside the target first, so that a full disk leaves nothing behind.

    Raises:
        OutputError: no space, no permission, or something else than a file has that name.
    """
    name = shown(path)
    try:
        if path.exists() and not path.is_file():
            raise OutputError(f"{name} exists and is not a file", "a new name or a file to replace", "Choose another")
        with whole(path) as unfinished, open(unfinished, "xb") as file:
            file.write(data)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(
            f"{name} cannot be written: {reason}", "a folder with space that may be written to", "Choose another folder"
        ) from error


def private_folder(name: str) -> Path:
    """A folder among the temporary files that this user has for itself, the same every time if it can be."""
    user = os.getuid() if hasattr(os, "getuid") else None
    folder = Path(tempfile.gettempdir()) / f"{name}-{'user' if user is None else user}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()  # whoever came first may have made a link of it
    if not stat.S_ISDIR(found.st_mode) or (user is not None and found.st_uid != user):
        return Path(tempfile.mkdtemp(prefix=f"{name}-"))
    folder.chmod(0o700)
    return folder
