"""From grid cells to voxels: which cells fall into which voxel, how much each counts, colors and weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.config import MapConfig
from rgbd_perception.mapping.grid import GridSamples
from rgbd_perception.mapping.hash_index import put_row
from rgbd_perception.mapping.jit import dither, kernel, readonly
from rgbd_perception.mapping.keys import NO_KEY, pack_one
from rgbd_perception.mapping.store import VoxelStore

_FULL_WEIGHT_DEPTH = 2.0
"""Up to here (metres) distance costs no weight; beyond, noise of depth cameras grows with its square."""
_LEAST_WEIGHT = 0.02


@dataclass(frozen=True)
class VoxelGroups:
    """The cells of one frame by voxel.

    keys     (u,) int64 distinct voxels
    starts   (u + 1,) int32, members (m,) int32: voxel i has the cells members[starts[i]:starts[i + 1]]
    weights  (h * w,) float32 weight of every cell
    """

    keys: NDArray[np.int64]
    starts: NDArray[np.int32]
    members: NDArray[np.int32]
    weights: NDArray[np.float32]


def cell_weights(samples: GridSamples, confidence: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h * w,) weights in 0.02..1: confidence x viewing cosine x share of the cell x (2 m / depth)^2."""
    weights = np.empty(samples.depth.size, np.float32)
    _weigh(
        samples.depth.ravel(), readonly(confidence, np.float32).ravel(), samples.cosine.ravel(),
        samples.support.ravel(), weights,
    )  # fmt: skip
    return weights


def group_by_voxel(
    samples: GridSamples, pose: NDArray[np.float64], confidence: NDArray[np.float32], config: MapConfig
) -> VoxelGroups:
    """Back-project the cells to the map frame and group them by voxel; cells outside min/max depth are left
    out."""
    keys = np.empty(samples.depth.size, np.int64)
    k = samples.intrinsics
    _cell_keys(
        samples.depth, k.fx, k.fy, k.cx, k.cy, np.ascontiguousarray(pose, np.float64),
        config.voxel_size, config.min_depth, config.max_depth, keys,
    )  # fmt: skip
    slots = 1 << int(2 * keys.size + 1).bit_length()
    unique, starts, members = _group(keys, np.full(slots, NO_KEY, np.int64), np.empty(slots, np.int32))
    return VoxelGroups(unique, starts, members, cell_weights(samples, confidence))


def fuse_geometry(
    store: VoxelStore,
    rows: NDArray[np.int32],
    groups: VoxelGroups,
    samples: GridSamples,
    stamp_ns: int,
    limit: float,
    most_occupancy: int,
) -> None:
    """Blend weight and color of the frame into ``rows`` (of ``groups.keys``, -1 is passed over) and count one
    frame for each, up to ``most_occupancy``."""
    weight, color = store.precision.weight, store.precision.color
    limit = min(limit if limit > 0 else np.inf, weight.largest)
    _fuse(
        rows, groups.keys, groups.starts, groups.members, groups.weights,
        readonly(samples.color.reshape(-1, 3), np.float32), limit, store.time_of(stamp_ns),
        weight.unit, weight.dither, color.dither, store.weight, store.color, store.last_seen,
        store.occupancy, most_occupancy,
    )  # fmt: skip


@kernel
def _weigh(
    depth: NDArray[np.float32],
    confidence: NDArray[np.float32],
    cosine: NDArray[np.float32],
    support: NDArray[np.float32],
    weights: NDArray[np.float32],
) -> None:
    full, least = np.float32(_FULL_WEIGHT_DEPTH), np.float32(_LEAST_WEIGHT)
    for cell in range(weights.size):
        near = full / max(depth[cell], np.float32(1e-3))
        weight = confidence[cell] * cosine[cell] * support[cell] * min(near * near, np.float32(1))
        weights[cell] = min(max(weight, least), np.float32(1))


