"""Free space: voxels that the camera sees through are removed, so that moved things vanish.

Every frame goes through the blocks of the map (blocks.py) in the camera's view and looks at each voxel in
them: at its own cells of the depth image, and at those that the ball around it touches. If even one pixel in
these shows something at the voxel's depth, or a surface that may lead there, the voxel stays: a grazed floor
voxel covers cells that see the floor itself, a thin leg is at least one near pixel. A surface leads there
when 1 / depth, which is even over the image of a plane, changes fast enough at that cell; the edge of a thing
in front does not. A cell that shows something far in front, or nothing at all, proves nothing.

How long a voxel lasts then depends on how often it was measured, in frames (the column ``occupancy``: frames
for it less frames against it, limited, like the clamped log odds of Hornung et al. 2013, "OctoMap"). A young
voxel goes after as many frames as it was measured in, and seeing past it in half of its cells is enough: so
whoever walks by leaves no trail. One that reached the limit is established: it goes only where all of its
cells see past it, with a wider margin, in ``carve_misses`` frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.frame import CameraIntrinsics
from rgbd_perception.mapping.bits import count_bits
from rgbd_perception.mapping.blocks import SIDE
from rgbd_perception.mapping.config import MapConfig
from rgbd_perception.mapping.grid import GridSamples
from rgbd_perception.mapping.hash_index import find_row
from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.keys import pack_one
from rgbd_perception.mapping.store import VoxelStore

_NEAREST = 0.2
"""Nearer voxels (metres) are not looked at: they cover too many cells, and depth cameras are blind there."""
_MARGIN_SLOPE = 0.006
"""Margin = half a voxel's diagonal + this x depth^2: several standard deviations of structured light and
stereo. Half a voxel more for an established voxel."""
_NEAREST_PLANE, _STEEPEST_CELLS = 0.25, 2.0
"""A plane that passes the camera at this distance (metres) changes 1 / depth by 1 / (distance x focal length)
a cell. What is nearer than the voxel by more than so many cells of that is another thing in front of it."""
_CELLS_ON = 3.0
"""From a cell that a voxel touches to the middle of the voxel, at most."""
_MOST_PLACES = 1 << 15
"""Places for blocks that one frame looks at; a finer map takes turns."""
_HALF_DIAGONAL = 0.5 * np.sqrt(3.0)
"""Of a cube with edge 1."""
_NOT, _PARTLY, _CLEARLY = 0, 1, 2
"""Seen through: no or not known; in at least half of its cells; in all of them."""


@dataclass(frozen=True)
class SeenThrough:
    """Distinct voxels that a frame sees through: ``keys`` (n,) int64, ``clear`` (n,) bool whether in all of
    their cells."""

    keys: NDArray[np.int64]
    clear: NDArray[np.bool_]


class CameraView(NamedTuple):
    """The part of the map that a frame can see through: depths up to ``reach`` metres, within the ``planes``
    (4, 3), from block ``low`` (3,) to block ``high`` (3,). ``to_camera`` (4, 4) leads there from the map."""

    to_camera: NDArray[np.float64]
    planes: NDArray[np.float64]
    reach: float
    low: NDArray[np.int64]
    high: NDArray[np.int64]


def camera_view(samples: GridSamples, pose: NDArray[np.float64], config: MapConfig) -> CameraView:
    """Of a frame from a camera at ``pose`` (4, 4) in the map."""
    k, reach = samples.intrinsics, min(config.carve_range, float(samples.nearest.max()))
    low, high = _corners_of_view(k, pose, reach, SIDE * config.voxel_size)
    return CameraView(np.ascontiguousarray(np.linalg.inv(pose)), _side_planes(k), reach, low, high)


def find_seen_through(
    store: VoxelStore, samples: GridSamples, view: CameraView, phase: int, config: MapConfig
) -> SeenThrough:
    """Look at no more than ``config.carve_voxels`` voxels; reads nothing of ``store`` but its blocks.

    Where more are in view, the blocks take turns: ``phase`` (frame number) says whose it is.
    """
    k, blocks = samples.intrinsics, store.blocks
    numbers, places = np.empty(_MOST_PLACES, np.int32), np.empty((_MOST_PLACES, 3), np.int64)
    count = _blocks_in_view(
        blocks.index.keys, blocks.index.rows, view.to_camera, view.planes, SIDE * config.voxel_size,
        view.reach, view.low, view.high, phase, numbers, places,
    )  # fmt: skip
    keys, clear = np.empty(config.carve_voxels, np.int64), np.empty(config.carve_voxels, np.bool_)
    found = _see_through(
        blocks.bits, numbers[:count], places[:count], phase, samples.nearest, samples.depth,
        k.fx, k.fy, k.cx, k.cy, view.to_camera, config.voxel_size, view.reach, keys, clear,
    )  # fmt: skip
    return SeenThrough(keys[:found], clear[:found])


def carve(store: VoxelStore, seen: SeenThrough, config: MapConfig) -> NDArray[np.int32]:
    """Count one frame against the voxels that are young or clearly seen through; return the rows of those
    with none left, which are to be removed."""
    rows = store.index.find(seen.keys)
    rows = rows[seen.clear | (store.occupancy[rows] < config.carve_misses)]
    store.record(rows)
    store.occupancy[rows] = np.maximum(store.occupancy[rows], 1) - 1
    return rows[store.occupancy[rows] == 0]


def _corners_of_view(
    k: CameraIntrinsics, pose: NDArray[np.float64], reach: float, edge: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lowest and highest block (3,) that the view up to depth ``reach`` can touch."""
    u, v = np.array([-0.5, k.width - 0.5] * 2), np.array([-0.5, -0.5, k.height - 0.5, k.height - 0.5])
    corners = np.stack([(u - k.cx) / k.fx, (v - k.cy) / k.fy, np.ones(4)]) * reach
    points = np.concatenate([pose[:3, :3] @ corners, np.zeros((3, 1))], axis=1) + pose[:3, 3:]
    return (
        np.floor(points.min(axis=1) / edge).astype(np.int64),
        np.floor(points.max(axis=1) / edge).astype(np.int64),
    )


