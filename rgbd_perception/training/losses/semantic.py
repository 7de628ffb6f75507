"""Losses of networks with a classifier: cross-entropy in the forms of the published networks."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from rgbd_perception.models import ModelOutput
from rgbd_perception.training.losses.terms import Terms

IGNORED = -1
"""Label of pixels without a class."""

Interpolation = Literal["bilinear", "bicubic"]
"""Of class scores; bicubic with the kernel of OpenCV (a = -0.75), which torch has too."""

HARD_PROBABILITY = 0.7
HARD_SHARE = 16
"""OHEM of GeminiFusion on DeLiVER: pixels whose class is less probable, at least one of so many labelled."""


def cross_entropy_loss(
    logits: Tensor, labels: Tensor, class_weights: Tensor | None = None, label_smoothing: float = 0.0
) -> Tensor:
    """Sum of the weighted cross-entropies over the *number* of labelled pixels, as DVEFormer's linear probe.

    logits (B, C, h, w), interpolated to the size of ``labels`` (B, H, W), 0-based with -1 where there is
    none; class_weights (C,). (torch's weighted mean divides by the sum of the weights.) 0 without
    a labelled pixel.
    """
    return cross_entropy_terms(logits, labels, class_weights, label_smoothing).mean()


def cross_entropy_terms(
    logits: Tensor, labels: Tensor, class_weights: Tensor | None = None, label_smoothing: float = 0.0
) -> Terms:
    """Sum of the losses of ``cross_entropy_loss`` in float32, and the number of labelled pixels."""
    weights = None if class_weights is None else class_weights.to(logits.device, torch.float32)
    total = F.cross_entropy(
        at_size(logits, (labels.shape[1], labels.shape[2])).float(),
        labels.long(),
        weight=weights,
        ignore_index=IGNORED,
        reduction="sum",
        label_smoothing=label_smoothing,
    )
    return Terms(total, (labels != IGNORED).sum())


def two_head_loss(output: ModelOutput, labels: Tensor) -> Tensor:
    """GeminiFusion, DiffPixelFormer, TokenFusion: cross-entropies of both streams and their ensemble, added.

    The ensemble is a mean of detached scores: its term has a gradient only for the mean's weights ``alpha``,
    which the authors do not train. Labels (B, H, W) as for ``cross_entropy_loss``.
    """
    return torch.stack([cross_entropy_loss(logits, labels) for logits in _heads(output)]).sum()


def hard_pixel_loss(output: ModelOutput, labels: Tensor) -> Tensor:
    """``two_head_loss`` with online hard example mining, as GeminiFusion is trained on DeLiVER.

    Of each head the mean over pixels whose loss is above ``-ln 0.7``, at least the hardest 1/16 of those with
    a label.
    """
    return torch.stack([_hard_pixels(logits, labels) for logits in _heads(output)]).sum()


def token_score_loss(scores: Tensor, weight: float = 1e-6) -> Tensor:
    """L1 term of TokenFusion: ``weight`` times the *sum* of all token scores, which lets tokens be replaced.

    scores   of any shape, over batch, modalities, blocks and tokens (``TokenFusion.forward_with_scores``)
    weight   1e-6 by the authors' README; for a sum the paper's 1e-3 would drown the task
    """
    return weight * scores.float().abs().sum()


def at_size(logits: Tensor, size: tuple[int, int], interpolation: Interpolation = "bilinear") -> Tensor:
    """Logits (B, C, h, w) interpolated (align_corners False) to ``size`` (H, W)."""
    if tuple(logits.shape[2:]) == size:
        return logits
    return F.interpolate(logits, size=size, mode=interpolation, align_corners=False)


def _heads(output: ModelOutput) -> tuple[Tensor, Tensor, Tensor]:
    if output.rgb_logits is None or output.depth_logits is None or output.logits is None:
        raise ValueError("expected a network with two streams: rgb_logits, depth_logits and logits")
    return output.rgb_logits, output.depth_logits, output.logits


def _hard_pixels(logits: Tensor, labels: Tensor) -> Tensor:
    scores = at_size(logits, (labels.shape[1], labels.shape[2])).float()
    losses = F.cross_entropy(scores, labels.long(), ignore_index=IGNORED, reduction="none")
    losses = losses[labels != IGNORED]
    least = len(losses) // HARD_SHARE
    hard = losses[losses > -math.log(HARD_PROBABILITY)]
    if len(hard) < least:
        hard = losses.topk(least).values
    return Terms(hard.sum(), torch.tensor(len(hard), device=hard.device)).mean()
