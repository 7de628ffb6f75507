"""From a torch network's raw outputs to embeddings (if any), labels and confidences of the cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class ComparedCells:
    """At the cells of the grid: log-probabilities (h, w, C) and unit vectors (h, w, D) float16, or None."""

    log_probability: Tensor
    embedding: NDArray[np.float16] | None


def compare_with_classes(embedding: Tensor, rows: Tensor) -> ComparedCells:
    """Raw embeddings (1, D, h, w) against rows (C, D): logits are their products with unit embeddings.

    The rows are text embeddings times a temperature, or those of a linear probe.
    """
    cells = embedding[0].permute(1, 2, 0)  # contiguous: the network computes in channels-last memory
    inverse = 1.0 / torch.linalg.vector_norm(cells, dim=-1, keepdim=True).clamp_min(1e-6)
    logits = (cells @ rows.T) * inverse
    unit = (cells * inverse).to(torch.float16).cpu().numpy()
    return ComparedCells(torch.log_softmax(logits, dim=-1).cpu(), unit)


def normalize_scores(logits: Tensor) -> ComparedCells:
    """Class scores (1, C, h, w) of a network with a classifier."""
    return ComparedCells(torch.log_softmax(logits[0].permute(1, 2, 0), dim=-1).cpu().contiguous(), None)


def classify(log_probability: Tensor) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
    """Log-probabilities (..., C) -> ids (...) of the best classes and their probabilities (...)."""
    best, ids = log_probability.max(dim=-1)
    return ids.numpy().astype(np.uint16), best.exp().numpy()