def _side_planes(k: CameraIntrinsics) -> NDArray[np.float64]:
    """(4, 3) inward unit normals of the planes through the camera and the borders of the image."""
    normals = np.array(
        [
            [k.fx, 0.0, k.cx + 0.5],
            [-k.fx, 0.0, k.width - 0.5 - k.cx],
            [0.0, k.fy, k.cy + 0.5],
            [0.0, -k.fy, k.height - 0.5 - k.cy],
        ]
    )
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


@kernel
def _blocks_in_view(
    slot_keys: NDArray[np.int64],
    slot_rows: NDArray[np.int32],
    to_camera: NDArray[np.float64],
    planes: NDArray[np.float64],
    edge: float,
    reach: float,
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    phase: int,
    numbers: NDArray[np.int32],
    places: NDArray[np.int64],
) -> int:
    """Number and place (block coordinates) of the blocks of the map whose ball touches the view."""
    radius = _HALF_DIAGONAL * edge
    count = 0
    columns = (high[0] - low[0] + 1) * (high[1] - low[1] + 1)
    turns = columns * (high[2] - low[2] + 1) // _MOST_PLACES + 1
    for bx in range(low[0], high[0] + 1):
        for by in range(low[1], high[1] + 1):
            first = low[2] + (phase - low[2] - bx - by) % turns
            for bz in range(first, high[2] + 1, turns):
                px, py, pz = (bx + 0.5) * edge, (by + 0.5) * edge, (bz + 0.5) * edge
                z = to_camera[2, 0] * px + to_camera[2, 1] * py + to_camera[2, 2] * pz + to_camera[2, 3]
                if z + radius < _NEAREST or z - radius > reach:
                    continue
                x = to_camera[0, 0] * px + to_camera[0, 1] * py + to_camera[0, 2] * pz + to_camera[0, 3]
                y = to_camera[1, 0] * px + to_camera[1, 1] * py + to_camera[1, 2] * pz + to_camera[1, 3]
                outside = False
                for i in range(4):
                    if planes[i, 0] * x + planes[i, 1] * y + planes[i, 2] * z < -radius:
                        outside = True
                if outside:
                    continue
                number = find_row(slot_keys, slot_rows, pack_one(bx, by, bz))
                if number >= 0 and count < numbers.size:
                    numbers[count] = number
                    places[count, 0], places[count, 1], places[count, 2] = bx, by, bz
                    count += 1
    return count


