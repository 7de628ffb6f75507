"""The few dimensions in which the embeddings of a map really lie, found while the frames come in.

A network's embeddings fill a small part of their space: those of rooms lie within 0.1 % of their energy in
48 of 384 dimensions, and directions found in one room serve for all others. So vectors are kept as
coordinates on an orthonormal basis. The basis passes through the origin: there is no mean that could be
forgotten, and a cosine in the full space is the one of coordinates, up to what lies outside.

Directions are only ever added, by principal components of what the basis misses: coordinates that were
written stay valid.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_TOLERATED = 1e-3
"""Share of energy outside the basis that adds no direction."""
SAMPLE = 256
"""Vectors of a frame that are looked at."""
_GLANCE = 64
"""Vectors of a frame that are looked at first: usually they are in the basis, and that is all."""
_STEP = 16
"""Most directions added by one frame, so that a single noisy one cannot fill the basis; the first: twice."""


class Subspace:
    """An orthonormal basis of at most ``limit`` rows in ``dim`` dimensions."""

    def __init__(self, dim: int, limit: int) -> None:
        self.dim = dim
        self.size = 0
        self.basis = np.zeros((min(limit, dim), dim), np.float32)

    def coordinates(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, dim) vectors -> (n, limit) coordinates; those of directions that are not there yet are 0."""
        return vectors @ self.basis.T

    def extend(self, vectors: NDArray[np.float32]) -> bool:
        """Add the directions that are ``missing`` for ``vectors`` (n, dim); whether there were any."""
        directions = self.missing(vectors)
        self.add(directions)
        return directions.shape[0] > 0

    def missing(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Orthonormal directions (k, dim), to be added, for what ``vectors`` (n, dim) have outside the basis;
        k = 0 where that is nothing to speak of, or the basis is full."""
        none = np.empty((0, self.dim), np.float32)
        room = self.basis.shape[0] - self.size
        if room == 0 or self.outside(spread(vectors, _GLANCE)) <= _TOLERATED:
            return none
        sample = spread(vectors, SAMPLE).astype(np.float64)
        sample = sample / np.maximum(np.linalg.norm(sample, axis=1, keepdims=True), 1e-12)
        known = self.basis[: self.size].astype(np.float64)
        rest = sample - (sample @ known.T) @ known
        energy = float((rest * rest).sum() / max((sample * sample).sum(), 1e-12))
        if energy <= _TOLERATED:
            return none
        values, vectors_of = np.linalg.eigh(rest @ rest.T)
        shares = np.maximum(values[::-1], 0.0) / values.sum() * energy
        missing = energy - np.cumsum(shares)
        wanted = int(np.searchsorted(-missing, -_TOLERATED)) + 1
        count = min(wanted, room, _STEP if self.size else 2 * _STEP, int(np.count_nonzero(shares > 1e-9)))
        directions = rest.T @ vectors_of[:, ::-1][:, :count]
        # Once more against the basis and each other: rounding must not add up.
        directions -= known.T @ (known @ directions)
        added, _ = np.linalg.qr(directions)
        return np.ascontiguousarray(added.T, np.float32)

    def with_added(self, directions: NDArray[np.float32]) -> NDArray[np.float32]:
        """The basis (limit, dim) as it is when ``directions`` (k, dim) have been added."""
        if directions.shape[0] == 0:
            return self.basis
        basis = self.basis.copy()  # a question may be reading the old one
        basis[self.size : self.size + directions.shape[0]] = directions
        return basis

    def add(self, directions: NDArray[np.float32]) -> None:
        """Add what ``missing`` found."""
        self.basis = self.with_added(directions)
        self.size += directions.shape[0]

    def restore(self, basis: NDArray[np.float32]) -> None:
        """Take over directions (d, dim), in their order."""
        self.size = min(basis.shape[0], self.basis.shape[0])
        self.basis[: self.size] = basis[: self.size]

    def outside(self, vectors: NDArray[np.float32]) -> float:
        """Share of the energy of ``vectors`` (n, dim) that the basis does not hold."""
        total = float(np.square(vectors, dtype=np.float64).sum())
        inside = float(np.square(self.coordinates(vectors), dtype=np.float64).sum())
        return max(0.0, 1.0 - inside / total) if total > 0 else 0.0

    @property
    def nbytes(self) -> int:
        return self.basis.nbytes


def spread(items: NDArray[Any], count: int) -> NDArray[Any]:
    """At most ``count`` of the items, evenly spread."""
    return items[:: max(1, items.shape[0] // count)][:count]
