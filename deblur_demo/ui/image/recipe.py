"""What made a result: the network, and how it ran. The pickers may say something else by the time it is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deblur_demo.pipeline import Job
    from deblur_demo.runtime.deblurrer import Deblurrer
    from deblur_demo.runtime.device import Placement
    from deblur_demo.ui.borrowed import BorrowedDeblurrer


@dataclass(frozen=True)
class Recipe:
    """What made a result.

    Attributes:
        job: what was asked for.
        iterations: a number or "auto"; None where the network has stages of its own and no number is asked for.
        placement: where and in which format it began; None where that was left to a GPU that was borrowed.
    """

    job: Job
    iterations: int | str | None
    placement: Placement | None = None

    @classmethod
    def of(cls, job: Job, deblurrer: Deblurrer | BorrowedDeblurrer) -> Recipe:
        """The recipe of a job on the network that does it."""
        iterations = job.iterations if deblurrer.model.traits.iterative else None
        return cls(job, iterations, getattr(deblurrer, "placement", None))

    @property
    def weights(self) -> str | None:
        """What a visitor calls weights of his own; None: they are those that come with the model."""
        return None if self.job.checkpoint is None else Path(self.job.checkpoint).stem

    def facts(self) -> dict[str, object]:
        """As JSON knows it, in the words of the command line's report; ``device`` is None where it is not known."""
        job, placement = self.job, self.placement
        return {
            "model": job.model,
            "checkpoint": None if job.checkpoint is None else Path(job.checkpoint).name,
            "device": placement and placement.device.type,
            "precision": placement.precision if placement else job.precision,
            "iterations": self.iterations,
            "tile": job.tile,
            "ensemble": job.ensemble,
            "size": job.size,
        }
