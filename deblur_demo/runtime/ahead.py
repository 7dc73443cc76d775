"""Reading ahead and writing behind in threads, so that the device never waits for a file.

Neither queue grows: a producer waits while its queue is full. Errors come out where the caller
is, and whoever walks away from one end frees the thread at the other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from threading import Condition, Thread
from typing import Generic, TypeVar

_PAUSE = 1.0  # seconds between two looks, because on Windows a wait without end cannot be interrupted from the keyboard

T = TypeVar("T")


class _End(Exception):
    """Nothing more comes."""


class _Channel(Generic[T]):
    """A queue of limited length between two threads, either of which may leave."""

    def __init__(self, size: int):
        self._size, self._items = size, deque[T]()
        self._last: BaseException | None = None  # raised by ``get`` when the items have run out
        self._abandoned = False
        self._changed = Condition()

    def put(self, item: T) -> bool:
        """Wait for room and add an item; False if nobody wants it any more."""
        with self._changed:
            while len(self._items) >= self._size and not self._abandoned:
                self._changed.wait(_PAUSE)
            if not self._abandoned:
                self._items.append(item)
                self._changed.notify_all()
            return not self._abandoned

    def end(self, error: BaseException | None = None) -> None:
        """Say that nothing more comes, and why, if that is an error."""
        with self._changed:
            self._last = self._last or error or _End()
            self._changed.notify_all()

    def get(self) -> T:
        """Wait for an item and take it; raises what ended the items when there are none left."""
        with self._changed:
            while not self._items and self._last is None:
                self._changed.wait(_PAUSE)
            if not self._items:
                raise self._last
            self._changed.notify_all()
            return self._items.popleft()

    def abandon(self) -> None:
        """Want no more items, and forget those that wait."""
        with self._changed:
            self._abandoned, self._last = True, self._last or _End()
            self._items.clear()
            self._changed.notify_all()


class _Ahead(Iterator[T]):
    """The caller's end of ``ahead``."""

    def __init__(self, iterable: Iterable[T], size: int):
        self._channel: _Channel[T] = _Channel(size)
        # The thread knows the channel only: this object must be able to die while it runs.
        self._thread = Thread(target=_produce, args=(iterable, self._channel), daemon=True)
        self._thread.start()

    def __next__(self) -> T:
        try:
            return self._channel.get()
        except _End:
            raise StopIteration from None

    def close(self) -> None:
        """Stop, and wait until the thread has closed what it iterates over."""
        self._channel.abandon()
        self._thread.join()

    def __del__(self):
        self._channel.abandon()


def ahead(iterable: Iterable[T], size: int = 4) -> _Ahead[T]:
    """Iterate in a thread, ahead of the caller.

    Args:
        iterable: a generator is closed by the thread that runs it.
        size: items that wait at most; one more may be in the making.

    Returns:
        An iterator over the same items. An error raised while making an item is raised when its turn
        comes. ``close`` stops the thread and returns when it has ended; being dropped stops it too.
    """
    return _Ahead(iterable, size)


def _produce(iterable: Iterable[T], channel: _Channel[T]) -> None:
    iterator, error = None, None
    try:
        iterator = iter(iterable)
        for item in iterator:
            wanted = channel.put(item)
            del item  # it may be the caller's only if its memory is to be freed in time
            if not wanted:
                break
    except BaseException as raised:
        error = raised
    try:
        if hasattr(iterator, "close"):
            iterator.close()
    except BaseException as raised:
        error = error or raised
    channel.end(error)


class Behind(Generic[T]):
    """Hand items to a function in a thread, in their order, while the caller goes on.

    As a context manager it closes itself; an error of the block then goes before one of the thread.

    Args:
        write: called with one item at a time.
        size: items that wait at most; ``put`` waits for room.
    """

    def __init__(self, write: Callable[[T], object], size: int = 4):
        self._channel: _Channel[T] = _Channel(size)
        self._failures: list[BaseException] = []
        self._told = False
        self._thread = Thread(target=_consume, args=(write, self._channel, self._failures), daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Queue an item; raises what ``write`` raised for an earlier one, and then takes no more.

        Raises:
            ValueError: it is closed.
        """
        if not self._channel.put(item):
            self._raise()
            raise ValueError("put after close")

    def close(self) -> None:
        """Wait until all is written; raises what ``write`` raised, unless ``put`` has already done so."""
        self._channel.end()
        self._thread.join()
        self._channel.abandon()
        if not self._told:
            self._raise()

    def _raise(self) -> None:
        if self._failures:
            self._told = True
            raise self._failures[0]

    def __enter__(self) -> Behind[T]:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._told = self._told or kind is not None
        self.close()

    def __del__(self):
        self._channel.end()


def _consume(write: Callable[[T], object], channel: _Channel[T], failures: list[BaseException]) -> None:
    try:
        while True:
            item = channel.get()
            write(item)
            del item
    except _End:
        pass
    except BaseException as raised:
        failures.append(raised)
    channel.abandon()
