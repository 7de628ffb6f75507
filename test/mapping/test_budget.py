"""The ceiling in bytes is never exceeded, and what goes is what the rule says."""

from __future__ import annotations

import numpy as np
import pytest

from rgbd_perception.errors import UserError
from rgbd_perception.mapping import MapConfig, VoxelMap
from rgbd_perception.mapping.budget import budget, bytes_per_voxel, fixed_bytes
from rgbd_perception.mapping.eviction import Evictor
from rgbd_perception.mapping.keys import pack
from rgbd_perception.mapping.quantities import PRECISIONS
from rgbd_perception.mapping.store import VoxelStore
from test.mapping.scenes import NAMES, ROOM, VOCABULARY, MadeUpEncoder, looking_along, observe


def test_the_map_stays_below_its_ceiling_while_the_camera_travels():
    config = MapConfig(hot_voxels=2048, carve=False, max_map_bytes=2_300_000, voxel_size=0.05)
    voxel_map = VoxelMap(config)
    voxel_map.set_vocabulary(VOCABULARY, MadeUpEncoder().encode(NAMES))
    evicted, largest = 0, 0
    for place in range(60):
        frame, prediction = observe(ROOM, looking_along(0.0), 100 * place)
        pose = frame.pose.copy()
        pose[:3, 3] += (20.0 * place, 0, 0)
        report = voxel_map.integrate(frame.with_pose(pose), prediction)
        evicted += report.voxels_evicted
        assert report.voxels_refused == 0
        largest = max(largest, voxel_map.nbytes)
    assert evicted > 0
    assert 0.5 * config.max_map_bytes < largest <= config.max_map_bytes
    newest = voxel_map.voxels().last_seen.max()
    assert newest == 5_900_000_000  # what the camera sees now is there


def test_too_small_a_ceiling_names_the_least():
    with pytest.raises(UserError, match="expected at least"):
        VoxelMap(MapConfig(max_map_bytes=1000))
    with pytest.raises(UserError, match="needs storage compact"):
        VoxelMap(MapConfig(max_map_bytes=10**8, storage="exact"))


def test_a_budget_is_used_up():
    config = MapConfig(max_map_bytes=100_000_000, max_voxels=10**9)
    voxels = budget(config).voxels
    used = fixed_bytes(config) + voxels * bytes_per_voxel(config)
    assert 0.99 * config.max_map_bytes < used <= config.max_map_bytes
    assert budget(MapConfig(max_voxels=1234)).voxels == 1234


def _store(positions: np.ndarray, weights: np.ndarray, seen_ms: np.ndarray) -> VoxelStore:
    store = VoxelStore(1000, PRECISIONS["compact"])
    rows, _ = store.insert(pack(positions))
    store.weight[rows] = weights * 512
    store.last_seen[rows] = [store.time_of(1_000_000 * int(stamp) + 10**15) for stamp in seen_ms]
    return store


@pytest.mark.parametrize("what", ["far", "old", "seldom"])
def test_the_far_the_old_and_the_seldom_seen_go_first(what):
    count = 100
    worse = np.arange(count) < 20
    positions = np.stack([np.arange(count), np.zeros(count), np.zeros(count)], axis=1).astype(int)
    positions[worse, 1] = 2000 if what == "far" else 0
    weights = np.where(worse & (what == "seldom"), 1.0, 20.0)
    stamps = np.where(worse & (what == "old"), 1_000, 3_600_000)
    store = _store(positions, weights, stamps)
    chosen = Evictor(MapConfig()).choose(store, 20, np.eye(4))
    assert set(chosen.tolist()) == set(range(20))
