"""From the pixels of a frame to the cells of a prediction's grid: depth, color, viewing angle of each
cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.frame import CameraIntrinsics, RgbdFrame
from rgbd_perception.mapping.jit import kernel, readonly
from rgbd_perception.mapping.sorting import sort
from rgbd_perception.mapping.threads import Runner, run_in_turn

_EDGE_METRES = 0.03
"""Two depths of one cell that differ by more (plus _EDGE_SLOPE of the depth) lie on different surfaces."""
_EDGE_SLOPE = 0.03
_STEEPEST = 5.0
"""Tangent of the steepest surface: where the depth of neighbouring cells changes faster, there is an edge."""
_ROWS_FOR_TWO = 100
"""Grids with fewer rows are sampled by one thread."""
_UNKNOWN_COSINE = 0.3
"""Viewing cosine of a cell without a neighbour on its surface: probably an edge, so it counts little."""


@dataclass(frozen=True)
class GridSamples:
    """What the depth image says at the cells of a grid (h, w) of one frame.

    depth    (h, w) float32 metres: median of the valid pixels of the cell's largest surface, 0 = none
    nearest  (h, w) float32 metres: the nearest valid pixel of the cell, 0 = none
    color    (h, w, 3) float32 rgb 0..255: mean over the pixels of that surface only
    support  (h, w) float32: share of the cell's pixels that lie on that surface
    cosine   (h, w) float32: cosine between the surface's normal and the viewing ray, 0..1
    """

    depth: NDArray[np.float32]
    nearest: NDArray[np.float32]
    color: NDArray[np.float32]
    support: NDArray[np.float32]
    cosine: NDArray[np.float32]
    intrinsics: CameraIntrinsics


def sample_grid(frame: RgbdFrame, stride: int, run: Runner = run_in_turn) -> GridSamples:
    """Sample ``frame`` at the cells of stride ``stride``; ceil(H / stride) x ceil(W / stride) of them."""
    intrinsics = frame.intrinsics.strided(stride)
    shape = (intrinsics.height, intrinsics.width)
    depth, nearest, support = (np.zeros(shape, np.float32) for _ in range(3))
    color = np.zeros((*shape, 3), np.float32)
    pixels, depths = readonly(frame.color, np.uint8), readonly(frame.depth, np.float32)
    if stride == 1:
        _take_pixels(pixels, depths, depth, nearest, color, support)
    else:
        run(
            lambda first, last: _sample_cells(
                pixels, depths, stride, first, last, depth, nearest, color, support
            ),
            intrinsics.height,
            _ROWS_FOR_TWO,
        )
    cosine = np.empty(shape, np.float32)
    run(
        lambda first, last: _viewing_cosines(
            depth, intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy, first, last, cosine
        ),
        intrinsics.height,
        _ROWS_FOR_TWO,
    )
    return GridSamples(depth, nearest, color, support, cosine, intrinsics)


@kernel
def _largest_surface(sorted_depths: NDArray[np.float32]) -> tuple[int, int]:
    """Range [first, last) of the longest run without an edge in it; of equal ones the nearest."""
    if sorted_depths[-1] - sorted_depths[0] <= _EDGE_METRES:  # the usual case
        return 0, sorted_depths.size
    best_first, best_last, first = 0, 0, 0
    for i in range(1, sorted_depths.size + 1):
        ends = i == sorted_depths.size
        if not ends:
            edge = _EDGE_METRES + _EDGE_SLOPE * sorted_depths[i - 1]
            ends = sorted_depths[i] - sorted_depths[i - 1] > edge
        if ends:
            if i - first > best_last - best_first:
                best_first, best_last = first, i
            first = i
    return best_first, best_last


@kernel
def _sample_cells(
    pixels: NDArray[np.uint8],
    depths: NDArray[np.float32],
    stride: int,
    first_row: int,
    last_row: int,
    depth: NDArray[np.float32],
    nearest: NDArray[np.float32],
    color: NDArray[np.float32],
    support: NDArray[np.float32],
) -> None:
    image_height, image_width = depths.shape
    values = np.empty(stride * stride, np.float32)
    for row in range(first_row, last_row):
        top, bottom = row * stride, min((row + 1) * stride, image_height)
        for column in range(depth.shape[1]):
            left, right = column * stride, min((column + 1) * stride, image_width)
            count = 0
            for v in range(top, bottom):
                for u in range(left, right):
                    value = depths[v, u]
                    if value > 0 and value < np.inf:
                        values[count] = value
                        count += 1
            if count == 0:
                continue
            ordered = values[:count]
            sort(ordered)
            first, last = _largest_surface(ordered)
            low, high = ordered[first], ordered[last - 1]
            # The lower middle one of an even number: a measured value, never a mean of two.
            depth[row, column] = ordered[(first + last - 1) // 2]
            nearest[row, column] = ordered[0]
            red, green, blue = 0, 0, 0
            for v in range(top, bottom):
                for u in range(left, right):
                    if depths[v, u] >= low and depths[v, u] <= high:
                        red += pixels[v, u, 0]
                        green += pixels[v, u, 1]
                        blue += pixels[v, u, 2]
            share = np.float32(1.0) / (last - first)
            color[row, column, 0] = red * share
            color[row, column, 1] = green * share
            color[row, column, 2] = blue * share
            support[row, column] = (last - first) / ((bottom - top) * (right - left))


@kernel
def _take_pixels(
    pixels: NDArray[np.uint8],
    depths: NDArray[np.float32],
    depth: NDArray[np.float32],
    nearest: NDArray[np.float32],
    color: NDArray[np.float32],
    support: NDArray[np.float32],
) -> None:
    """Cells of one pixel each."""
    for row in range(depth.shape[0]):
        for column in range(depth.shape[1]):
            value = depths[row, column]
            valid = value > 0 and value < np.inf
            depth[row, column] = nearest[row, column] = value if valid else np.float32(0)
            support[row, column] = valid
            for channel in range(3):
                color[row, column, channel] = pixels[row, column, channel] * valid


@kernel
def _neighbour(depth: NDArray[np.float32], row: int, column: int, down: int, right: int, focal: float) -> int:
    """+1 or -1: on which side the next cell lies on the same surface (the closer one of both); 0: neither."""
    here = depth[row, column]
    best, chosen = _EDGE_METRES + _STEEPEST / focal * here, 0
    for side in (1, -1):
        v, u = row + side * down, column + side * right
        if v >= 0 and v < depth.shape[0] and u >= 0 and u < depth.shape[1] and depth[v, u] > 0:
            difference = abs(depth[v, u] - here)
            if difference < best:
                best, chosen = difference, side
    return chosen


@kernel
def _viewing_cosines(
    depth: NDArray[np.float32],
    fx: float,
    fy: float,
    cx: float,
    cy: float,
    first_row: int,
    last_row: int,
    cosine: NDArray[np.float32],
) -> None:
    for row in range(first_row, last_row):
        for column in range(depth.shape[1]):
            cosine[row, column] = _UNKNOWN_COSINE
            z = depth[row, column]
            if z <= 0:
                continue
            du = _neighbour(depth, row, column, 0, 1, fx)
            dv = _neighbour(depth, row, column, 1, 0, fy)
            if du == 0 or dv == 0:
                continue
            x, y = (column - cx) / fx * z, (row - cy) / fy * z
            zu, zv = depth[row, column + du], depth[row + dv, column]
            ax, ay, az = (column + du - cx) / fx * zu - x, (row - cy) / fy * zu - y, zu - z
            bx, by, bz = (column - cx) / fx * zv - x, (row + dv - cy) / fy * zv - y, zv - z
            nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
            length = np.sqrt((nx * nx + ny * ny + nz * nz) * (x * x + y * y + z * z))
            if length > 0:
                cosine[row, column] = abs(nx * x + ny * y + nz * z) / length
