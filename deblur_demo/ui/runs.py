"""A run and its files: one folder in the UI library's cache, and the wish to stop.

The folder goes when the run is cancelled or fails without a result, when the same visitor's next
one ends with something to keep, and at the latest when it is older than the cache may be.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
import time
import unicodedata
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Event, Timer
from typing import TypeVar

from deblur_demo import settings
from deblur_demo.errors import LimitError, OutputError
from deblur_demo.ui import server_text, text

_LOOK = 0.05  # seconds between two looks whether a run has stopped
LINGER = 5.0  # seconds until files go that a page may be asking for
SWEEP = 300.0  # seconds from one ``sweep`` to the next
_PREFIX = "deblur-run-"
_UPLOAD = "[0-9a-f]" * 64  # a folder of the UI library, named after the hash of what is in it
_ARRIVING = "tmp*"  # a file of the UI library's while its upload goes on; one that breaks off stays
_going: set[Path] = set()  # folders of runs that have not ended
Happening = TypeVar("Happening")


class Cancelled(Exception):
    """The visitor wants the run to stop; or, and then the message says so, its time is over."""


class Run:
    """One folder, owned by one run of one visitor.

    Args:
        root: the cache folder; the browser may fetch what is inside.

    Attributes:
        token: its name, 32 hexadecimal digits.
        folder: where its files are.
        done: whether there is something to keep; else the folder goes with ``end``.

    Raises:
        OutputError: the folder cannot be created.
    """

    def __init__(self, root: Path):
        # Nobody can guess the name, so nobody can fetch another visitor's files.
        self.token = secrets.token_hex(16)
        self.folder = self.folder_of(root, self.token)
        self.done = False
        self._before: list[Run] = []
        self._staged = False
        self._begun = time.monotonic()
        self._unwanted, self._ended = Event(), Event()
        with on_disk(self.folder):
            self.folder.mkdir(parents=True)
        _going.add(self.folder)

    @staticmethod
    def folder_of(root: Path, token: str) -> Path:
        """The folder of the run of that name, whether it is there or not."""
        return root / (_PREFIX + token)

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self._ended.is_set()

    @property
    def staged(self) -> bool:
        """Whether the page has seen anything of it."""
        return self._staged

    @property
    def kept(self) -> bool:
        """Whether there is something to look at."""
        return self.done and self.folder.exists()

    def replace(self, *others: Run | None) -> None:
        """Take the place of runs that are on the stage: their files go when this one ends with a result."""
        self._before += [run for run in others if run is not None]

    def on_stage(self) -> None:
        """Say that the page shows this run from now on."""
        self._staged = True

    def touch(self) -> None:
        """Say that the folder is still in use."""
        with on_disk(self.folder):
            os.utime(self.folder)

    def keep(self, upload: Path, name: str) -> Path:
        """Give an upload another name in the folder, so that it lasts as long as the run; gives where it is then."""
        path = self.folder / name
        with on_disk(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(upload, path)
            except OSError:  # another disk, or a system without links
                shutil.copyfile(upload, path)
        return path

    def while_wanted(self, events: Generator[Happening, None, None]) -> Iterator[Happening]:
        """The events of a job, until someone stops the run or its time is over; the job is closed then.

        Raises:
            Cancelled: it is.
        """
        most = settings.JOB_MINUTES.current()
        with closing(events):
            for event in events:
                yield event
                if self._unwanted.is_set():
                    raise Cancelled
                if most != "off" and time.monotonic() - self._begun > most * 60:
                    raise Cancelled(str(LimitError(*text.fill(server_text.TOO_LONG, minutes=most))))

    async def stop(self) -> bool:
        """Ask the run to stop, and wait until it has; False if it had ended before.

        Who waits takes no thread: the run needs one of those to come to its end.
        """
        if self.ended:
            return False
        self._unwanted.set()
        while not self.ended:
            await asyncio.sleep(_LOOK)
        return True

    def end(self) -> None:
        """Say that nothing more will come; without a result the folder goes, at once if no page has seen it.

        What it was to replace goes if it has one, and else stays, for the stage to have it back.
        """
        if self.done:
            for run in self._before:
                run.leave()
        elif self._staged:
            self.leave()
        else:
            self.discard()
        self._before.clear()
        self._ended.set()
        _going.discard(self.folder)

    def leave(self) -> None:
        """Delete the folder, once pages have had the time to take its pictures off."""
        self.done = False
        self.later(self.discard)

    @staticmethod
    def later(delete: Callable[[], None]) -> None:
        """Delete files that a page has been told of; a server that stops before leaves them to ``sweep``."""
        timer = Timer(LINGER, delete)
        timer.daemon = True
        timer.start()

    def discard(self) -> None:
        """Delete the folder and all in it; doing it twice is fine."""
        _delete(self.folder)


def is_gone(run: Run | None) -> bool:
    """Whether the results of a run were deleted; one that goes on may only have none yet."""
    return run is None or (run.ended and not run.kept)


def expire(run: Run | None) -> None:
    """Delete the files of a run that nobody looks at any more; one that goes on keeps them."""
    if run is not None and run.ended:
        run.discard()


def sweep(root: Path) -> None:
    """Delete what outlived the cache: folders of runs that have ended, and uploads, whole or not.

    Nobody else does while a server runs: the library would go by the age of every single file, of which
    a run may need some for longer.
    """
    oldest = time.time() - settings.CACHE_HOURS.current() * 3600
    for pattern, age in ((f"{_PREFIX}*", _touched), (_UPLOAD, _chosen), (_ARRIVING, _touched)):
        for path in root.glob(pattern):
            try:
                stale = path not in _going and age(path) < oldest
            except FileNotFoundError:  # another visitor's run has just ended
                continue
            if stale:
                _delete(path)


def sweep_forever(root: Path, seconds: float = SWEEP) -> None:
    """Sweep now and every so many seconds; for a thread of the server's."""
    while True:
        sweep(root)
        time.sleep(seconds)


def _delete(path: Path) -> None:
    """Under another name first: whoever looks at a folder sees all of it or nothing."""
    leaving = path.with_name(f"{_PREFIX}{secrets.token_hex(16)}")
    with suppress(OSError):  # gone already, or in use on a system that will not rename it then
        path = path.rename(leaving)
    if path.is_file():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path, ignore_errors=True)


def _touched(path: Path) -> float:
    return path.stat().st_mtime


def _chosen(folder: Path) -> float:
    """When an upload was last chosen: if it was there already, the library touches its file and not the folder."""
    return max(map(_touched, (folder, *folder.iterdir())))


def safe_stem(name: str, otherwise: str = "photo") -> str:
    """A file's stem that is safe on every system; letters of any script, digits, dots, dashes, at most 60.

    Example:
        >>> safe_stem("../../my photo.jpg")
        'my_photo'
    """
    stem = unicodedata.normalize("NFC", Path(name.replace("\\", "/")).stem)  # some systems take letters apart
    return re.sub(r"[^\w.-]+", "_", stem).strip("._-")[:60] or otherwise


@contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Turn the system's word about a full or read-only disk into ours."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{path.name} cannot be written: {error.strerror or error}",
            "a cache folder with free space",
            "Free some space and run again",
        ) from error
