"""Carving removes what has gone and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from rgbd_perception.frame import RgbdFrame
from rgbd_perception.mapping import MapConfig, VoxelMap
from test.mapping.scenes import INTRINSICS, ROOM, VOCABULARY, Cuboid, looking_along, observe, predict, render

WALL, CHAIR, TABLE = ROOM


def _map(**options: object) -> VoxelMap:
    voxel_map = VoxelMap(MapConfig(max_voxels=200_000, **options))
    voxel_map.set_vocabulary(VOCABULARY)
    return voxel_map


def _play(voxel_map: VoxelMap, cuboids: tuple[Cuboid, ...], frames: int, start: int = 0) -> int:
    """Integrate frames of a slightly moving camera; return the number of voxels removed."""
    removed = 0
    for index in range(start, start + frames):
        pose = looking_along(0.03 * np.sin(index), (0.0, 0.05 * np.cos(index), 1.0))
        removed += voxel_map.integrate(*observe(cuboids, pose, index)).voxels_removed
    return removed


def _count(voxel_map: VoxelMap, cuboid: Cuboid) -> int:
    """Voxels in a cuboid grown by half a voxel."""
    centers = voxel_map.voxels().centers
    low, high = np.array(cuboid.low) - 0.03, np.array(cuboid.high) + 0.03
    return int(np.all((centers > low) & (centers < high), axis=1).sum())


def test_a_thing_that_was_taken_away_disappears_and_the_rest_stays():
    voxel_map = _map()
    _play(voxel_map, ROOM, 6)
    chair, table = _count(voxel_map, CHAIR), _count(voxel_map, TABLE)
    assert chair > 30
    _play(voxel_map, (WALL, TABLE), 60, start=6)
    assert _count(voxel_map, CHAIR) < 0.1 * chair
    assert _count(voxel_map, TABLE) >= table


def test_a_static_scene_loses_nothing():
    voxel_map = _map()
    assert _play(voxel_map, ROOM, 60) == 0


def test_a_floor_seen_at_grazing_angles_stays():
    floor = (Cuboid((0.5, -2.0, -0.1), (5.5, 2.0, 0.0), 0),)
    voxel_map = _map(max_depth=5.5)
    removed = 0
    for index in range(40):
        pose = looking_along(0.02 * np.sin(index), (0.05 * np.cos(index), 0.0, 0.25))
        removed += voxel_map.integrate(*observe(floor, pose, index)).voxels_removed
    assert len(voxel_map) > 1000
    assert removed == 0


@pytest.mark.parametrize("width", [0.02, 0.03])
def test_a_thin_pole_stays(width):
    pole = Cuboid((1.5, 0.0, 0.2), (1.5 + width, width, 1.8), 3)
    voxel_map = _map()
    _play(voxel_map, (WALL, pole), 80)
    assert _count(voxel_map, pole) >= 25


def test_missing_depth_behind_proves_nothing():
    voxel_map = _map()
    _play(voxel_map, ROOM, 6)
    chair = _count(voxel_map, CHAIR)
    frame, labels = render((WALL, TABLE), looking_along(0.0))
    holes = frame.depth.copy()
    holes[::3, ::3] = 0  # a hole in every cell's neighbourhood, at most one pixel of a cell
    holes[:, : INTRINSICS.width // 2] = 0  # the side of the chair is not measured at all
    for index in range(60):
        voxel_map.integrate(
            RgbdFrame(frame.color, holes, frame.intrinsics, index, "camera", frame.pose), predict(labels)
        )
    assert _count(voxel_map, CHAIR) == chair


def test_cost_is_bounded_by_the_number_of_rays():
    small, large = _map(carve_voxels=10), _map(carve_voxels=50000)
    for voxel_map in (small, large):
        _play(voxel_map, ROOM, 6)
    assert _play(small, (WALL, TABLE), 8, start=6) <= _play(large, (WALL, TABLE), 8, start=6)
