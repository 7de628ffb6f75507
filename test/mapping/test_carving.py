"""Carving removes what has gone and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rgbd_perception.frame import RgbdFrame
from rgbd_perception.mapping import MapConfig, VoxelMap
from rgbd_perception.mapping.carving import camera_view
from rgbd_perception.mapping.grid import sample_grid
from rgbd_perception.mapping.threads import Threads
from rgbd_perception.sources.synthetic.sensor import SensorConfig, sense_depth
from test.mapping.scenes import (
    INTRINSICS,
    ROOM,
    STRIDE,
    VOCABULARY,
    Cuboid,
    looking_along,
    observe,
    predict,
    render,
)

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


def test_a_static_scene_keeps_all_but_slivers():
    """What is seen in one frame and past in the next, at the edges of things, may go; no more."""
    carved, plain = _map(), _map(carve=False)
    for voxel_map in (carved, plain):
        _play(voxel_map, ROOM, 60)
    kept = {tuple(center) for center in carved.voxels().centers.tolist()}
    voxels = plain.voxels()
    lost = np.array([tuple(center) not in kept for center in voxels.centers.tolist()])
    assert lost.mean() < 0.015
    assert voxels.weights[lost].max(initial=0) < 1.0


def test_noise_and_holes_eat_nothing_that_is_seen_well():
    rng = np.random.default_rng(0)
    carved, plain = _map(), _map(carve=False)
    for index in range(30):
        frame, labels = render(ROOM, looking_along(0.03 * np.sin(index)), index)
        dropped = np.full_like(frame.depth, 0.1)
        depth = sense_depth(frame.depth, np.ones_like(frame.depth), dropped, rng, SensorConfig())
        noisy = RgbdFrame(frame.color, depth, frame.intrinsics, index, "camera", frame.pose)
        for voxel_map in (carved, plain):
            voxel_map.integrate(noisy, predict(labels))
    kept = {tuple(center) for center in carved.voxels().centers.tolist()}
    well_seen = plain.voxels(min_weight=3.0).centers.tolist()
    assert len(well_seen) > 1000
    assert sum(tuple(center) not in kept for center in well_seen) <= 0.01 * len(well_seen)


@given(st.floats(-0.4, 0.4), st.floats(1.2, 2.2), st.integers(1, 8))
@settings(max_examples=15)
def test_fuse_then_see_through_returns_to_empty(yaw, distance, frames):
    pose = looking_along(yaw)
    ahead = pose[:3, 3] + distance * pose[:3, 2]
    box = Cuboid(tuple(ahead - 0.2), tuple(ahead + 0.2), 1)
    backdrop = Cuboid((5.0, -50.0, -50.0), (5.1, 50.0, 50.0), 0)  # seen, but beyond max_depth: not fused
    voxel_map = _map(max_depth=3.0)
    for index in range(frames):
        voxel_map.integrate(*observe((backdrop, box), pose, index))
    assert len(voxel_map) > 10
    samples = sample_grid(observe((backdrop,), pose)[0], STRIDE)
    view = camera_view(samples, pose, voxel_map.config)
    with Threads(1).beside() as begin:
        for _ in range(min(frames, voxel_map.config.carve_misses)):
            assert len(voxel_map) > 0
            voxel_map._carve(voxel_map._look_through(samples, view, begin)())
    assert len(voxel_map) == 0


def test_who_walks_by_leaves_no_trail():
    carved, plain = _map(), _map(carve=False)
    for voxel_map in (carved, plain):
        for index in range(30):
            y = -1.0 + 0.1 * index  # 1 m/s at 10 Hz, and away at the end
            walker = Cuboid((1.52, y, 0.62), (1.82, y + 0.4, 1.72), 2)
            cuboids = (WALL, walker) if y < 1.0 else (WALL,)
            voxel_map.integrate(*observe(cuboids, looking_along(0.0), index))
    way = Cuboid((1.4, -0.9, 0.2), (2.0, 0.9, 1.9), 2)  # what is in view as a whole
    assert _count(plain, way) > 500
    assert _count(carved, way) == 0


def test_what_stood_for_long_goes_after_the_stated_number_of_frames():
    voxel_map = _map(carve_misses=4)
    _play(voxel_map, ROOM, 20)
    chair = _count(voxel_map, CHAIR)
    _play(voxel_map, (WALL, TABLE), 3, start=20)
    assert _count(voxel_map, CHAIR) > 0.8 * chair
    _play(voxel_map, (WALL, TABLE), 3, start=23)
    assert _count(voxel_map, CHAIR) < 0.1 * chair


def test_what_is_beyond_the_range_stays():
    voxel_map = _map(carve_range=1.5)
    _play(voxel_map, ROOM, 6)
    _play(voxel_map, (WALL, TABLE), 30, start=6)
    assert _count(voxel_map, CHAIR) > 30


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


def test_few_voxels_a_frame_take_turns_until_all_are_done():
    """With a budget of 200 voxels a frame a chair takes longer to go, and goes."""
    voxel_map = _map(carve_voxels=200)
    _play(voxel_map, ROOM, 3)
    chair = _count(voxel_map, CHAIR)
    assert _play(voxel_map, (WALL, TABLE), 1, start=3) <= 200
    assert _count(voxel_map, CHAIR) > 0.8 * chair
    _play(voxel_map, (WALL, TABLE), 120, start=4)
    assert _count(voxel_map, CHAIR) < 0.1 * chair