@kernel
def _see_through(
    bits: NDArray[np.uint64],
    numbers: NDArray[np.int32],
    places: NDArray[np.int64],
    phase: int,
    nearest: NDArray[np.float32],
    depth: NDArray[np.float32],
    fx: float,
    fy: float,
    cx: float,
    cy: float,
    to_camera: NDArray[np.float64],
    voxel_size: float,
    reach: float,
    keys: NDArray[np.int64],
    clear: NDArray[np.bool_],
) -> int:
    """Write the keys of the voxels in these blocks that are seen through at least partly, and whether in all
    cells; return their number."""
    voxels = 0
    for i in range(numbers.size):
        for word in range(SIDE):
            voxels += count_bits(bits[numbers[i], word])
    turns = voxels // keys.size + 1
    count = 0
    looked_at = 0
    for i in range(numbers.size):
        bx, by, bz = places[i, 0], places[i, 1], places[i, 2]
        if (bx + by + bz + phase) % turns != 0:
            continue
        for word in range(SIDE):
            left = bits[numbers[i], word]
            bit = 0
            while left != 0 and looked_at < keys.size:
                if left & np.uint64(1) != 0:
                    looked_at += 1
                    vx, vy, vz = bx * SIDE + word, by * SIDE + (bit >> 3), bz * SIDE + (bit & 7)
                    px, py, pz = (vx + 0.5) * voxel_size, (vy + 0.5) * voxel_size, (vz + 0.5) * voxel_size
                    x = to_camera[0, 0] * px + to_camera[0, 1] * py + to_camera[0, 2] * pz + to_camera[0, 3]
                    y = to_camera[1, 0] * px + to_camera[1, 1] * py + to_camera[1, 2] * pz + to_camera[1, 3]
                    z = to_camera[2, 0] * px + to_camera[2, 1] * py + to_camera[2, 2] * pz + to_camera[2, 3]
                    if z > reach or z - _HALF_DIAGONAL * voxel_size < _NEAREST:
                        seen = _NOT
                    else:
                        seen = _see(nearest, depth, fx, fy, cx, cy, x, y, z, voxel_size)
                    if seen != _NOT:
                        keys[count] = pack_one(vx, vy, vz)
                        clear[count] = seen == _CLEARLY
                        count += 1
                left >>= np.uint64(1)
                bit += 1
    return count


@kernel
def _slope(nearest: NDArray[np.float32], row: int, column: int, down: int, right: int) -> float:
    """Change of 1 / depth (1/m) from a cell to the next one, on the side where it changes less: at the edge
    of a thing that is the side of the thing. Negative where neither neighbour was measured."""
    here, least = np.float32(1) / nearest[row, column], np.float32(-1)
    for side in (-1, 1):
        v, u = row + side * down, column + side * right
        if v >= 0 and v < nearest.shape[0] and u >= 0 and u < nearest.shape[1] and nearest[v, u] > 0:
            change = abs(np.float32(1) / nearest[v, u] - here)
            if least < 0 or change < least:
                least = change
    return least


