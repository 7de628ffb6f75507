"""Predicted embeddings as the losses see them: products with given rows, and lengths.

A cosine needs no more than that. Where the last layer is one matrix ``W f + b``, both follow from the
features ``f``, which are a fraction as wide as the embeddings: ``r . (W f + b) = (W^T r) . f + r . b`` and
``|W f + b|^2 = f^T (W^T W) f + 2 (W^T b) . f + |b|^2``. The embeddings themselves are never made.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from torch import Tensor

SMALLEST = 1e-6
"""Lengths below this count as this: the cosine of nothing is 0, not an infinite gradient."""


class Cells(Protocol):
    """The N cells of each of B images, each with an embedding of D numbers."""

    def products(self, rows: Tensor) -> Tensor:
        """Products (B, N, R) with ``rows`` (R, D), or with rows of each image (B, R, D)."""

    @property
    def lengths(self) -> Tensor:
        """Euclidean lengths (B, N), at least ``SMALLEST``."""


@dataclass(frozen=True)
class EmbeddedCells:
    """Cells whose embeddings are at hand: ``rows`` (B, N, D)."""

    rows: Tensor

    @classmethod
    def of(cls, pred: Tensor) -> EmbeddedCells:
        """From a map (B, D, h, w)."""
        return cls(_rows(pred))

    def products(self, rows: Tensor) -> Tensor:
        return self.rows @ rows.to(self.rows).mT

    @cached_property
    def lengths(self) -> Tensor:
        return self.rows.norm(dim=2).clamp_min(SMALLEST)


@dataclass(frozen=True)
class ProjectedCells:
    """Cells whose embeddings are ``W f + b``: ``features`` (B, N, F), ``weight`` (D, F), ``bias`` (D,)."""

    features: Tensor
    weight: Tensor
    bias: Tensor

    @classmethod
    def of(cls, features: Tensor, weight: Tensor, bias: Tensor) -> ProjectedCells:
        """From a map of features (B, F, h, w)."""
        return cls(_rows(features), weight, bias)

    def products(self, rows: Tensor) -> Tensor:
        rows = rows.to(self.features)
        return self.features @ (rows @ self.weight).mT + (rows @ self.bias).unsqueeze(-2)

    @cached_property
    def lengths(self) -> Tensor:
        half = self.features @ (self.weight.T @ self.weight) + 2.0 * (self.bias @ self.weight)
        squares = (half * self.features).sum(dim=2) + self.bias.square().sum()
        return squares.clamp_min(SMALLEST**2).sqrt()


def _rows(image: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, h * w, C); nothing is copied where the memory is channels-last."""
    return image.permute(0, 2, 3, 1).flatten(1, 2)
