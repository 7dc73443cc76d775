"""Where a run computes: processes and devices by Hugging Face Accelerate, and the number format.

One process or many is the same to the loop: whatever has to be agreed on goes through here. The
format is a run's own, not the launcher's (``--precision``, not ``accelerate launch
--mixed_precision``), because one program may train several runs in different ones.
"""

from __future__ import annotations

import math
import signal
import warnings
from contextlib import AbstractContextManager, nullcontext

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from torch import Tensor, nn

from deblur_demo.errors import SettingError
from deblur_demo.runtime.device import DTYPES


class Machine:
    """The processes of a run, as seen from one of them.

    Attributes:
        device: of this process.
        processes: their number.
        rank: of this one, from 0.
        main: whether this one writes files and shows progress.
    """

    def __init__(self, device: torch.device, precision: str = "bf16"):
        """Join the processes that ``accelerate launch`` started, or be the only one.

        Args:
            device: kind of device; among several processes each gets its own.
            precision: "fp32", "bf16" or "fp16"; weights, loss and optimiser stay fp32.
        """
        # Buffers are constants here, so there is no need to hand them round before every pass.
        sharing = DistributedDataParallelKwargs(broadcast_buffers=False)
        self._accelerator = Accelerator(cpu=device.type == "cpu", mixed_precision="no", kwargs_handlers=[sharing])
        self.device = self._accelerator.device
        self.processes, self.rank = self._accelerator.num_processes, self._accelerator.process_index
        self.main = self._accelerator.is_main_process
        self._dtype = DTYPES[precision]
        # fp16 loses gradients below 6e-8, so they are scaled up before it can; elsewhere this does nothing.
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "fp16")

    def pieces(self, batch: int, accumulate: int) -> int:
        """Pieces of a batch: a multiple of ``accumulate`` that the processes can share.

        Raises:
            SettingError: the crops of the batch cannot be shared out equally.
        """
        pieces = math.lcm(accumulate, self.processes)
        if batch % pieces:
            raise SettingError(
                f"a batch of {batch} cannot be cut into {pieces} equal pieces "
                f"(accumulate {accumulate}, processes {self.processes})",
                f"a multiple of {pieces}",
                "Change --batch, or accumulate in the recipe",
            )
        return pieces

    def autocast(self) -> AbstractContextManager:
        """Within it, networks compute in the run's format."""
        if self._dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, self._dtype)

    def shared(self, network: nn.Module) -> nn.Module:
        """The network as something whose backward pass averages gradients over the processes."""
        with warnings.catch_warnings():
            # torch 2.13 renames ``broadcast_buffers``; 2.11 and Accelerate know the old name only.
            warnings.simplefilter("ignore", FutureWarning)
            return self._accelerator.prepare_model(network)

    def backward(self, loss: Tensor, network: nn.Module, last: bool) -> None:
        """Add the gradients of a loss, of one piece of a batch.

        Args:
            loss: of this process.
            network: as ``shared`` returned it.
            last: whether it is the last piece, after which the processes exchange gradients.
        """
        with nullcontext() if last else self._accelerator.no_sync(network):
            self._accelerator.backward(self.scaler.scale(loss))

    def step(self, optimiser: torch.optim.Optimizer, clip: float, loss: Tensor) -> bool:
        """Update the weights unless something is not finite, and forget the gradients.

        Args:
            optimiser: of the weights.
            clip: largest gradient norm.
            loss: mean over the whole batch.

        Returns:
            Whether the weights were updated; the same on every process.
        """
        self.scaler.unscale_(optimiser)
        parameters = [weight for group in optimiser.param_groups for weight in group["params"]]
        norm = torch.nn.utils.clip_grad_norm_(parameters, clip)
        # A loss that is not a number can have a finite gradient.
        fine = bool(torch.isfinite(norm + loss))
        if fine:
            self.scaler.step(optimiser)
        self.scaler.update()
        optimiser.zero_grad(set_to_none=True)
        return fine

    def mean(self, value: Tensor) -> Tensor:
        """Mean of a number over the processes."""
        return self._accelerator.reduce(value.detach(), "mean")

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on any process."""
        if self.processes == 1:
            return flag
        return bool(self._accelerator.reduce(torch.tensor(float(flag), device=self.device), "sum"))

    def from_main(self, value: float) -> float:
        """The main process' value, on every process, each of which waits for it here."""
        if self.processes == 1:
            return value
        chosen = torch.tensor(value if self.main else 0.0, dtype=torch.float64, device=self.device)
        return float(self._accelerator.reduce(chosen, "sum"))


class StopRequest:
    """While entered, turns SIGTERM into a flag, so that a go ends between two batches and saves."""

    def __enter__(self) -> StopRequest:
        self.requested = False
        self._before = signal.signal(signal.SIGTERM, self._request)
        return self

    def __exit__(self, *_) -> None:
        signal.signal(signal.SIGTERM, self._before)

    def _request(self, *_) -> None:
        self.requested = True
