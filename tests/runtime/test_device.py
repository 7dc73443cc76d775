"""Devices, precisions and the memory that is really free."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
import torch

from deblur_demo.errors import DeviceError, SettingError
from deblur_demo.runtime.device import cgroup_room, devices, free_memory, out_of_memory, place, precisions


def test_auto_takes_the_best_there_is():
    placement = place()
    assert placement.device.type == devices()[0]
    assert placement.name == f"{devices()[0]}, {precisions(devices()[0])[0]}"


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_precision_is_there_or_refused_with_those_that_are(precision):
    if precision in precisions("cpu"):
        assert place("cpu", precision).name == f"cpu, {precision}"
    else:
        with pytest.raises(DeviceError, match="fp32"):
            place("cpu", precision)


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused(device):
    if device in devices():
        pytest.skip(f"this machine has {device}")
    with pytest.raises(DeviceError, match=f"no {device} device. Accepted: .*cpu"):
        place(device)


@pytest.mark.parametrize("words", [("gpu", "auto"), ("cpu", "int8")])
def test_unknown_words_are_settings_errors(words):
    with pytest.raises(SettingError):
        place(*words)


def test_bf16_is_chosen_where_the_cpu_has_instructions_for_it():
    flags = Path("/proc/cpuinfo")
    if not flags.exists():
        pytest.skip("only Linux lists the flags of its CPU in /proc/cpuinfo")
    words = flags.read_text().split()
    assert (place("cpu").dtype == torch.bfloat16) == ("avx512_bf16" in words or "amx_bf16" in words)


def group(root: Path, path: str, files: dict[str, str]) -> None:
    folder = root / "sys/fs/cgroup" / path
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text + "\n")


def member(root: Path, lines: str) -> None:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(lines)


def test_room_under_a_limit_of_version_2_counts_cached_files_as_free(tmp_path):
    member(tmp_path, "0::/app/job\n")
    stat = "anon 5\ninactive_file 300"
    group(tmp_path, "app/job", {"memory.max": "max", "memory.current": "900", "memory.stat": stat})
    group(tmp_path, "app", {"memory.max": "2000", "memory.current": "1000", "memory.stat": stat})
    assert cgroup_room(tmp_path) == 2000 - 1000 + 300  # the parent's limit binds


def test_room_under_a_limit_of_version_1(tmp_path):
    member(tmp_path, "5:cpu:/x\n4:memory:/docker/abc\n0::/\n")
    files = {
        "memory.limit_in_bytes": "5000",
        "memory.usage_in_bytes": "4500",
        "memory.stat": "total_inactive_file 100",
    }
    group(tmp_path, "memory", files)  # inside a container its own group is mounted as the root
    assert cgroup_room(tmp_path) == 600


def test_no_limit_is_more_than_any_memory(tmp_path):
    member(tmp_path, "0::/\n")
    group(tmp_path, ".", {"memory.max": "max", "memory.current": "1", "memory.stat": "inactive_file 0"})
    assert cgroup_room(tmp_path) > 1 << 50
    assert cgroup_room(tmp_path / "no such system") > 1 << 50


def test_free_memory_is_no_more_than_what_the_machine_has():
    assert 0 < free_memory(torch.device("cpu")) <= psutil.virtual_memory().total


def test_a_real_failed_allocation_is_recognised_and_other_errors_are_not():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert out_of_memory(caught.value)
    with pytest.raises(RuntimeError) as caught:
        torch.rand(2, 3) @ torch.rand(2, 3)
    assert not out_of_memory(caught.value)
