"""Batches of labelled views: augmented, stacked, with the targets that a loss needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rgbd_perception.errors import UserError
from rgbd_perception.training.datasets.mixture import Mixture, SampleOrder
from rgbd_perception.training.datasets.views import IGNORED, LabelledView
from rgbd_perception.training.losses import InstanceTargets, instance_targets, segment_targets, side_sigma
from rgbd_perception.training.losses.instances import COUNTED_WHERE, SIGMA
from rgbd_perception.training.recipe import Augmentations, Distillation, Multitask, Recipe

EXTRA_IMAGES = {"depth": "hha"}
"""Which image of a view a modality of the network is, where the names differ (DeLiVER)."""


@dataclass(frozen=True)
class SideOutputs:
    """Tasks that a network answers at coarser ``strides`` too, to be trained there."""

    strides: tuple[int, ...] = ()
    semantic: bool = False
    instances: bool = False


class SideTargets(NamedTuple):
    """Targets at one of the strides: ``labels`` and ``instances`` of a ViewBatch, empty without the task."""

    labels: Tensor
    instances: dict[str, Tensor]


class ViewBatch(NamedTuple):
    """B samples, or a part of them.

    color (B, H, W, 3) uint8, depth (B, H, W) float32 metres (0 none), extras: further images (B, H, W, 3)
    uint8 in the order of the network, labels (B, H, W) int64 (-1 none), scenes (B,) int64 (-1 none). Empty
    unless the loss needs them: instances, the fields of ``InstanceTargets``; tables, B tensors (S_b, D), and
    indices (B, h, w) int32 of ``segment_targets``; sides, targets of the side outputs. ``counts``: what the
    terms of the loss are means over.
    """

    color: Tensor
    depth: Tensor
    extras: tuple[Tensor, ...]
    labels: Tensor
    scenes: Tensor
    instances: dict[str, Tensor]
    sides: tuple[SideTargets, ...]
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
            instances=_part(self.instances, chosen),
            sides=tuple(
                SideTargets(side.labels[chosen], _part(side.instances, chosen)) for side in self.sides
            ),
            tables=self.tables[chosen],
            indices=self.indices[chosen],
            names=self.names[chosen],
        )


def _part(targets: dict[str, Tensor], chosen: slice) -> dict[str, Tensor]:
    return {name: target[chosen] for name, target in targets.items()}


class ViewBatches:
    """Batches of a mixture of data sets, in the order of its epochs."""

    def __init__(
        self,
        mixture: Mixture,
        recipe: Recipe,
        stride: int,
        extras: Sequence[str] = (),
        sides: SideOutputs = SideOutputs(),
    ) -> None:
        """stride: pixels along a side of a cell of the network's output; extras: names of further images."""
        self._mixture, self._recipe, self._stride, self._extras = mixture, recipe, stride, tuple(extras)
        self._sides = sides
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
            batch = batch._replace(instances=_instances(views))
        batch = batch._replace(sides=_side_targets(views, self._sides))
        if isinstance(loss, Distillation):
            batch = _with_targets(batch, views, loss, self._stride)
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
        sides=(),
        tables=(),
        indices=torch.zeros(len(views), 0, 0, dtype=torch.int32),
        names=tuple(view.name for view in views),
        counts={},
    )


def _side_targets(views: Sequence[LabelledView], sides: SideOutputs) -> tuple[SideTargets, ...]:
    """Targets made of the nearest labels at every stride, as published."""
    return tuple(
        SideTargets(
            _stack([view.semantic[::stride, ::stride].astype(np.int64) for view in views])
            if sides.semantic
            else torch.zeros(len(views), 0, 0, dtype=torch.int64),
            _instances(views, stride) if sides.instances else {},
        )
        for stride in sides.strides
    )


def _instances(views: Sequence[LabelledView], stride: int = 1) -> dict[str, Tensor]:
    """Fields of ``InstanceTargets`` for the outputs, or for side outputs of ``stride``."""
    targets = []
    for view in views:
        instance = np.zeros(view.shape, np.int32) if view.instance is None else view.instance
        labelled = torch.from_numpy(view.semantic[::stride, ::stride] != IGNORED)
        targets.append(
            instance_targets(
                torch.from_numpy(instance[::stride, ::stride]),
                labelled,
                view.orientations,
                SIGMA if stride == 1 else side_sigma(stride),
            )
        )
    names = InstanceTargets.__dataclass_fields__
    return {name: torch.cat([getattr(target, name) for target in targets]) for name in names}


def _with_targets(
    batch: ViewBatch, views: Sequence[LabelledView], loss: Distillation, stride: int
) -> ViewBatch:
    """Tables, and index images reduced to the network's grid: one pixel of each cell, as ``loss`` says."""
    targets = [_targets(view, loss.diff_factor) for view in views]
    cells = slice(stride // 2 if loss.cells == "centre" else 0, None, stride)
    return batch._replace(
        tables=tuple(torch.from_numpy(table) for table, _ in targets),
        indices=_stack([np.ascontiguousarray(index[cells, cells]) for _, index in targets]),
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
    labels = (batch.labels, *(side.labels for side in batch.sides))
    counts = {"semantic": float(sum((part != IGNORED).sum() for part in labels))}
    if batch.instances:
        instances = (batch.instances, *(side.instances for side in batch.sides))
        for name, where in COUNTED_WHERE.items():
            counts[name] = float(sum(part[where].sum() for part in instances))
        counts["scene"] = float((batch.scenes != IGNORED).sum())
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
