"""Time of one update against the size of the map: the whole ``integrate``, on frames like a video's."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from rgbd_perception.bench.timings import Timings
from rgbd_perception.frame import Prediction, RgbdFrame
from rgbd_perception.mapping import VoxelMap

UNTIMED_FRAMES = 5
"""The first frames of a stretch enter a room: nearly all that they see is new, which is rare in a video."""


@dataclass(frozen=True)
class UpdateTimes:
    """Times of a stretch of video.

    voxels    in the map when the timed frames began
    touched   voxels that a frame falls into, median
    new       share of them that was not in the map before, mean
    """

    timings: Timings
    voxels: int
    touched: int
    new: float


def time_updates(voxel_map: VoxelMap, frames: Iterable[tuple[RgbdFrame, Prediction]]) -> UpdateTimes:
    """Integrate ``frames`` and time each but the first UNTIMED_FRAMES; they are made between the timings."""
    ms: list[float] = []
    touched: list[int] = []
    added, voxels = 0, 0
    for index, (frame, prediction) in enumerate(frames):
        if index < UNTIMED_FRAMES:
            voxel_map.integrate(frame, prediction)
            voxels = len(voxel_map)
            continue
        start = time.perf_counter()
        report = voxel_map.integrate(frame, prediction)
        ms.append((time.perf_counter() - start) * 1e3)
        touched.append(report.voxels_touched)
        added += report.voxels_added
    return UpdateTimes(Timings(tuple(ms)), voxels, int(np.median(touched)), added / max(sum(touched), 1))
