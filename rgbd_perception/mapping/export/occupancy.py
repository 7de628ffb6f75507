"""A flat map for navigation: what a robot on the floor can drive over, what it would hit, what is not known.

A voxel counts by its height above the floor (``step_height`` and ``robot_height`` of MapConfig):

    within step_height of the floor, above or below        the floor: free
    from there up to robot_height                          an obstacle: occupied
    higher (lamps, ceilings) or lower (stairs that go down)   says nothing

A cell with an obstacle is occupied, one with floor only is free, any other is unknown: the floor below a
table is free only where it was seen and the table top is higher than the robot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.mapping.config import MapConfig
from rgbd_perception.mapping.report import VoxelArrays

FREE, OCCUPIED, UNKNOWN = 0, 100, -1
"""Values of ``nav_msgs/OccupancyGrid``."""

_FLOOR_NAMES = ("floor", "ground")
_FLOOR_SHARE = 0.01
"""Least share of the voxels that must be labelled floor for the labels to tell its height."""
_LAYER_SHARE = 0.3
"""Otherwise the floor is the lowest layer of voxels with this share of those in the fullest layer."""
_FLOOR_FULLNESS = 2.0
"""The fullest layer must have so many times the voxels of the middle one: layers of walls are all alike."""
_ROUNDING = 1e-4
"""Metres: heights of voxels are sums of rounded numbers."""
_MOST_CELLS = 1 << 26


@dataclass(frozen=True)
class OccupancyGrid:
    """cells (rows, columns) int8 of FREE, OCCUPIED, UNKNOWN: row 0 has the least y, column 0 the least x.

    origin: x, y in metres of the outer corner of cell (0, 0) in the map frame; resolution: edge of a cell in
    metres; floor_height: z in metres of the floor that heights were counted from.
    """

    cells: NDArray[np.int8]
    origin: tuple[float, float]
    resolution: float
    floor_height: float


def occupancy_grid(voxels: VoxelArrays, label_names: Sequence[str], config: MapConfig) -> OccupancyGrid:
    """The smallest grid that holds all known cells; its cells are the columns of voxels.

    Raises UserError where there is neither floor nor obstacle, or they are too far apart for a grid.
    """
    floor = config.floor_height
    if config.find_floor:
        floor = find_floor(voxels, label_names, config.voxel_size)
    height = voxels.centers[:, 2] - floor
    is_floor = np.abs(height) <= config.step_height + _ROUNDING
    is_obstacle = ~is_floor & (height > 0) & (height <= config.robot_height + _ROUNDING)
    is_known = is_floor | is_obstacle
    if not is_known.any():
        raise UserError(
            f"no voxel lies between the floor at {floor:.2f} m and robot_height {config.robot_height:g} m "
            "above it: say where the floor is (find_floor false, floor_height)"
        )
    place = np.rint(voxels.centers[:, :2] / config.voxel_size - 0.5).astype(np.int64)
    low, high = place[is_known].min(axis=0), place[is_known].max(axis=0)
    columns, rows = (high - low + 1).tolist()
    if rows * columns > _MOST_CELLS:
        raise UserError(
            f"the map would need a grid of {columns} x {rows} cells, expected at most {_MOST_CELLS}: "
            "some voxels lie very far away; look for wrong poses"
        )
    cells = np.full((rows, columns), UNKNOWN, np.int8)
    for chosen, value in ((is_floor, FREE), (is_obstacle, OCCUPIED)):
        x, y = (place[chosen] - low).T
        cells[y, x] = value
    origin = (low * config.voxel_size).tolist()
    return OccupancyGrid(cells, (round(origin[0], 6), round(origin[1], 6)), config.voxel_size, floor)


def find_floor(voxels: VoxelArrays, label_names: Sequence[str], voxel_size: float) -> float:
    """Height of the floor in metres: the median of the voxels labelled so, or else, where there are few, the
    lowest layer of voxels that is about as full as any. Raises UserError where there is none."""
    heights = voxels.centers[:, 2]
    if heights.size == 0:
        raise UserError("the map has no well observed voxel to look for a floor in")
    ids = [index for index, name in enumerate(label_names) if name.lower() in _FLOOR_NAMES]
    labelled = heights[np.isin(voxels.labels, ids)]
    if labelled.size > _FLOOR_SHARE * heights.size:
        return float(np.median(labelled))
    layers, counts = np.unique(np.floor(heights / voxel_size).astype(np.int64), return_counts=True)
    middle = np.sort(counts)[(counts.size - 1) // 2]
    if layers.size > 1 and counts.max() < _FLOOR_FULLNESS * middle:
        raise UserError(
            "no floor was found in the map, neither by label nor as a level surface: "
            "say where it is (find_floor false, floor_height)"
        )
    return float((layers[np.argmax(counts >= _LAYER_SHARE * counts.max())] + 0.5) * voxel_size)
