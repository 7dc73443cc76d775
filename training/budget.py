"""How the minutes of a scaled run are shared out, before anything is trained.

Every row is timed first; then all get the same number of updates, as many as the slow ones leave
time for. Where those would be too few, all rows get smaller crops, then smaller batches, and are
timed again. What cannot be done in the time is refused here, not found out at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

from deblur_demo.errors import SettingError
from training.config import Recipe
from training.plan import Job, lighter

ENOUGH = 32  # updates below which crops are made smaller, and a second seed would cost more than it tells
FEW = 4  # updates of every row below which a table is not begun
RESERVE = 0.15  # share of the time kept back for what the timing missed
MEASURING = 0.25  # share of the time after which timing the rows goes on with the smallest crops
TESTING = 0.2  # share of the time for testing, at most, if one picture takes no more
HOPELESS = 3.0  # how far arithmetic must be beyond the time: it counts frozen parts as trained, say


@dataclass(frozen=True)
class Timing:
    """Seconds that a row takes: to set up and put away, for each update, and to evaluate one picture."""

    fixed: float
    update: float
    picture: float


@dataclass(frozen=True)
class Budget:
    """What the time allows: updates of every row, seeds, and pictures to evaluate on."""

    updates: int
    seeds: int
    pictures: int


@dataclass(frozen=True)
class Wanted:
    """What would be done with all the time in the world.

    Attributes:
        pictures: in the validation set.
        seeds: of each row.
        updates: of the shortest whole schedule, which no row exceeds.
    """

    pictures: int
    seeds: int
    updates: int


def budget(timings: Sequence[Timing], wanted: Wanted, seconds: float) -> Budget:
    """Share the time out.

    Args:
        timings: of the rows.
        wanted: the most that it is shared out for.
        seconds: that are left.

    Returns:
        A budget for one seed where the time does not suffice for more; its updates may be too few,
        or none.
    """
    seconds *= 1 - RESERVE
    fixed, per_update, per_picture = map(sum, zip(*((t.fixed, t.update, t.picture) for t in timings), strict=True))
    for seeds in range(wanted.seeds, 0, -1):
        pictures = max(1, min(wanted.pictures, int(TESTING * seconds / (seeds * per_picture))))
        left = seconds - seeds * (fixed + pictures * per_picture)
        updates = max(0, min(wanted.updates, int(left / (seeds * per_update))))
        if updates >= min(ENOUGH, wanted.updates):
            break
    return Budget(updates, seeds, pictures)


def share_out(
    jobs: list[Job],
    measure: Callable[[Recipe], Timing],
    wanted: Wanted,
    left: Callable[[], float],
    may_shrink: bool = True,
) -> tuple[list[Job], Budget]:
    """Time every row, and share out the time that this leaves.

    Args:
        jobs: the rows.
        measure: times the training and testing of one recipe.
        wanted: the most that the time is shared out for.
        left: seconds that are left of it.
        may_shrink: whether crops and batches may be made smaller where too few updates would fit.

    Returns:
        The rows as they are to be trained, and their budget.

    Raises:
        SettingError: not even a few updates fit.
    """
    before = left()
    while True:
        lightest = _lightest(jobs) if may_shrink else jobs
        timings = _timings(jobs, measure, left, (1 - MEASURING) * left() if lightest != jobs else 0.0)
        if timings is None:
            jobs = lightest
            continue
        share = budget(timings, wanted, left())
        smaller = jobs
        # Time goes down with the pixels of a batch at best: so far at once, because timing costs time, too.
        while smaller != lightest and share.updates * _pixels(jobs) < min(ENOUGH, wanted.updates) * _pixels(smaller):
            smaller = lighter(smaller)
        if smaller == jobs:
            break
        jobs = smaller
    if share.updates < min(FEW, wanted.updates):
        once = sum(t.fixed + FEW * t.update + t.picture for t in timings)
        raise _too_short(jobs, before, (before - left()) + once / (1 - RESERVE))
    return jobs, share


def refuse_hopeless(jobs: list[Job], speed: float, seconds: float, may_shrink: bool = True) -> None:
    """Say at once, before any row is timed, that the time is far too short by arithmetic alone.

    Args:
        jobs: the rows.
        speed: multiply-accumulates a second that this machine can reach.
        seconds: that there are.
        may_shrink: as in ``share_out``.

    Raises:
        SettingError: not even a few updates fit.
    """
    lightest = _lightest(jobs) if may_shrink else jobs
    needed = (FEW + 1) * sum(job.gmacs for job in lightest if job.trained) * 1e9 / speed  # one is for timing it
    if needed > HOPELESS * seconds:
        raise _too_short(jobs, seconds, needed)


def _timings(
    jobs: list[Job], measure: Callable[[Recipe], Timing], left: Callable[[], float], stop: float
) -> list[Timing] | None:
    """Of every row that is evaluated, or None if no more than ``stop`` seconds are left before the last is timed.

    A row that shares another's weights costs its testing only. A ``stop`` of 0 is an error.
    """
    measured: dict[str, Timing] = {}
    found, before = [], left()
    for job in jobs:
        if job.reason:
            continue
        key = repr(job.recipe)
        if key not in measured:
            if left() <= stop:
                if stop > 0:
                    return None
                raise _too_short(jobs, before, 2 * before)
            measured[key] = measure(job.recipe)
        one = measured[key]
        found.append(Timing(one.fixed * job.trained, one.update * job.trained, one.picture * job.row.ensemble))
    return found


def _lightest(jobs: list[Job]) -> list[Job]:
    while (smaller := lighter(jobs)) != jobs:
        jobs = smaller
    return jobs


def _pixels(jobs: list[Job]) -> int:
    """In a batch of the largest row."""
    return max(job.recipe.batch * job.recipe.crop**2 for job in jobs if job.trained)


def _too_short(jobs: list[Job], seconds: float, needed: float) -> SettingError:
    rows = sum(job.trained for job in jobs)
    return SettingError(
        f"{seconds / 60:.2g} minutes are too few for {FEW} updates of each of {rows} rows on this machine",
        f"about {ceil(needed / 60)} or more",
        "Raise --minutes",
    )
