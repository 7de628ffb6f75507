"""Parts of networks as exported graphs want them: the same functions with operators that are everywhere."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgbd_perception.models.dveformer import DVEFormer
from rgbd_perception.models.network import Network

NARROW = 2
"""How many times wider than its features an embedding is where NarrowHead is worth it."""

SHORTEST = 1e-6
"""Length below which an embedding is no direction: as in ``postprocess``."""


def has_narrow_head(network: Network) -> bool:
    """Whether the last matrix is so much wider than its features that the form below saves work."""
    if not isinstance(network, DVEFormer) or (matrix := network.decoder.head_matrix()) is None:
        return False
    dim, features = matrix[0].shape
    return dim > NARROW * features


def compare_narrow(features: Tensor, weight: Tensor, bias: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """Features f (h, w, F), embedding W f + b with W (D, F), class rows (K, D) -> unit embeddings, logits."""
    one = F.pad(features, (0, 1), value=1.0)
    return compare_affine(one, torch.cat((weight, bias[:, None]), dim=1), classes)


def compare_affine(
    one: Tensor, whole: Tensor, classes: Tensor, offset: Tensor | None = None, root: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Features g = (f, 1) (..., F + 1), embedding G g, class rows C (K, D) -> unit embeddings, logits.

    The logits are (C G) g over the length, whose square is g' G' G g, and plus ``offset`` (K,). So the wide
    embedding is written once, as unit vectors, and not read again. What depends on parameters alone is
    constant in an exported graph. ``root`` (F + 1, F + 1): where it is known, a matrix R with R' R = G' G, so
    that the length is that of R g.
    """
    if root is None:
        squared = ((one @ (whole.T @ whole)) * one).sum(dim=-1, keepdim=True)
        length = squared.clamp_min(SHORTEST**2).sqrt()
    else:
        length = (one @ root.T).norm(dim=-1, keepdim=True).clamp_min(SHORTEST)
    unit = one / length
    return unit @ whole.T, F.linear(unit, classes @ whole, offset)


def compare_wide(one: Tensor, whole: Tensor, classes: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
    """As ``compare_affine``, for embeddings about as wide as their features."""
    rows = one @ whole.T
    unit = rows * (1.0 / rows.norm(dim=-1, keepdim=True).clamp_min(SHORTEST))
    return unit, F.linear(unit, classes, offset)


class MatrixPool(nn.Module):
    """Adaptive average pooling as two products with small matrices: exporters have no operator for it."""

    def __init__(self, bins: int) -> None:
        super().__init__()
        self.bins = bins

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, bins, bins)."""
        rows, columns = (_pooling(side, self.bins).to(x) for side in x.shape[2:])
        return rows @ x @ columns.T


def _pooling(side: int, bins: int) -> Tensor:
    """(bins, side): each row the mean over its share, as adaptive pooling cuts it."""
    matrix = torch.zeros(bins, side)
    for row in range(bins):
        first, end = row * side // bins, -(-(row + 1) * side // bins)
        matrix[row, first:end] = 1.0 / (end - first)
    return matrix


def replace_pools(module: nn.Module) -> None:
    """Put MatrixPool in the place of adaptive poolings, all through ``module``."""
    for name, child in list(module.named_children()):
        if isinstance(child, nn.AdaptiveAvgPool2d):
            assert isinstance(child.output_size, int)
            setattr(module, name, MatrixPool(child.output_size))
        else:
            replace_pools(child)
