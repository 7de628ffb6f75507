"""From a network's raw outputs to embeddings, labels and confidences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class GridOutput:
    """At the cells of the grid (h, w): class logits (1, C, h, w) and unit vectors (h, w, D) float16."""

    logits: Tensor
    embedding: NDArray[np.float16]


def embedding_output(embedding: Tensor, class_matrix: Tensor, temperature: float) -> GridOutput:
    """Raw embeddings (1, D, h, w) against unit class embeddings (C, D): logits = temperature * cosine."""
    rows = embedding[0].permute(1, 2, 0)  # contiguous where the network computed in channels-last memory
    inverse = torch.rsqrt((rows * rows).sum(dim=-1, keepdim=True).clamp_min(1e-12))
    logits = (rows @ (temperature * class_matrix).T) * inverse
    unit = (rows * inverse).to(torch.float16).cpu().numpy()
    return GridOutput(logits.permute(2, 0, 1).unsqueeze(0), unit)


def classify(logits: Tensor) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
    """Logits (1, C, h, w) -> ids of the best classes (h, w) and their softmax probabilities (h, w)."""
    best, ids = logits[0].max(dim=0)
    confidence = torch.exp(best - torch.logsumexp(logits[0], dim=0))
    return ids.cpu().numpy().astype(np.uint16), confidence.float().cpu().numpy()


def upsample_and_classify(
    logits: Tensor, stride: int, shape: tuple[int, int]
) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
    """Logits (1, C, h, w) of a grid -> ids (H, W) and confidence (H, W) of every pixel.

    Logits are interpolated bilinearly, not probabilities: that keeps borders sharp. The softmax normaliser is
    interpolated too, instead of being summed anew at every pixel: it is convex, so the confidence comes out
    slightly low between cells that disagree, and never above the true one.
    """
    normaliser = torch.logsumexp(logits, dim=1, keepdim=True)
    size = logits.shape[2] * stride, logits.shape[3] * stride
    fine = F.interpolate(
        torch.cat((logits, normaliser), dim=1).contiguous(), size=size, mode="bilinear", align_corners=False
    )[0, :, : shape[0], : shape[1]]
    best, ids = fine[:-1].max(dim=0)
    confidence = torch.exp(best - fine[-1])
    return ids.cpu().numpy().astype(np.uint16), confidence.float().cpu().numpy()
