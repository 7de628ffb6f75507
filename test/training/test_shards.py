"""Shards: what is written is read, and what is not whole is not there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rgbd_perception.errors import UserError
from rgbd_perception.training.shards import (
    ShardArrays,
    ShardInfo,
    list_shards,
    open_shards,
    write_shard,
)
from test.training.tiny import CLASSES, SIZE, write_tiny_shards


def test_what_is_written_is_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = ShardArrays(
        color=rng.integers(0, 256, (3, 6, 8, 3), dtype=np.uint8),
        depth=rng.integers(0, 9000, (3, 6, 8)).astype(np.uint16),
        rows=rng.integers(0, 5, (3, 6, 8)).astype(np.uint16),
        embeddings=rng.standard_normal((4, 2, 16)).astype(np.float16),
        classes=np.array([3, 1, 2, 0], np.uint8),
    )
    info = ShardInfo((5, 6), "space", ("a", "b", "c", "d"))
    write_shard(tmp_path / "shard_00007", arrays, info)
    (shard,) = open_shards(tmp_path)
    assert shard.info == info
    assert len(shard) == 3
    view = shard.view(1)
    np.testing.assert_array_equal(view.color, arrays.color[1])
    np.testing.assert_array_equal(view.depth, arrays.depth[1])
    np.testing.assert_array_equal(view.rows, arrays.rows[1])
    np.testing.assert_array_equal(shard.embeddings, arrays.embeddings)
    np.testing.assert_array_equal(shard.classes, arrays.classes)


def test_a_shard_that_was_being_written_does_not_count(tmp_path: Path) -> None:
    write_tiny_shards(tmp_path, count=2)
    (tmp_path / "shard_00001").rename(tmp_path / "shard_00001.part")
    assert [path.name for path in list_shards(tmp_path)] == ["shard_00000"]


def test_a_folder_without_shards_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=str(tmp_path)):
        open_shards(tmp_path)


def test_a_cut_array_is_an_error(tmp_path: Path) -> None:
    write_tiny_shards(tmp_path, count=1)
    path = tmp_path / "shard_00000" / "color.npy"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(UserError, match=r"color\.npy"):
        open_shards(tmp_path)


def test_another_format_and_another_text_space_are_errors(tmp_path: Path) -> None:
    write_tiny_shards(tmp_path, count=2)
    path = tmp_path / "shard_00001" / "shard.json"
    fields = json.loads(path.read_text())
    path.write_text(json.dumps({**fields, "text_space": "other"}))
    with pytest.raises(UserError, match="differ"):
        open_shards(tmp_path)
    path.write_text(json.dumps({**fields, "version": 99}))
    with pytest.raises(UserError, match="99"):
        open_shards(tmp_path)


def test_tiny_shards_have_every_class(tmp_path: Path) -> None:
    write_tiny_shards(tmp_path, count=1)
    view = open_shards(tmp_path)[0].view(0)
    assert view.depth.shape == SIZE
    assert set(np.unique(view.rows)) <= set(range(1, len(CLASSES) + 1))
