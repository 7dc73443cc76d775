"""Shards: sets of files that are replaced whole, and named where they are not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from deblur_demo.errors import CheckpointError, InputError
from training.shards import read_shards, write_shards
from training.state import load_state, save_state

CPU = torch.device("cpu")


def test_shards_are_one_set_or_the_other(tmp_path: Path):
    index, old, new = tmp_path / "a.json", bytes(range(250)) * 4, bytes(300)
    assert [path.stat().st_size for path in write_shards(index, old, 400)] == [400, 400, 200]
    # As if the next set had been interrupted before its index was written.
    (tmp_path / "a-2-0.shard").write_bytes(b"half")
    (tmp_path / "a-b-1-0.shard").write_bytes(b"another index'")
    assert read_shards(index) == old
    assert [path.name for path in write_shards(index, new, 400)] == ["a-2-0.shard"]
    assert read_shards(index) == new
    assert sorted(path.name for path in tmp_path.glob("*.shard")) == ["a-2-0.shard", "a-b-1-0.shard"]


def test_a_damaged_index_is_replaced_by_a_later_edition(tmp_path: Path):
    index = tmp_path / "a.json"
    for _ in range(3):
        write_shards(index, bytes(300), 100)
    index.write_text("{")
    assert [path.name for path in write_shards(index, bytes(200), 200)] == ["a-4-0.shard"]
    assert read_shards(index) == bytes(200) and len(list(tmp_path.glob("*.shard"))) == 1


def test_damaged_shards_are_named(tmp_path: Path):
    index = tmp_path / "a.json"
    shards = write_shards(index, bytes(300), 100)
    shards[1].write_bytes(bytes(99) + b"x")
    with pytest.raises(InputError, match="not as they were written"):
        read_shards(index)
    shards[1].unlink()
    with pytest.raises(InputError, match=r"lacks a-1-1\.shard"):
        read_shards(index)
    for text in ("{", "[]", '{"edition": 1}', '{"edition": "x", "count": 1, "sha256": ""}'):
        index.write_text(text)
        with pytest.raises(InputError, match="no index"):
            read_shards(index)


def test_a_folder_keeps_the_state_that_was_written_last(tmp_path: Path):
    for update, shard in ((1, None), (2, 500), (3, None), (4, 1000)):
        save_state(tmp_path, {"update": update, "weights": torch.ones(400)}, shard)
        assert load_state(tmp_path, CPU)["update"] == update
        assert (tmp_path / "state.pt").exists() is (shard is None) is not (tmp_path / "state.json").exists()
    next(tmp_path.glob("*.shard")).unlink()
    with pytest.raises(CheckpointError, match="lacks state-1-.*begin anew"):
        load_state(tmp_path, CPU)
