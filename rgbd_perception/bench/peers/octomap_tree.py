"""OctoMap (Hornung et al. 2013) by octomap-python: occupancy in an octree, free space by ray casting."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rgbd_perception.bench.peers.importing import import_peer
from rgbd_perception.bench.timings import Timings, fastest, milliseconds_of
from rgbd_perception.frame import RgbdFrame


def update_times(
    frames: Sequence[RgbdFrame], voxel_size: float, max_depth: float, untimed: int
) -> tuple[Timings, str]:
    """Times of ``insertPointCloud``, with ``discretize`` on or off, whichever is faster.

    Points in the map frame are made beforehand, untimed; the first ``untimed`` frames are not counted.
    """
    tried = [_times(frames, voxel_size, max_depth, discretize)[untimed:] for discretize in (False, True)]
    timings = [Timings(tuple(ms)) for ms in tried]
    best = fastest(timings)
    return timings[best], f"occupancy only, all rays carved, discretize={bool(best)}"


def _times(frames: Sequence[RgbdFrame], voxel_size: float, max_depth: float, discretize: bool) -> list[float]:
    tree = import_peer("octomap", "octomap-python").OcTree(voxel_size)
    times = []
    for frame in frames:
        assert frame.pose is not None  # by the scene
        camera = frame.intrinsics
        v, u = np.nonzero((frame.depth > 0) & (frame.depth <= max_depth))
        z = frame.depth[v, u].astype(np.float64)
        local = np.stack([(u - camera.cx) / camera.fx * z, (v - camera.cy) / camera.fy * z, z], axis=1)
        points = np.ascontiguousarray(local @ frame.pose[:3, :3].T + frame.pose[:3, 3])
        origin = frame.pose[:3, 3].copy()
        times.append(
            milliseconds_of(
                lambda: tree.insertPointCloud(points, origin, max_depth, discretize=discretize)  # noqa: B023
            )
        )
    return times
