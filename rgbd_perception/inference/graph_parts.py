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


def narrow_head(network: Network) -> NarrowHead | None:
    """For a network with embeddings, where it saves arithmetic; its parameters in float32."""
    matrix = network.decoder.head_matrix() if isinstance(network, DVEFormer) else None
    if matrix is None or matrix[0].shape[0] <= NARROW * matrix[0].shape[1]:
        return None
    return NarrowHead(*matrix)


class NarrowHead(nn.Module):
    """The last matrix of an embedding network, its length and its products with classes, from few features.

    For features f (..., F), embedding W f + b and class rows C: the products are (C W) f + C b, the squared
    length is that of R f with R of F + 1 rows (W and b as one matrix, QR-decomposed). So the wide embedding
    is written once, as unit vectors, and not read again.
    """

    right: Tensor
    weight: Tensor

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        """``weight`` (D, F) with D > F, ``bias`` (D,)."""
        super().__init__()
        whole = torch.cat((weight, bias[:, None]), dim=1).double()
        self.register_buffer("weight", whole.float())
        self.register_buffer("right", torch.linalg.qr(whole, mode="r").R.float())

    def forward(self, features: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        """Features (h, w, F), class rows (K, D) -> unit embeddings (h, w, D), logits (h, w, K)."""
        one = F.pad(features, (0, 1), value=1.0)
        inverse = 1.0 / (one @ self.right.T).norm(dim=-1, keepdim=True).clamp_min(SHORTEST)
        unit = one * inverse
        return unit @ self.weight.T, unit @ (classes @ self.weight).T


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
