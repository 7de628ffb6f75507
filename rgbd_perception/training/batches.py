"""Training batches from shards: each is a function of the seed and its number, so that resuming is exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

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


class Batch(NamedTuple):
    """One batch, or a part of one; B samples, grid h x w = H/stride x W/stride.

    color (B, H, W, 3) uint8, depth (B, H, W) float32 metres (0 none), tables: B tensors (S_b, D) of unit
    rows, indices (B, h, w) int32 into them (0 none, else 1 + row), labels (B, h, w) int64, -1 none.
    ``counts``: pixels with a target, and the sum of the class weights of those with a label.
    """

    color: Tensor
    depth: Tensor
    tables: tuple[Tensor, ...]
    indices: Tensor
    labels: Tensor
    names: tuple[str, ...]
    counts: dict[str, float]

    def part(self, first: int, stop: int) -> Batch:
        """The samples from ``first`` up to ``stop``; the counts stay those of the whole."""
        return Batch(*(values[first:stop] for values in self[:-1]), counts=self.counts)  # type: ignore[arg-type, misc]


class BatchMaker:
    """Draws batches from shards."""

    def __init__(
        self,
        shards: Sequence[Shard],
        config: BatchConfig,
        seed: int,
        stride: int,
        class_weights: NDArray[np.float32],
    ) -> None:
        """class_weights (C,): what a labelled pixel counts in the mean of the contrastive term."""
        self._shards, self._config, self._seed, self._stride = shards, config, seed, stride
        self._ends = np.cumsum([len(shard) for shard in shards])
        self._weights = np.concatenate(([0.0], class_weights))

    def make(self, number: int, size: int, crop: CropConfig, part: int = 0) -> Batch:
        """Part ``part`` of batch ``number``, of ``size`` samples; the same arguments give the same.

        A sample depends on its place in the whole batch only: two parts of 4 are one of 8.
        """
        places = range(part * size, (part + 1) * size)
        samples = [self._sample(*self._draw(number, place), crop) for place in places]
        color, depth, tables, indices, labels, names = zip(*samples, strict=True)
        targets, classes = np.stack(indices), np.stack(labels)
        return Batch(
            torch.from_numpy(np.stack(color)),
            torch.from_numpy(np.stack(depth)),
            tuple(torch.from_numpy(table) for table in tables),
            torch.from_numpy(targets),
            torch.from_numpy(classes),
            names,
            {
                "distillation": float(np.count_nonzero(targets)),
                "contrast": float(self._weights[classes + 1].sum()),
            },
        )

    def _draw(self, number: int, place: int) -> tuple[int, int, np.random.Generator]:
        """Shard, view of it, and the random numbers for the sample at ``place`` of batch ``number``."""
        rng = np.random.default_rng((self._seed, number, place))
        index = int(rng.integers(0, self._ends[-1]))
        shard = int(np.searchsorted(self._ends, index, side="right"))
        return shard, index - int(self._ends[shard]) + len(self._shards[shard]), rng

    def _sample(self, number: int, index: int, rng: np.random.Generator, crop: CropConfig) -> tuple:
        shard = self._shards[number]
        view = random_crop(shard.view(index), crop, rng)
        half = self._stride // 2
        rows = view.rows[half :: self._stride, half :: self._stride]
        ids = np.unique(rows[rows > 0]).astype(np.int64)
        embeddings = self._targets(shard.embeddings[ids - 1].astype(np.float32), rng)
        table, indices = segment_targets(
            rows, ids, embeddings, np.zeros(embeddings.shape[1], np.float32), 0.0
        )
        labels = np.concatenate(([-1], shard.classes[ids - 1].astype(np.int64)))[indices]
        color, depth = self._worsen(view, rng)
        return color, depth, table, indices, labels, f"view {index} of shard {number}"

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
