"""Where to compute and in which number format: device, precision, free memory."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from deblur_demo.errors import DeviceError
from deblur_demo.settings import DEVICE, PRECISION

# Activations come and go in blocks of 10 to 100 MB, and touching fresh pages of 4 KB took 15 % of an iteration of
# `mtrnn` at 1280x720. On Linux, torch asks for huge pages if this is set before its first tensor.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_UNLIMITED = 1 << 62


@dataclass(frozen=True)
class Placement:
    """Where a network lives and the type of its weights and features. Images are fp32 everywhere."""

    device: torch.device
    dtype: torch.dtype

    @property
    def precision(self) -> str:
        """The word for the type, as ``place`` takes it."""
        return next(name for name, dtype in DTYPES.items() if dtype == self.dtype)

    @property
    def name(self) -> str:
        """For tables and notices, for example "cpu, bf16"."""
        return f"{self.device.type}, {self.precision}"


def place(device: str = "auto", precision: str = "auto") -> Placement:
    """Choose a device and a precision that this machine has.

    Args:
        device: "auto" (the best there is), "cuda", "mps" or "cpu".
        precision: "auto" (the fastest that loses less than 0.02 dB), "fp32", "bf16" or "fp16".

    Raises:
        SettingError: not one of these words.
        DeviceError: this machine has no such device, or the device cannot compute in this format.
    """
    device, precision = DEVICE.parse(device), PRECISION.parse(precision)
    present = devices()
    chosen = present[0] if device == "auto" else device
    if chosen not in present:
        raise DeviceError(f"this machine has no {chosen} device", ", ".join(present), "Choose one of these, or auto")
    able = precisions(chosen)
    if precision == "auto":
        precision = able[0]
    elif precision not in able:
        raise DeviceError(
            f"{chosen} here cannot compute in {precision}", ", ".join(able), "Choose one of these, or auto"
        )
    return Placement(torch.device(chosen), DTYPES[precision])


def devices() -> tuple[str, ...]:
    """The devices of this machine, best first."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return tuple(name for name, there in available.items() if there)


def precisions(device: str) -> tuple[str, ...]:
    """The formats that a device computes in its hardware, best first.

    A format that a CPU only emulates is left out: fp16 without its instructions takes ten times as long as fp32.
    """
    if device == "cuda":
        native_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return ("bf16", "fp16", "fp32") if native_bf16 else ("fp16", "fp32")
    if device == "mps":
        return ("fp16", "bf16", "fp32") if torch.backends.mps.is_macos_or_newer(14, 0) else ("fp16", "fp32")
    has = _cpu_has()
    bf16, fp16 = has & {"avx512_bf16", "amx_bf16"}, has & {"avx512_fp16", "amx_fp16"}
    return (*(("bf16",) if bf16 else ()), "fp32", *(("fp16",) if fp16 else ()))


def _cpu_has() -> set[str]:
    """Instruction sets by the names of ``torch.cpu.get_capabilities``, as far as oneDNN would use them."""
    if not torch.backends.mkldnn.is_available():
        return set()
    if hasattr(torch.cpu, "get_capabilities"):  # public since torch 2.11
        return {name for name, there in torch.cpu.get_capabilities().items() if there is True}
    probes = {
        "avx512_bf16": "_is_avx512_bf16_supported",
        "amx_bf16": "_is_amx_tile_supported",
        "amx_fp16": "_is_amx_fp16_supported",
    }
    return {name for name, probe in probes.items() if getattr(torch.cpu, probe, bool)()}


def exact_fp32(placement: Placement) -> AbstractContextManager:
    """Within it, fp32 has 24 bits: by default a GPU convolves fp32 numbers with the 11 bits of TF32."""
    if placement.device.type != "cuda" or placement.dtype != torch.float32:
        return nullcontext()
    cudnn = torch.backends.cudnn
    return cudnn.flags(
        enabled=cudnn.enabled, benchmark=cudnn.benchmark, deterministic=cudnn.deterministic, allow_tf32=False
    )


def synchronize(device: torch.device) -> None:
    """Wait until a device has done all it was given, so that a clock read next tells the truth."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def free_memory(device: torch.device) -> int:
    """Bytes that can still be allocated without swapping, within the limits of a container."""
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + cached
    import psutil  # a rented GPU may come without it, and needs no such answer

    available = min(psutil.virtual_memory().available, cgroup_room())
    if device.type == "mps":  # shares the memory of the CPU
        return min(available, torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory())
    return available


def used_memory() -> int:
    """Bytes of memory that this process has, shared libraries included."""
    import psutil

    return psutil.Process().memory_info().rss


def release_freed_memory() -> None:
    """Give back to the system what the C library keeps of freed blocks for later; as much as tiles work in."""
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "malloc_trim"):
        library.malloc_trim(0)


def cgroup_room(root: Path = Path("/")) -> int:
    """Bytes left under the tightest memory limit of this process's control groups (Linux, v1 and v2).

    Args:
        root: where ``proc`` and ``sys`` are.

    Returns:
        A number larger than any memory where there is no limit.
    """
    try:
        memberships = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # not Linux
        return _UNLIMITED
    room = _UNLIMITED
    for line in memberships:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            mount, files = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif controllers == "memory":
            mount = root / "sys/fs/cgroup/memory"
            files = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        # A limit binds all groups below it, and inside a container the group's own path may not be mounted.
        group = mount / path.lstrip("/")
        for folder in (group, *group.parents):
            room = min(room, _room(folder, *files))
            if folder == mount:
                break
    return room


def _room(folder: Path, limit: str, usage: str, reclaimable: str) -> int:
    try:
        allowed = int((folder / limit).read_text())
        used = int((folder / usage).read_text())
        counters = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no such group, or the limit is the word "max"
        return _UNLIMITED
    # Cached files count as used, but make way.
    return max(0, allowed - used + int(counters.get(reclaimable, 0)))


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device had no memory left; each device says it in its own way."""
    said = ("out of memory", "can't allocate memory", "not enough memory", "could not create a memory object")
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or any(words in str(error) for words in said)
