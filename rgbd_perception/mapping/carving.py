"""Free space: voxels that the camera repeatedly sees through are removed, so that moved things vanish.

Rays on a coarse part of the grid (another part every frame, a bounded number of rays) walk from the camera to
just before the measured surface. That only proposes voxels: a ray that grazes a floor passes through floor
voxels on its way. A proposed voxel counts as seen through only if *every* cell that its cube covers in the
image has a measurement and even the nearest pixel of each lies behind the cube by a margin. A grazed floor
voxel covers cells that see the floor itself, a thin leg is at least one near pixel, and a hole in the depth
image proves nothing: all of them stay.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.config import MapConfig
from rgbd_perception.mapping.grid import GridSamples
from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.keys import centers, pack_one
from rgbd_perception.mapping.row_index import find_voxel
from rgbd_perception.mapping.store import VoxelStore

_NEAREST = 0.4
"""Rays start here (metres): nearer voxels cover too many cells, and depth cameras are blind there."""
_MARGIN_SLOPE = 0.006
"""Margin = half a voxel + this x depth^2: several standard deviations of structured light and stereo."""
_MISSES_PER_WEIGHT = 0.1
"""A voxel that was observed well must be seen through more often before it goes."""
_MOST_PROPOSALS = 1 << 15


def find_seen_through(
    store: VoxelStore, samples: GridSamples, pose: NDArray[np.float64], phase: int, config: MapConfig
) -> NDArray[np.int32]:
    """Return the distinct rows that this frame sees through. ``phase`` (frame number) picks the rays."""
    step = max(1, int(np.ceil(np.sqrt(samples.depth.size / config.carve_rays))))
    offset = (phase * (step // 2 + 1)) % (step * step)  # neighbours in time are not neighbours in space
    k = samples.intrinsics
    rows = np.empty(_MOST_PROPOSALS, np.int32)
    count = _walk(
        store.index.slots, store.key, samples.depth, k.fx, k.fy, k.cx, k.cy,
        np.ascontiguousarray(pose, np.float64), step, offset // step, offset % step,
        config.voxel_size, config.carve_range, rows,
    )  # fmt: skip
    proposed = np.unique(rows[:count])
    if proposed.size == 0:
        return proposed
    seen_through = np.empty(proposed.size, np.bool_)
    to_camera = np.ascontiguousarray(np.linalg.inv(pose))
    _check(
        centers(store.key[proposed], config.voxel_size), samples.nearest, k.fx, k.fy, k.cx, k.cy, to_camera,
        config.voxel_size, seen_through,
    )  # fmt: skip
    return proposed[seen_through]


def carve(store: VoxelStore, rows: NDArray[np.int32], config: MapConfig) -> NDArray[np.int32]:
    """Count one miss for each of ``rows``; return those that have enough of them to be removed."""
    store.misses[rows] = np.minimum(store.misses[rows], 254) + 1
    needed = config.carve_misses + _MISSES_PER_WEIGHT * np.minimum(store.weights(rows), 100.0)
    return rows[store.misses[rows] >= needed]


@kernel
def _walk(
    slots: NDArray[np.int32],
    row_keys: NDArray[np.int64],
    depth: NDArray[np.float32],
    fx: float,
    fy: float,
    cx: float,
    cy: float,
    pose: NDArray[np.float64],
    step: int,
    first_row: int,
    first_column: int,
    voxel_size: float,
    reach: float,
    rows: NDArray[np.int32],
) -> int:
    """Rows of the voxels on the rays (Amanatides and Woo 1987, "A fast voxel traversal algorithm")."""
    count = 0
    voxel = np.empty(3, np.int64)
    stride = np.empty(3, np.int64)
    next_crossing = np.empty(3, np.float64)
    between = np.empty(3, np.float64)
    for v in range(first_row, depth.shape[0], step):
        for u in range(first_column, depth.shape[1], step):
            measured = depth[v, u]
            # The parameter of the ray is depth along the optical axis; it ends one voxel before the surface.
            end = min(measured - voxel_size, reach)
            if measured <= 0 or end <= _NEAREST:
                continue
            x, y = (u - cx) / fx, (v - cy) / fy
            for axis in range(3):
                direction = (pose[axis, 0] * x + pose[axis, 1] * y + pose[axis, 2]) / voxel_size
                position = pose[axis, 3] / voxel_size + direction * _NEAREST
                voxel[axis] = int(np.floor(position))
                stride[axis] = 1 if direction > 0 else -1
                if direction == 0:
                    next_crossing[axis], between[axis] = np.inf, np.inf
                else:
                    wall = voxel[axis] + (1 if direction > 0 else 0)
                    next_crossing[axis] = _NEAREST + (wall - position) / direction
                    between[axis] = abs(1.0 / direction)
            while count < rows.size:
                row = find_voxel(slots, row_keys, pack_one(voxel[0], voxel[1], voxel[2]))
                if row >= 0:
                    rows[count] = row
                    count += 1
                axis = 0
                if next_crossing[1] < next_crossing[axis]:
                    axis = 1
                if next_crossing[2] < next_crossing[axis]:
                    axis = 2
                if next_crossing[axis] > end:
                    break
                voxel[axis] += stride[axis]
                next_crossing[axis] += between[axis]
    return count


@kernel
def _check(
    points: NDArray[np.float32],
    nearest: NDArray[np.float32],
    fx: float,
    fy: float,
    cx: float,
    cy: float,
    to_camera: NDArray[np.float64],
    voxel_size: float,
    seen_through: NDArray[np.bool_],
) -> None:
    height, width = nearest.shape
    radius = 0.5 * np.sqrt(3.0) * voxel_size
    for i in range(points.shape[0]):
        seen_through[i] = False
        px, py, pz = points[i, 0], points[i, 1], points[i, 2]
        x = to_camera[0, 0] * px + to_camera[0, 1] * py + to_camera[0, 2] * pz + to_camera[0, 3]
        y = to_camera[1, 0] * px + to_camera[1, 1] * py + to_camera[1, 2] * pz + to_camera[1, 3]
        z = to_camera[2, 0] * px + to_camera[2, 1] * py + to_camera[2, 2] * pz + to_camera[2, 3]
        if z - radius < 0.5 * _NEAREST:
            continue
        left = int(np.floor(fx * (x - radius) / z + cx))
        right = int(np.ceil(fx * (x + radius) / z + cx))
        top = int(np.floor(fy * (y - radius) / z + cy))
        bottom = int(np.ceil(fy * (y + radius) / z + cy))
        if left < 0 or top < 0 or right >= width or bottom >= height:
            continue
        behind = z + radius + 0.5 * voxel_size + _MARGIN_SLOPE * z * z
        blocked = False
        for v in range(top, bottom + 1):
            for u in range(left, right + 1):
                if nearest[v, u] < behind:  # nearer, or 0: nothing measured
                    blocked = True
        seen_through[i] = not blocked
