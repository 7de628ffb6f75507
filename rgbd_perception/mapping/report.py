"""What the map hands out beside answers: the report on a frame, the voxels as arrays."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class IntegrateReport:
    """What one frame did to the map; ``step_ms`` has the milliseconds of grid, group, pool, fuse, carve."""

    cells: int
    voxels_touched: int
    voxels_added: int
    voxels_removed: int
    voxels_refused: int
    voxels_evicted: int = 0
    step_ms: dict[str, float] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class VoxelArrays:
    """All voxels: centers (n, 3) float32 metres in the map frame, colors (n, 3) uint8 rgb, labels (n,) uint16
    (UNKNOWN_LABEL where unknown), weights (n,) float32, last_seen (n,) int64 nanoseconds."""

    centers: NDArray[np.float32]
    colors: NDArray[np.uint8]
    labels: NDArray[np.uint16]
    weights: NDArray[np.float32]
    last_seen: NDArray[np.int64]


class StepClock:
    """Milliseconds of consecutive steps."""

    def __init__(self) -> None:
        self.step_ms: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        """Add the time since the last lap as ``step``."""
        now = time.perf_counter()
        self.step_ms[step] = (now - self._last) * 1e3
        self._last = now
