"""Embeddings that voxels share: directions in 8 bits a number, each used by all voxels that it fits.

Neighbouring voxels of one surface have nearly the same embedding. A voxel whose embedding has settled takes
the row of a neighbour when their cosine is at least the tolerance, else it gets a row of its own. A row never
changes while it is used, so the error of every voxel stays within the tolerance (and the rounding to 8 bits),
and whoever reads the map may go on reading rows while others are written.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.keys import BITS
from rgbd_perception.mapping.nearest_classes import BYTES_PER_ROW, NearestClasses

_LEVELS = 127

STEPS = np.array(
    [
        (x << (2 * BITS)) + (y << BITS) + z
        for x in (-1, 0, 1)
        for y in (-1, 0, 1)
        for z in (-1, 0, 1)
        if (x, y, z) != (0, 0, 0)
    ],
    np.int64,
)
"""Differences between the packed keys of the 26 neighbours."""


class SharedRows:
    """Rows (R, d) int8 with the number of voxels that use each; row 0 stands for "none" and is zero."""

    def __init__(self, capacity: int, dim: int) -> None:
        self.vector = np.zeros((capacity + 1, dim), np.int8)
        self.users = np.zeros(capacity + 1, np.int32)
        self.nearest = NearestClasses(capacity + 1)
        self.used = 1
        self._free = np.empty(0, np.int32)
        self._left = np.empty(0, np.int32)

    def __len__(self) -> int:
        return self.used - 1 - self._free.size - self._left.size

    def take_free(self, most: int, is_read: bool) -> NDArray[np.int32]:
        """Up to ``most`` rows that nobody uses, the next to be given out last; they stay free until ``gave``.

        Rows that were left since a reader began may still be read: they are given out when none ``is_read``.
        """
        if not is_read and self._left.size:
            self._free = np.concatenate([self._free, self._left])
            self._left = np.empty(0, np.int32)
        fresh = np.arange(min(self.used + most, self.users.size) - 1, self.used - 1, -1, dtype=np.int32)
        return np.concatenate([fresh, self._free])[-most:] if most else np.empty(0, np.int32)

    def gave(self, rows: NDArray[np.int32]) -> None:
        """These rows (the last of ``take_free``) are in use now."""
        from_free = min(rows.size, self._free.size)
        self._free = self._free[: self._free.size - from_free]
        self.used += rows.size - from_free
        self.nearest.forget(rows)

    def leave(self, rows: NDArray[np.integer]) -> None:
        """One user less for each of ``rows`` (0 is passed over)."""
        left = _leave(rows, self.users)
        if left.size:
            self._left = np.concatenate([self._left, np.sort(left)])

    @property
    def nbytes(self) -> int:
        """Bytes in use."""
        return self.used * (self.vector.shape[1] + 4 + BYTES_PER_ROW) + 4 * (
            self._free.size + self._left.size
        )


@kernel
def _leave(rows: NDArray[np.integer], users: NDArray[np.int32]) -> NDArray[np.int32]:
    """Count one user less for each of ``rows``; return those without any."""
    left = np.empty(rows.size, np.int32)
    count = 0
    for row in rows:
        if row > 0:
            users[row] -= 1
            if users[row] == 0:
                left[count] = row
                count += 1
    return left[:count].copy()


@kernel(fastmath=True)
def likeness(vector: NDArray[np.float32], row: NDArray[np.int8]) -> float:
    """Cosine between coordinates and a row."""
    dot, length, own = np.float32(0), np.float32(0), np.float32(0)
    for j in range(vector.size):
        value = np.float32(row[j])
        dot += vector[j] * value
        length += value * value
        own += vector[j] * vector[j]
    scale = np.sqrt(length) * np.sqrt(own)
    return dot / scale if scale > 0 else np.float32(-2)


@kernel
def write_row(vector: NDArray[np.float32], row: NDArray[np.int8]) -> None:
    """Round the direction of ``vector`` to 8 bits a number."""
    largest = np.float32(0)
    for j in range(vector.size):
        largest = max(largest, abs(vector[j]))
    scale = _LEVELS / largest if largest > 0 else np.float32(0)
    for j in range(vector.size):
        row[j] = np.int8(np.rint(vector[j] * scale))


@kernel
def rounded(vectors: NDArray[np.float32]) -> NDArray[np.int8]:
    """Directions (n, d) in 8 bits a number."""
    rows = np.empty(vectors.shape, np.int8)
    for i in range(vectors.shape[0]):
        write_row(vectors[i], rows[i])
    return rows
