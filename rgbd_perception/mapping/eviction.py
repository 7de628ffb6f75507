"""Which voxels go when a map is full: the far, old and seldom seen.

A voxel is worth

    log2(1 + weight)  -  age / half_life  -  distance / reach

with its observations, the time since it was last seen and its distance from the camera. Looking at all
voxels would cost more the larger the map is. So a window of rows that moves on with every frame is looked at,
and its least valuable voxels go: in the long run every voxel is compared with others of its kind.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.config import MapConfig
from rgbd_perception.mapping.header import MILLISECOND
from rgbd_perception.mapping.keys import NO_KEY, centers
from rgbd_perception.mapping.store import VoxelStore

_WINDOW_PER_VOXEL = 4
"""So many rows are looked at for each voxel that has to go."""
_HALF_LIFE_S = 600.0
_REACH = 10.0
"""Metres that count as much as a half life or a doubling of the observations."""


class Evictor:
    """Remembers where the window is. Not thread-safe: the map holds its lock."""

    def __init__(self, config: MapConfig) -> None:
        self._voxel_size = config.voxel_size
        self._next = 0

    def choose(self, store: VoxelStore, count: int, pose: NDArray[np.float64]) -> NDArray[np.int32]:
        """(at most ``count``,) rows to remove; ``pose`` (4, 4) is that of the camera in the map frame."""
        size = min(_WINDOW_PER_VOXEL * count, store.rows_used)
        rows = (self._next + np.arange(size)) % max(store.rows_used, 1)
        self._next = int((self._next + size) % max(store.rows_used, 1))
        rows = rows[store.key[rows] != NO_KEY].astype(np.int32)
        worth = self._worth(store, rows, pose)
        chosen = np.argpartition(worth, min(count, worth.size) - 1)[:count] if worth.size else rows
        return rows[chosen]

    def _worth(
        self, store: VoxelStore, rows: NDArray[np.int32], pose: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        age_s = (store.latest - store.last_seen[rows].astype(np.int64)) * MILLISECOND * 1e-9
        distance = np.linalg.norm(centers(store.key[rows], self._voxel_size) - pose[:3, 3], axis=1)
        return np.log2(1.0 + store.weights(rows)) - age_s / _HALF_LIFE_S - distance / _REACH
