"""Losses of EMSANet and EMSAFormer beside the semantic one: instances, orientations, the scene.

The papers (arXiv:2207.04526, arXiv:2306.05242) follow Panoptic-DeepLab (arXiv:1911.10194) for instances: a
heat map with a Gaussian at every centre, by squared error, and offsets to the centre, by absolute error.
Angles are unit vectors with the von Mises loss of Biternion nets (Beyer et al. 2015).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from rgbd_perception.models import ModelOutput
from rgbd_perception.training.losses.semantic import IGNORED
from rgbd_perception.training.losses.terms import Terms

SIGMA = 8.0
"""Standard deviation of a centre in pixels, as published."""


def side_sigma(stride: int) -> float:
    """That of a centre in the targets of side outputs, in cells of ``stride``: 4, 2, 1 for 8, 16, 32."""
    return 4.0 * SIGMA / stride


@dataclass(frozen=True)
class InstanceTargets:
    """Targets of one or B views (leading axis B); h x w as the network's output.

    center       (B, 1, h, w) heat map 0..1
    offset       (B, 2, h, w) from a pixel to its centre (y, x), relative to the image size
    orientation  (B, 2, h, w) (cos, sin) of the yaw
    labelled     (B, h, w) where the heat map counts
    things       (B, h, w) where the offset counts
    oriented     (B, h, w) where the orientation counts
    """

    center: Tensor
    offset: Tensor
    orientation: Tensor
    labelled: Tensor
    things: Tensor
    oriented: Tensor


COUNTED_WHERE = {"center": "labelled", "offset": "things", "orientation": "oriented"}
"""Field of the targets with the pixels that a map is judged on."""


@dataclass(frozen=True)
class InstanceWeights:
    """Weights of the terms as in EMSAFormer's training: 2 for instances, in which centres count double."""

    instance: float = 2.0
    center: float = 2.0
    offset: float = 1.0
    orientation: float = 0.5


def instance_targets(
    instance: Tensor, labelled: Tensor, orientations: Mapping[int, float] | None = None, sigma: float = SIGMA
) -> InstanceTargets:
    """Targets (B = 1) of one view.

    instance (H, W) with 0 = none; labelled (H, W) bool: pixels with a class; ``orientations`` angles in
    radians of some of the instances. A centre is the mean of an instance's pixels; where Gaussians
    overlap the higher counts.
    """
    height, width = instance.shape
    rows, columns = (
        torch.arange(size, dtype=torch.float32, device=instance.device) for size in instance.shape
    )
    ids, places = torch.unique(instance.long(), return_inverse=True)
    pixels = torch.bincount(places.flatten()).float()
    centers = [
        torch.bincount(places.flatten(), weights=grid.expand(height, width).flatten()) / pixels
        for grid in (rows[:, None], columns[None])
    ]
    heat = torch.zeros(height, width, device=instance.device)
    for place in torch.nonzero(ids > 0)[:, 0].tolist():
        across = torch.exp(-((rows - centers[0][place]) ** 2) / (2.0 * sigma**2))
        along = torch.exp(-((columns - centers[1][place]) ** 2) / (2.0 * sigma**2))
        heat = torch.maximum(heat, across[:, None] * along[None])
    things = instance > 0
    offset = torch.stack(
        ((centers[0][places] - rows[:, None]) / height, (centers[1][places] - columns[None]) / width)
    )
    angles = torch.tensor(
        [(orientations or {}).get(int(value), float("nan")) for value in ids], device=instance.device
    )[places]
    oriented = things & angles.isfinite()
    angles = torch.where(oriented, angles, 0.0)
    return InstanceTargets(
        center=heat[None, None],
        offset=torch.where(things, offset, 0.0)[None],
        orientation=torch.stack((angles.cos(), angles.sin()))[None],
        labelled=labelled[None],
        things=things[None],
        oriented=oriented[None],
    )


def instance_loss(
    output: ModelOutput, targets: InstanceTargets, weights: InstanceWeights | None = None
) -> Tensor:
    """Weighted sum of the terms; orientation only for a network that predicts it."""
    if output.center is None or output.offset is None:
        raise ValueError("expected a network with instances: center and offset")
    weights = weights or InstanceWeights()
    center = center_loss(output.center, targets.center, targets.labelled)
    offset = offset_loss(output.offset, targets.offset, targets.things)
    loss = weights.instance * (weights.center * center + weights.offset * offset)
    if output.orientation is not None:
        orientation = orientation_loss(output.orientation, targets.orientation, targets.oriented)
        loss = loss + weights.orientation * orientation
    return loss


def center_loss(pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error of heat maps (B, 1, h, w) over the pixels of ``mask`` (B, h, w)."""
    return center_terms(pred, target, mask).mean()


def center_terms(pred: Tensor, target: Tensor, mask: Tensor) -> Terms:
    """Sum and number of ``center_loss``."""
    return _terms_where((pred.float() - target).square().sum(dim=1), mask)


def offset_loss(pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean over the pixels of ``mask`` (B, h, w) of ``|dy| + |dx|`` between offsets (B, 2, h, w)."""
    return offset_terms(pred, target, mask).mean()


def offset_terms(pred: Tensor, target: Tensor, mask: Tensor) -> Terms:
    """Sum and number of ``offset_loss``."""
    return _terms_where((pred.float() - target).abs().sum(dim=1), mask)


def orientation_loss(pred: Tensor, target: Tensor, mask: Tensor, kappa: float = 1.0) -> Tensor:
    """Mean over the pixels of ``mask`` of ``1 - exp(kappa (cos(angle between) - 1))``, unit (B, 2, h, w)."""
    return orientation_terms(pred, target, mask, kappa).mean()


def orientation_terms(pred: Tensor, target: Tensor, mask: Tensor, kappa: float = 1.0) -> Terms:
    """Sum and number of ``orientation_loss``."""
    cosine = (pred.float() * target).sum(dim=1)
    return _terms_where(1.0 - torch.exp(kappa * (cosine - 1.0)), mask)


def scene_loss(logits: Tensor, scenes: Tensor, label_smoothing: float = 0.1) -> Tensor:
    """Cross-entropy of scene scores (B, S) over the views with a class, ``scenes`` (B,) with -1 for none."""
    total = F.cross_entropy(
        logits.float(),
        scenes.long(),
        ignore_index=IGNORED,
        reduction="sum",
        label_smoothing=label_smoothing,
    )
    return Terms(total, (scenes != IGNORED).sum()).mean()


def _terms_where(values: Tensor, mask: Tensor) -> Terms:
    return Terms(torch.where(mask, values, 0.0).sum(), mask.sum())
