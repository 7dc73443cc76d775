"""Where a run computes: processes and devices, and the number format.

One process or many is the same to the loop: whatever has to be agreed on goes through here. Several
are the work of Hugging Face Accelerate, which a single one does without. The format is a run's own,
not the launcher's (``--precision``, not ``accelerate launch --mixed_precision``), because one program
may train several runs in different ones.
"""

from __future__ import annotations

import atexit
import math
import os
import warnings
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from deblur_demo.errors import SettingError
from deblur_demo.runtime.device import DTYPES

# Where torchrun and MPI, the two that Accelerate launches with, say how many processes they started.
_COUNTS = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")


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
        self._accelerator, self.device = None, device
        self.processes, self.rank, self.main = 1, 0, True
        if any(int(os.environ.get(count, 1)) > 1 for count in _COUNTS):
            self._accelerator = accelerator = _join(device)
            self.device, self.main = accelerator.device, accelerator.is_main_process
            self.processes, self.rank = accelerator.num_processes, accelerator.process_index
        if self.device.type == "cuda":
            # Crops have one size, so the search for the fastest convolutions is made once.
            torch.backends.cudnn.benchmark = True
        self._dtype = DTYPES[precision]
        # fp16 loses gradients below 6e-8, so they are scaled up before it can; elsewhere this does nothing.
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "fp16")

    @property
    def fused(self) -> bool:
        """Whether torch's optimisers step all weights at once, in a kernel that ``step`` can hold back."""
        return self.device.type in ("cpu", "cuda")

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

    def laid_out(self, network: nn.Module) -> nn.Module:
        """The network on this device, with its weights in the order in memory that convolves fastest."""
        network = network.to(self.device, memory_format=torch.channels_last)
        if self.device.type == "cpu" and self._dtype == torch.bfloat16:
            for layer in network.modules():
                if isinstance(layer, nn.Conv2d) and max(layer.dilation) > 1 and layer.in_channels % 16:
                    # oneDNN, as in torch 2.13, returns NaN for the weights' gradient of these in channels-last.
                    layer.to(memory_format=torch.contiguous_format)
                    layer.register_forward_pre_hook(_contiguous)
        return network

    def autocast(self) -> AbstractContextManager:
        """Within it, networks compute in the run's format."""
        if self._dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, self._dtype)

    def shared(self, network: nn.Module) -> nn.Module:
        """The network as something whose backward pass averages gradients over the processes."""
        if self._accelerator is None:
            return network
        with warnings.catch_warnings():
            # torch 2.13 renames ``broadcast_buffers``; 2.11 and Accelerate know the old name only.
            warnings.simplefilter("ignore", FutureWarning)
            return self._accelerator.prepare_model(network)

    def piece(self, network: nn.Module, last: bool) -> AbstractContextManager:
        """Within it, the network sees one piece of a batch, forward and backward.

        Args:
            network: as ``shared`` returned it. Its forward pass decides whether gradients are exchanged.
            last: whether it is the last piece, after which the processes exchange gradients.
        """
        return nullcontext() if last or self._accelerator is None else self._accelerator.no_sync(network)

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss, of one piece of a batch on this process."""
        self.scaler.scale(loss).backward()

    def step(self, optimiser: torch.optim.Optimizer, clip: float, loss: Tensor) -> Tensor:
        """Update the weights unless something is not finite, and forget the gradients.

        Args:
            optimiser: of the weights.
            clip: largest gradient norm.
            loss: mean over the whole batch.

        Returns:
            Whether the weights were updated, on the device; the same on every process.
        """
        self.scaler.unscale_(optimiser)
        parameters = [weight for group in optimiser.param_groups for weight in group["params"]]
        norm = torch.nn.utils.clip_grad_norm_(parameters, clip)
        # A loss that is not a number can have a finite gradient.
        fine = torch.isfinite(norm + loss)
        if getattr(optimiser, "_step_supports_amp_scaling", False) and not self.scaler.is_enabled():
            # Muon and fused steps look at this on the device and leave all as it is; nobody waits for the answer.
            optimiser.found_inf = (~fine).float()
            optimiser.step()
        elif fine:
            self.scaler.step(optimiser)
        self.scaler.update()
        optimiser.zero_grad(set_to_none=True)
        return fine

    def mean(self, value: Tensor) -> Tensor:
        """Mean of a number over the processes."""
        return value.detach() if self._accelerator is None else self._accelerator.reduce(value.detach(), "mean")

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on any process."""
        if self._accelerator is None:
            return flag
        return bool(self._accelerator.reduce(torch.tensor(float(flag), device=self.device), "sum"))

    def from_main(self, value: float) -> float:
        """The main process' value, on every process, each of which waits for it here."""
        if self._accelerator is None:
            return value
        chosen = torch.tensor(value if self.main else 0.0, dtype=torch.float64, device=self.device)
        return float(self._accelerator.reduce(chosen, "sum"))


def _contiguous(_: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
    return (inputs[0].contiguous(),)


def _join(device: torch.device):
    """The processes by Accelerate."""
    from accelerate import Accelerator, DistributedDataParallelKwargs

    # Buffers are constants here, so there is no need to hand them round before every pass.
    sharing = DistributedDataParallelKwargs(broadcast_buffers=False)
    accelerator = Accelerator(cpu=device.type == "cpu", mixed_precision="no", kwargs_handlers=[sharing])
    # Its threads let go of what was exchanged last a moment later, and abort the process if Python is gone by then.
    atexit.register(accelerator.end_training)
    return accelerator
