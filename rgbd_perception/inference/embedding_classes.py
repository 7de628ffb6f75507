"""The ways of DVEFormer (arXiv:2601.00359) from embeddings to classes: text, visual means, linear probe.

Each is a matrix with one row for each class; the logits of a pixel are the products of its unit embedding
with the rows. The ways differ in where the rows come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from rgbd_perception.errors import UserError
from rgbd_perception.models.checkpoint import read_entries

DIFF_FACTOR = 0.65
"""Share of the whole image's embedding that is taken away from that of a segment, as published."""


def class_logits(embedding: Tensor, rows: Tensor) -> Tensor:
    """Logits (B, C, h, w) of embeddings (B, D, h, w), unit or not, for the rows (C, D) of the classes.

    The product comes before the division by the length: that passes over the wide map once less.
    """
    products = F.conv2d(embedding, rows.to(embedding)[:, :, None, None])
    return products / embedding.norm(dim=1, keepdim=True).clamp_min(1e-6)


def classify_pixels(logits: Tensor, size: tuple[int, int] | None = None) -> tuple[Tensor, Tensor]:
    """Best classes (B, H, W) and their softmax for logits (B, C, h, w), interpolated to ``size`` (H, W).

    Raw cosines are nearly flat: so are these scores until the logits are calibrated.
    """
    if size is not None and size != tuple(logits.shape[2:]):
        logits = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
    score, label = logits.softmax(dim=1).max(dim=1)
    return label, score


def text_rows(text_embeddings: Tensor) -> Tensor:
    """Text embeddings (C, D) of the class names, without void -> unit rows."""
    return F.normalize(text_embeddings, dim=1)


class VisualMeans:
    """Mean directions of the classes in a training split, summed up view by view."""

    def __init__(self, classes: int, dim: int) -> None:
        self._segments = torch.zeros(classes, dim, dtype=torch.float64)
        self._images = torch.zeros(classes, dim, dtype=torch.float64)
        self._counts = torch.zeros(classes, dtype=torch.int64)

    def add(self, classes: Tensor, segments: Tensor, image: Tensor) -> None:
        """One view: class ids (S,) and embeddings (S, D) of its segments, embedding (D,) of the image."""
        ids = classes.long()
        self._segments.index_add_(0, ids, F.normalize(segments.double(), dim=1))
        unit_image = F.normalize(image.double(), dim=0).expand(len(ids), -1)
        self._images.index_add_(0, ids, unit_image)
        self._counts.index_add_(0, ids, torch.ones_like(ids))

    def rows(self, text_embeddings: Tensor, diff_factor: float = DIFF_FACTOR) -> Tensor:
        """Unit rows (C, D) float32; a class without a segment has that of its text (C, D)."""
        means = F.normalize(self._segments - diff_factor * self._images, dim=1).float()
        return torch.where(self._counts[:, None] > 0, means, text_rows(text_embeddings.float()))


def linear_probe_rows(source: str | Path | Mapping[str, Tensor]) -> Tensor:
    """Rows (C, D) of the authors' linear probe: its file, or its tensors by name.

    Raises UserError for anything else.
    """
    entries = read_entries(Path(source)) if isinstance(source, str | Path) else source
    weight = entries.get("weight")
    if set(entries) != {"weight"} or weight is None or weight.ndim != 4 or weight.shape[2:] != (1, 1):
        shapes = {name: tuple(tensor.shape) for name, tensor in entries.items()}
        raise UserError(f"expected a linear probe, one weight (classes, dim, 1, 1), got {shapes}")
    return weight.flatten(1)