@kernel
def _cell_keys(
    depth: NDArray[np.float32],
    fx: float,
    fy: float,
    cx: float,
    cy: float,
    pose: NDArray[np.float64],
    voxel_size: float,
    min_depth: float,
    max_depth: float,
    keys: NDArray[np.int64],
) -> None:
    width = depth.shape[1]
    places = np.empty((3, width), np.float64)
    for row in range(depth.shape[0]):
        for axis in range(3):  # apart from the rest, so that it is done for many cells at once
            a, b, c, d = pose[axis, 0], pose[axis, 1], pose[axis, 2], pose[axis, 3]
            for column in range(width):
                z = depth[row, column]
                x, y = (column - cx) / fx * z, (row - cy) / fy * z
                places[axis, column] = np.floor((a * x + b * y + c * z + d) / voxel_size)
        for column in range(width):
            z = depth[row, column]
            key = NO_KEY
            if z >= min_depth and z <= max_depth and z > 0:
                key = pack_one(int(places[0, column]), int(places[1, column]), int(places[2, column]))
            keys[row * width + column] = key


@kernel
def _group(
    keys: NDArray[np.int64], slot_keys: NDArray[np.int64], slot_groups: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    """Counting sort of the cells by key through a hash of the frame's own; groups in order of first cell."""
    group_of_cell = np.empty(keys.size, np.int32)
    counts = np.zeros(keys.size + 1, np.int32)
    unique = np.empty(keys.size, np.int64)
    groups = 0
    for cell in range(keys.size):
        if keys[cell] == NO_KEY:
            continue
        group = put_row(slot_keys, slot_groups, keys[cell], groups)
        if group == groups:
            unique[groups] = keys[cell]
            groups += 1
        group_of_cell[cell] = group
        counts[group + 1] += 1
    starts = np.cumsum(counts[: groups + 1]).astype(np.int32)
    fill = starts.copy()
    members = np.empty(starts[groups], np.int32)
    for cell in range(keys.size):
        if keys[cell] != NO_KEY:
            group = group_of_cell[cell]
            members[fill[group]] = cell
            fill[group] += 1
    return unique[:groups].copy(), starts, members


@kernel
def _fuse(
    rows: NDArray[np.int32],
    keys: NDArray[np.int64],
    starts: NDArray[np.int32],
    members: NDArray[np.int32],
    weights: NDArray[np.float32],
    cell_color: NDArray[np.float32],
    limit: float,
    time: int,
    weight_unit: float,
    weight_dither: float,
    color_dither: float,
    weight: NDArray[Any],
    color: NDArray[Any],
    last_seen: NDArray[np.uint32],
    occupancy: NDArray[np.uint8],
    most_occupancy: int,
) -> None:
    for group in range(rows.size):
        row = rows[group]
        if row < 0:
            continue
        total, red, green, blue = 0.0, 0.0, 0.0, 0.0
        for member in range(starts[group], starts[group + 1]):
            cell = members[member]
            total += weights[cell]
            red += weights[cell] * cell_color[cell, 0]
            green += weights[cell] * cell_color[cell, 1]
            blue += weights[cell] * cell_color[cell, 2]
        before = weight_unit * weight[row]
        share = 1.0 / (before + total)
        # One draw for all: a gray surface stays gray. By the key: in a loaded map the row may be another one.
        up = dither(keys[group], time)
        color[row, 0] = color[row, 0] + (red - total * color[row, 0]) * share + color_dither * up
        color[row, 1] = color[row, 1] + (green - total * color[row, 1]) * share + color_dither * up
        color[row, 2] = color[row, 2] + (blue - total * color[row, 2]) * share + color_dither * up
        weight[row] = (min(before + total, limit)) / weight_unit + weight_dither * dither(keys[group], -time)
        last_seen[row] = max(last_seen[row], time)
        occupancy[row] = min(occupancy[row] + 1, most_occupancy)
