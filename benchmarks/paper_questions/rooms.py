"""The rooms that all rows are trained and scored on: rendered views, reduced once to a small size."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.inference.preprocess import shrink_color, shrink_depth
from rgbd_perception.training.config import TrainConfig
from rgbd_perception.training.losses.targets import unit_rows
from rgbd_perception.training.render_shards import load_classes, render_all
from rgbd_perception.training.shards import Shard, ShardArrays, list_shards, open_shards, write_shard
from rgbd_perception.training.views_config import SplitConfig, ViewsConfig

FACTOR = 4
"""Pixels of a rendered view along a side of one that is trained on: 60x80 of 240x320."""

SPLITS = ("train", "test")

VIEWS = ViewsConfig(train=SplitConfig(0, 300), validation=SplitConfig(900_000, 6))
"""The first half of the training apartments of ``rgbd_mini``, and its held-out ones."""


@dataclass(frozen=True)
class Rooms:
    """Reduced views: ``train`` and ``test`` are shards, ``classes`` (C, D) unit rows of the class texts."""

    root: Path
    train: list[Shard]
    test: list[Shard]
    classes: NDArray[np.float32]


def open_rooms(source: Path, reduced: Path, views: ViewsConfig = VIEWS) -> Rooms:
    """The rooms below ``source``, rendered where they are missing, reduced into the folder ``reduced``."""
    render_all(views, source, TrainConfig.text_space, os.cpu_count() or 1)
    per_shard = views.apartments_per_shard
    for split, config in zip(SPLITS, (views.train, views.test), strict=True):
        for folder in list_shards(source / split)[: -(-config.apartments // per_shard)]:
            if not (reduced / split / folder.name / "shard.json").exists():
                shard = Shard(folder)
                write_shard(reduced / split / folder.name, _reduce(shard), shard.info)
    train, test = (open_shards(reduced / split) for split in SPLITS)
    return Rooms(reduced, train, test, load_classes(source))


def projected(rooms: Rooms, dimension: int) -> Rooms:
    """The same rooms with texts projected on the ``dimension`` principal axes of the training texts."""
    if dimension == rooms.classes.shape[1]:
        return rooms
    axes = _principal_axes(rooms.train, dimension)
    train, test = (
        [_with_axes(folder, axes) for folder in list_shards(rooms.root / split)] for split in SPLITS
    )
    return Rooms(rooms.root, train, test, unit_rows(rooms.classes @ axes))


def _principal_axes(shards: Sequence[Shard], dimension: int) -> NDArray[np.float32]:
    """(D, dimension) orthonormal columns that keep most of the texts' squared length, without centring."""
    texts = np.concatenate([shard.embeddings.reshape(-1, shard.embeddings.shape[-1]) for shard in shards])
    texts = texts.astype(np.float32)
    _, vectors = np.linalg.eigh(texts.T @ texts)
    return np.ascontiguousarray(vectors[:, ::-1][:, :dimension])


def _with_axes(folder: Path, axes: NDArray[np.float32]) -> Shard:
    shard = Shard(folder)
    shard.embeddings = unit_rows(shard.embeddings.astype(np.float32) @ axes).astype(np.float16)
    return shard


def _reduce(shard: Shard) -> ShardArrays:
    """Color averaged; depth and objects of one pixel in each block."""
    views = [shard.view(index) for index in range(len(shard))]
    middle = (FACTOR - 1) // 2
    return ShardArrays(
        color=np.stack([shrink_color(np.asarray(view.color), FACTOR) for view in views]),
        depth=np.stack([_shrink_millimetres(np.asarray(view.depth)) for view in views]),
        rows=np.stack([view.rows[middle::FACTOR, middle::FACTOR] for view in views]),
        embeddings=shard.embeddings,
        classes=shard.classes,
    )


def _shrink_millimetres(depth: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Depth (H, W) as shards hold it, one pixel of each block."""
    metres = shrink_depth(depth.astype(np.float32) / np.float32(1000), FACTOR)
    return np.rint(metres * 1000).astype(np.uint16)
