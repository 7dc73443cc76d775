"""Threads that read ahead and write behind: order, limits, errors and leaving early, from either end."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator

import pytest

from deblur_demo.runtime.ahead import Behind, ahead

PATIENCE = 20  # seconds until a thread that should end counts as stuck


class Source:
    """A generator of numbers that tells how many it made, where, and whether it was closed."""

    def __init__(self, count: int, pause: float = 0.0, error_at: int | None = None):
        self.count, self.pause, self.error_at = count, pause, error_at
        self.made, self.closed, self.thread = 0, threading.Event(), None

    def __iter__(self) -> Iterator[int]:
        self.thread = threading.current_thread()
        try:
            for number in range(self.count):
                time.sleep(self.pause)
                if number == self.error_at:
                    raise OSError(f"broken at {number}")
                self.made += 1
                yield number
        finally:
            self.closed.set()


def ended(thread: threading.Thread) -> bool:
    thread.join(PATIENCE)
    return not thread.is_alive()


def settles(value, wanted) -> bool:
    """Whether a value reaches what is wanted and stays there."""
    deadline = time.monotonic() + PATIENCE
    while value() != wanted and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.05)
    return value() == wanted


@pytest.mark.parametrize("size", [1, 4, 50])
@pytest.mark.parametrize(("making", "taking"), [(0.0, 0.0), (0.005, 0.0), (0.0, 0.005)])
def test_all_items_in_their_order_whoever_is_slow(size, making, taking):
    source, found = Source(12, making), []
    for item in ahead(source, size):
        found.append(item)
        time.sleep(taking)
    assert found == list(range(12))
    assert source.thread is not threading.main_thread() and ended(source.thread)


def test_it_works_ahead_but_not_further_than_it_may():
    source = Source(100)
    numbers = ahead(source, 3)
    assert settles(lambda: source.made, 4), "three that wait and one in hand"
    assert next(numbers) == 0
    assert settles(lambda: source.made, 5)
    numbers.close()


def test_an_error_comes_after_the_items_before_it():
    numbers = ahead(Source(9, error_at=3))
    assert [next(numbers) for _ in range(3)] == [0, 1, 2]
    for _ in range(2):  # and stays
        with pytest.raises(OSError, match="broken at 3"):
            next(numbers)


def test_what_cannot_be_iterated_is_an_error_where_it_is_read():
    with pytest.raises(TypeError, match="not iterable"):
        next(ahead(7))


def test_closing_stops_the_thread_and_closes_the_source_in_it():
    source = Source(1000)
    numbers = ahead(source, 2)
    next(numbers)
    numbers.close()
    assert source.closed.is_set() and not source.thread.is_alive() and source.made <= 4
    with pytest.raises(StopIteration):
        next(numbers)
    numbers.close()


def test_closing_before_the_first_item():
    source = Source(1000, pause=0.01)
    ahead(source).close()
    assert source.made <= 2


def test_a_reader_that_is_dropped_stops_the_thread():
    source = Source(10**9)
    numbers = ahead(source)
    next(numbers)
    thread = source.thread
    del numbers
    gc.collect()
    assert source.closed.wait(PATIENCE) and ended(thread)


def test_an_error_in_the_readers_loop_stops_the_thread():
    source = Source(10**9)

    def read() -> None:
        for number in ahead(source):
            raise KeyError(number)

    with pytest.raises(KeyError) as caught:
        read()
    del caught
    gc.collect()
    assert source.closed.wait(PATIENCE) and ended(source.thread)


def test_an_item_is_the_readers_own():
    """No thread holds on to an item that was handed over: frames are large."""

    class Item:
        alive = 0

        def __init__(self):
            Item.alive += 1

        def __del__(self):
            Item.alive -= 1

    items = ahead((Item() for _ in range(50)), 2)
    for count, item in enumerate(items):
        assert Item.alive <= 4
        if count == 49:
            assert settles(lambda: Item.alive, 1)
        del item
    assert Item.alive == 0


@pytest.mark.parametrize(("putting", "writing"), [(0.0, 0.0), (0.005, 0.0), (0.0, 0.005)])
def test_all_is_written_in_order_and_in_another_thread(putting, writing):
    written, threads = [], set()

    def write(item: int) -> None:
        time.sleep(writing)
        written.append(item)
        threads.add(threading.current_thread())

    with Behind(write, 2) as output:
        for number in range(15):
            output.put(number)
            time.sleep(putting)
    assert written == list(range(15))
    (thread,) = threads
    assert thread is not threading.main_thread() and not thread.is_alive()


def test_put_waits_while_the_queue_is_full():
    written, gate = [], threading.Semaphore(0)

    def write(item: int) -> None:
        gate.acquire()
        written.append(item)

    output = Behind(write, 2)
    for number in range(3):  # one in hand, two that wait
        output.put(number)
    late = threading.Thread(target=output.put, args=(3,), daemon=True)
    late.start()
    late.join(0.1)
    assert late.is_alive() and not written
    gate.release()
    assert ended(late)
    gate.release(3)
    output.close()
    assert written == [0, 1, 2, 3]


def fail_at_two(item: int) -> None:
    if item == 2:
        raise OSError("disk full")


def test_what_the_writer_raises_comes_out_of_put_once_and_no_more_is_taken():
    output = Behind(fail_at_two, 1)
    with pytest.raises(OSError, match="disk full"):
        for number in range(1000):
            output.put(number)
    assert number <= 5
    with pytest.raises(OSError, match="disk full"):
        output.put(0)
    output.close()  # has been told already


def test_an_error_of_the_last_items_comes_out_of_close():
    output = Behind(fail_at_two, 10)
    for number in range(3):
        output.put(number)
    with pytest.raises(OSError, match="disk full"):
        output.close()


def test_an_error_of_the_block_goes_before_one_of_the_writer():
    with pytest.raises(KeyError), Behind(fail_at_two, 10) as output:
        for number in range(3):
            output.put(number)
        raise KeyError("mine")


def test_what_is_queued_is_still_written_when_the_block_is_left_by_an_error():
    written = []
    with pytest.raises(KeyError), Behind(written.append, 10) as output:
        for number in range(5):
            output.put(number)
        raise KeyError("cancelled")
    assert written == [0, 1, 2, 3, 4]


def test_closing_twice_and_putting_after():
    written = []
    output = Behind(written.append)
    output.put(1)
    output.close()
    output.close()
    with pytest.raises(ValueError, match="after close"):
        output.put(2)
    assert written == [1]


def test_a_writer_that_is_dropped_finishes_and_ends():
    written, threads = [], []

    def write(item: int) -> None:
        threads.append(threading.current_thread())
        written.append(item)

    output = Behind(write)
    output.put(1)
    assert settles(lambda: len(threads), 1)
    del output
    gc.collect()
    assert ended(threads[0]) and written == [1]


def test_both_ends_of_a_line_of_three():
    """Read, compute and write overlapped, as along a clip, and left in the middle."""
    source, written = Source(10**6), []
    numbers = ahead(source, 2)
    with Behind(written.append, 2) as output:
        for number in numbers:
            output.put(-number)
            if number == 30:
                break
    numbers.close()
    assert written == [-n for n in range(31)] and not source.thread.is_alive()
