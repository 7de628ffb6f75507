"""Occupancy grids: which voxel makes a cell free or occupied, and where the cells lie."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rgbd_perception.errors import UserError
from rgbd_perception.mapping import MapConfig, VoxelArrays
from rgbd_perception.mapping.export.map_server import pgm_bytes, yaml_bytes
from rgbd_perception.mapping.export.occupancy import (
    FREE,
    OCCUPIED,
    UNKNOWN,
    OccupancyGrid,
    find_floor,
    occupancy_grid,
)

SIZE = 0.05
CONFIG = MapConfig(
    voxel_size=SIZE, find_floor=False, floor_height=SIZE / 2, step_height=0.1, robot_height=1.0
)
NAMES = ("wall", "floor")


def _voxels(places, labels=None) -> VoxelArrays:
    places = np.asarray(places, np.int64).reshape(-1, 3)
    count = len(places)
    return VoxelArrays(
        centers=((places + 0.5) * SIZE).astype(np.float32),
        colors=np.zeros((count, 3), np.uint8),
        labels=np.zeros(count, np.uint16) if labels is None else np.asarray(labels, np.uint16),
        weights=np.ones(count, np.float32),
        last_seen=np.zeros(count, np.int64),
    )


def _value(grid: OccupancyGrid, x: float, y: float) -> int:
    """What stands at a point in metres."""
    column = int(np.floor((x - grid.origin[0]) / grid.resolution + 1e-6))
    row = int(np.floor((y - grid.origin[1]) / grid.resolution + 1e-6))
    return int(grid.cells[row, column])


def test_height_decides():
    """One column of voxels at each x: floor, step, obstacle, top of the robot, above it, below the floor."""
    layers = [0, 2, 3, 20, 21, -2, -3]
    grid = occupancy_grid(_voxels([(x, 0, z) for x, z in enumerate(layers)]), NAMES, CONFIG)
    # The two at the end say nothing, and a grid ends with what is known.
    assert grid.cells.tolist() == [[FREE, FREE, OCCUPIED, OCCUPIED, UNKNOWN, FREE]]


def test_an_obstacle_on_the_floor_is_an_obstacle():
    grid = occupancy_grid(_voxels([(0, 0, 10), (0, 0, 0), (3, 5, 0)]), NAMES, CONFIG)
    assert grid.cells.shape == (6, 4)
    assert grid.cells[0, 0] == OCCUPIED
    assert grid.cells[5, 3] == FREE
    assert (grid.cells == UNKNOWN).sum() == 22


_PLACES = st.lists(st.tuples(*[st.integers(-60, 60)] * 2, st.integers(-4, 30)), min_size=1, max_size=40)


@given(_PLACES)
def test_map_server_would_read_the_same_world(places):
    """Through both files, by the rule of map_server, every voxel's centre gets what the voxel says."""
    try:
        grid = occupancy_grid(_voxels(places), NAMES, CONFIG)
    except UserError:
        assert all(z < -2 or z > 20 for _, _, z in places)
        return
    description = yaml.safe_load(yaml_bytes(grid, "a: odd #name.pgm"))
    assert description["image"] == "a: odd #name.pgm"
    picture = np.asarray(Image.open(io.BytesIO(pgm_bytes(grid)))).astype(float)
    occupancy = (255 - picture) / 255 if not description["negate"] else picture / 255
    read = np.where(occupancy > description["occupied_thresh"], OCCUPIED, UNKNOWN)
    read[occupancy < description["free_thresh"]] = FREE
    x0, y0, yaw = description["origin"]
    assert yaw == 0
    columns = {(x, y): [z for a, b, z in places if (a, b) == (x, y)] for x, y, _ in places}
    for (x, y), layers in columns.items():
        row = picture.shape[0] - 1 - int(np.floor(((y + 0.5) * SIZE - y0) / description["resolution"]))
        column = int(np.floor(((x + 0.5) * SIZE - x0) / description["resolution"]))
        expected = UNKNOWN
        if any(-2 <= z <= 2 for z in layers):
            expected = FREE
        if any(2 < z <= 20 for z in layers):
            expected = OCCUPIED
        if 0 <= row < read.shape[0] and 0 <= column < read.shape[1]:
            assert read[row, column] == expected
        else:
            assert expected == UNKNOWN
    assert (read != UNKNOWN).sum() == (grid.cells != UNKNOWN).sum()


def test_the_floor_is_where_the_labels_say():
    floor = [(x, y, -30) for x in range(5) for y in range(5)]
    table = [(x, y, -15) for x in range(20) for y in range(20)]
    voxels = _voxels(floor + table, [1] * len(floor) + [0] * len(table))
    assert find_floor(voxels, NAMES, SIZE) == pytest.approx(-29.5 * SIZE)
    assert find_floor(voxels, ("wall", "Ground"), SIZE) == pytest.approx(-29.5 * SIZE)


def test_without_labels_the_floor_is_the_lowest_full_layer():
    floor = [(x, y, 0) for x in range(20) for y in range(20) if (x + y) % 2]
    ceiling = [(x, y, 50) for x in range(20) for y in range(20)]
    walls = [(0, y, z) for y in range(20) for z in range(1, 50)]
    dirt = [(x, 3, -7) for x in range(5)]
    assert find_floor(_voxels(floor + ceiling + walls + dirt), (), SIZE) == pytest.approx(SIZE / 2)


def test_walls_without_a_floor_are_no_floor():
    walls = [(0, y, z) for y in range(20) for z in range(50)]
    with pytest.raises(UserError, match="no floor was found"):
        find_floor(_voxels(walls), (), SIZE)


def test_the_found_floor_counts():
    floor = [(x, y, 40) for x in range(10) for y in range(10)]
    grid = occupancy_grid(_voxels([*floor, (2, 3, 50)]), (), replace(CONFIG, find_floor=True))
    assert grid.floor_height == pytest.approx(40.5 * SIZE)
    assert (grid.cells == FREE).sum() == 99
    assert _value(grid, 2.5 * SIZE, 3.5 * SIZE) == OCCUPIED


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ([], "no voxel lies between"),
        ([(0, 0, 100)], "no voxel lies between"),
        ([(0, 0, 0), (500_000, 900_000, 0)], "500001 x 900001 cells"),
    ],
)
def test_what_makes_no_grid_is_refused(places, message):
    with pytest.raises(UserError, match=message):
        occupancy_grid(_voxels(places), NAMES, CONFIG)


def test_an_empty_map_has_no_floor():
    with pytest.raises(UserError, match="no well observed voxel"):
        occupancy_grid(_voxels([]), NAMES, replace(CONFIG, find_floor=True))