@kernel
def _leads_to(nearest: NDArray[np.float32], row: int, column: int, z: float) -> bool:
    """Whether the surface in a cell may reach depth ``z`` a few cells on. 1 / depth of a plane changes
    evenly over the image."""
    across, down = _slope(nearest, row, column, 0, 1), _slope(nearest, row, column, 1, 0)
    if across < 0 or down < 0:
        return True
    return 1.0 / nearest[row, column] - _CELLS_ON * (across + down) - _MARGIN_SLOPE <= 1.0 / z


@kernel(inline="always")  # called for every voxel in view
def _see(
    nearest: NDArray[np.float32],
    depth: NDArray[np.float32],
    fx: float,
    fy: float,
    cx: float,
    cy: float,
    x: float,
    y: float,
    z: float,
    voxel_size: float,
) -> int:
    """Whether the image sees through the voxel at (x, y, z) in the camera frame: _NOT, _PARTLY or _CLEARLY.

    Its own cells are those of a square as large as its edge.
    """
    height, width = nearest.shape
    u, v, half = fx * x / z + cx, fy * y / z + cy, 0.5 * voxel_size / z
    left, right = int(np.rint(u - fx * half)), int(np.rint(u + fx * half))
    top, bottom = int(np.rint(v - fy * half)), int(np.rint(v + fy * half))
    if right < 0 or bottom < 0 or left >= width or top >= height:
        return _NOT
    margin = _HALF_DIAGONAL * voxel_size + _MARGIN_SLOPE * z * z
    row, column = min(max((top + bottom) // 2, 0), height - 1), min(max((left + right) // 2, 0), width - 1)
    here = nearest[row, column]
    if 0 < here < z + margin and (here >= z - margin or depth[row, column] < z + margin):
        return _NOT  # the usual case: it is still there, or hidden
    own = (right - left + 1) * (bottom - top + 1)
    past, free = _count_free(nearest, depth, top, bottom, left, right, z, margin)
    if 2 * free < own:
        return _NOT
    around = _look_around(nearest, u, v, z, fx, fy, margin, voxel_size)
    return min(around, _PARTLY) if past < own else around


@kernel
def _count_free(
    nearest: NDArray[np.float32],
    depth: NDArray[np.float32],
    top: int,
    bottom: int,
    left: int,
    right: int,
    z: float,
    margin: float,
) -> tuple[int, int]:
    """Cells of a voxel all of which see past depth ``z``, and those that do so for the most part: the edge of
    a nearer thing may be in them."""
    past, free = 0, 0
    for row in range(max(top, 0), min(bottom, nearest.shape[0] - 1) + 1):
        for column in range(max(left, 0), min(right, nearest.shape[1] - 1) + 1):
            here = nearest[row, column]
            past += here > z
            free += here > z or (0 < here < z - margin and depth[row, column] > z + margin)
    return past, free


@kernel
def _look_around(
    nearest: NDArray[np.float32],
    u: float,
    v: float,
    z: float,
    fx: float,
    fy: float,
    margin: float,
    voxel_size: float,
) -> int:
    """What the cells that the ball around a voxel at pixel (u, v), depth ``z``, touches leave possible."""
    height, width = nearest.shape
    ball_u, ball_v = _HALF_DIAGONAL * voxel_size / z * fx, _HALF_DIAGONAL * voxel_size / z * fy
    low, high = z - margin, z + margin
    front = min(low, 1.0 / (1.0 / z + _STEEPEST_CELLS / (_NEAREST_PLANE * min(fx, fy))))
    clear = True
    first_row, last_row = max(int(np.floor(v - ball_v)), 0), min(int(np.ceil(v + ball_v)), height - 1)
    first_column, last_column = max(int(np.floor(u - ball_u)), 0), min(int(np.ceil(u + ball_u)), width - 1)
    for row in range(first_row, last_row + 1):
        for column in range(first_column, last_column + 1):
            here = nearest[row, column]
            # What is in front is the edge of a nearer thing, or a surface seen at a grazing angle.
            if front < here < high and (here >= low or _leads_to(nearest, row, column, z)):
                return _NOT
            clear &= not front < here < high + 0.5 * voxel_size
    return _CLEARLY if clear else _PARTLY
