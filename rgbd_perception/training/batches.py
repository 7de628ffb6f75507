"""Training batches from shards: each is a function of the seed and its number, so that resuming is exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rgbd_perception.training.augment_color import ColorAugmentation, augment_color
from rgbd_perception.training.augment_depth import DepthAugmentation, augment_depth
from rgbd_perception.training.crops import CropConfig, random_crop
from rgbd_perception.training.losses import segment_targets
from rgbd_perception.training.modality_dropout import drop_modality
from rgbd_perception.training.shards import Shard, View


@dataclass(frozen=True)
class BatchConfig:
    """How views become training samples.

    ``drop_depth`` and ``drop_color`` are the probabilities that a sample comes without one of its images, so
    that the network works without depth and does not lean on color alone. ``mean_target`` is the probability
    that an object's target is the mean of its descriptions; otherwise it is a random one of them.
    """

    color: ColorAugmentation = field(default_factory=ColorAugmentation)
    depth: DepthAugmentation = field(default_factory=DepthAugmentation)
    drop_depth: float = 0.12
    drop_color: float = 0.05
    mean_target: float = 0.5


@dataclass(frozen=True)
class Batch:
    """One batch; B samples, grid h x w = H/stride x W/stride.

    color (B, H, W, 3) uint8, depth (B, H, W) float32 metres (0 none), tables: B tensors (S_b, D) of unit
    rows, indices (B, h, w) int32 into them (0 none, else 1 + row), labels (B, h, w) int64, -1 none.
    """

    color: NDArray[np.uint8]
    depth: NDArray[np.float32]
    tables: tuple[Tensor, ...]
    indices: Tensor
    labels: Tensor


class BatchMaker:
    """Draws batches from shards."""

    def __init__(self, shards: Sequence[Shard], config: BatchConfig, seed: int, stride: int) -> None:
        self._shards, self._config, self._seed, self._stride = shards, config, seed, stride
        self._ends = np.cumsum([len(shard) for shard in shards])

    def make(self, number: int, size: int, crop: CropConfig) -> Batch:
        """Batch ``number`` of ``size`` samples; the same arguments give the same batch."""
        rng = np.random.default_rng((self._seed, number))
        samples = [self._sample(view, crop, rng) for view in self._draw(number, size)]
        color, depth, tables, indices, labels = zip(*samples, strict=True)
        return Batch(
            np.stack(color),
            np.stack(depth),
            tuple(torch.from_numpy(table) for table in tables),
            torch.from_numpy(np.stack(indices)),
            torch.from_numpy(np.stack(labels)),
        )

    def _draw(self, number: int, size: int) -> list[tuple[Shard, View]]:
        rng = np.random.default_rng((self._seed, number, 1))
        chosen = rng.integers(0, self._ends[-1], size)
        drawn = []
        for index in chosen:
            place = int(np.searchsorted(self._ends, index, side="right"))
            shard = self._shards[place]
            drawn.append((shard, shard.view(int(index - self._ends[place] + len(shard)))))
        return drawn

    def _sample(self, drawn: tuple[Shard, View], crop: CropConfig, rng: np.random.Generator) -> tuple:
        shard, view = drawn
        view = random_crop(view, crop, rng)
        half = self._stride // 2
        rows = view.rows[half :: self._stride, half :: self._stride]
        ids = np.unique(rows[rows > 0]).astype(np.int64)
        embeddings = self._targets(shard.embeddings[ids - 1].astype(np.float32), rng)
        table, indices = segment_targets(
            rows, ids, embeddings, np.zeros(embeddings.shape[1], np.float32), 0.0
        )
        labels = np.concatenate(([-1], shard.classes[ids - 1].astype(np.int64)))[indices]
        color, depth = self._worsen(view, rng)
        return color, depth, table, indices, labels

    def _targets(self, descriptions: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """(S, K, D) descriptions -> (S, D) targets."""
        objects, choices = descriptions.shape[:2]
        single = descriptions[np.arange(objects), rng.integers(0, choices, objects)]
        use_mean = rng.random((objects, 1)) < self._config.mean_target
        means: NDArray[np.float32] = descriptions.mean(axis=1)
        return np.asarray(np.where(use_mean, means, single), dtype=np.float32)

    def _worsen(self, view: View, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        config = self._config
        color = augment_color(view.color, config.color, rng)
        depth = augment_depth(view.depth.astype(np.float32) / 1000.0, config.depth, rng)
        return drop_modality(color, depth, config.drop_depth, config.drop_color, rng)
