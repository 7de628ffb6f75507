"""Batches of labelled views: augmented, stacked, with the targets that a loss needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rgbd_perception.errors import UserError
from rgbd_perception.training.datasets.mixture import Mixture, SampleOrder
from rgbd_perception.training.datasets.views import IGNORED, LabelledView
from rgbd_perception.training.losses import InstanceTargets, instance_targets, segment_targets
from rgbd_perception.training.recipe import Augmentations, Distillation, Multitask, Recipe

EXTRA_IMAGES = {"depth": "hha"}
"""Which image of a view a modality of the network is, where the names differ (DeLiVER)."""


class ViewBatch(NamedTuple):
    """B samples, or a part of them.

    color (B, H, W, 3) uint8, depth (B, H, W) float32 metres (0 none), extras: further images (B, H, W, 3)
    uint8 in the order of the network, labels (B, H, W) int64 (-1 none), scenes (B,) int64 (-1 none). Empty
    unless the loss needs them: instances, the fields of ``InstanceTargets``; tables, B tensors (S_b, D), and
    indices (B, h, w) int32 of ``segment_targets``. ``counts``: what the terms of the loss are means over.
    """

    color: Tensor
    depth: Tensor
    extras: tuple[Tensor, ...]
    labels: Tensor
    scenes: Tensor
    instances: dict[str, Tensor]
    tables: tuple[Tensor, ...]
    indices: Tensor
    names: tuple[str, ...]
    counts: dict[str, float]

    def part(self, first: int, stop: int) -> ViewBatch:
        """The samples from ``first`` up to ``stop``; the counts stay those of the whole."""
        chosen = slice(first, stop)
        return self._replace(
            color=self.color[chosen],
            depth=self.depth[chosen],
            extras=tuple(extra[chosen] for extra in self.extras),
            labels=self.labels[chosen],
            scenes=self.scenes[chosen],
            instances={name: target[chosen] for name, target in self.instances.items()},
            tables=self.tables[chosen],
            indices=self.indices[chosen],
            names=self.names[chosen],
        )


class ViewBatches:
    """Batches of a mixture of data sets, in the order of its epochs."""

    def __init__(self, mixture: Mixture, recipe: Recipe, stride: int, extras: Sequence[str] = ()) -> None:
        """stride: pixels along a side of a cell of the network's output; extras: names of further images."""
        self._mixture, self._recipe, self._stride, self._extras = mixture, recipe, stride, tuple(extras)
        self._order = SampleOrder(mixture, recipe.seed)

    @property
    def epoch_steps(self) -> int:
        """Batches in an epoch, whole ones."""
        return max(1, self._order.epoch_length // self._recipe.batch)

    def make(self, number: int, progress: float, part: int, parts: int) -> ViewBatch:
        size = self._recipe.batch // parts
        epoch, step = divmod(number, self.epoch_steps)
        first = epoch * self._order.epoch_length + step * self._recipe.batch + part * size
        views = [self._view(position) for position in range(first, first + size)]
        batch = stack_views(views, self._extras)
        loss = self._recipe.loss
        if isinstance(loss, Multitask):
            batch = _with_instances(batch, views)
        if isinstance(loss, Distillation):
            batch = _with_targets(batch, views, loss.diff_factor, self._stride)
        return batch._replace(counts=_counts(batch))

    def _view(self, position: int) -> LabelledView:
        view = self._mixture.view(self._order.index(position))
        return augmented(view, self._recipe.augmentation, self._order.rng(position))


def augmented(view: LabelledView, augmentation: Augmentations, rng: np.random.Generator) -> LabelledView:
    """``view`` changed at random; as it is where there is no augmentation."""
    return view if augmentation is None else augmentation(view, rng)


def stack_views(views: Sequence[LabelledView], extras: Sequence[str]) -> ViewBatch:
    """Views of one size as a batch without targets. Raises UserError where sizes or images do not fit."""
    if len({view.shape for view in views}) > 1:
        sizes = ", ".join(f"{view.name} {view.shape[0]}x{view.shape[1]}" for view in views)
        raise UserError(f"expected views of one size, got {sizes}: use an augmentation, or batch=1")
    return ViewBatch(
        color=_stack([view.color for view in views]),
        depth=_stack([_depth(view) for view in views]),
        extras=tuple(_stack([_extra(view, name) for view in views]) for name in extras),
        labels=_stack([view.semantic.astype(np.int64) for view in views]),
        scenes=torch.tensor([view.scene for view in views]),
        instances={},
        tables=(),
        indices=torch.zeros(len(views), 0, 0, dtype=torch.int32),
        names=tuple(view.name for view in views),
        counts={},
    )


def _with_instances(batch: ViewBatch, views: Sequence[LabelledView]) -> ViewBatch:
    targets = []
    for view in views:
        instance = np.zeros(view.shape, np.int32) if view.instance is None else view.instance
        labelled = torch.from_numpy(view.semantic != IGNORED)
        targets.append(instance_targets(torch.from_numpy(instance), labelled, view.orientations))
    names = InstanceTargets.__dataclass_fields__
    return batch._replace(
        instances={name: torch.cat([getattr(target, name) for target in targets]) for name in names}
    )


def _with_targets(
    batch: ViewBatch, views: Sequence[LabelledView], diff_factor: float, stride: int
) -> ViewBatch:
    """Tables, and index images reduced to the network's grid by nearest neighbour, as published."""
    targets = [_targets(view, diff_factor) for view in views]
    return batch._replace(
        tables=tuple(torch.from_numpy(table) for table, _ in targets),
        indices=_stack([np.ascontiguousarray(index[::stride, ::stride]) for _, index in targets]),
    )


def _targets(view: LabelledView, diff_factor: float) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    embeddings = view.embeddings
    if embeddings is None or view.segments is None:
        raise UserError(
            f"expected embeddings of {view.name}, found none: run rgbd-perception teach on the data first, "
            "and name its teacher in the configuration"
        )
    vectors = embeddings.vectors.mean(axis=1)
    image = np.zeros(vectors.shape[1], np.float32) if embeddings.image is None else embeddings.image
    factor = 0.0 if embeddings.image is None else diff_factor
    return segment_targets(view.segments, embeddings.ids, vectors, image, factor)


def _counts(batch: ViewBatch) -> dict[str, float]:
    if len(batch.tables):
        return {"distillation": float((batch.indices > 0).sum())}
    counts = {"semantic": float((batch.labels != IGNORED).sum())}
    if batch.instances:
        counts |= {
            "center": float(batch.instances["labelled"].sum()),
            "offset": float(batch.instances["things"].sum()),
            "orientation": float(batch.instances["oriented"].sum()),
            "scene": float((batch.scenes != IGNORED).sum()),
        }
    return {**counts, "token_scores": float(len(batch.names))}


def _depth(view: LabelledView) -> NDArray[np.float32]:
    return np.zeros(view.shape, np.float32) if view.depth is None else view.depth


def _extra(view: LabelledView, name: str) -> NDArray[np.uint8]:
    image = view.modalities.get(EXTRA_IMAGES.get(name, name))
    if image is None:
        raise UserError(f"{view.name} has no image of the modality {name}, which the network needs")
    return image


def _stack(arrays: Sequence[NDArray]) -> Tensor:
    return torch.from_numpy(np.stack(arrays))
