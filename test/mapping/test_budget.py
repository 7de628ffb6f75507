"""The ceiling in bytes is never exceeded, and what goes is what the rule says."""

from __future__ import annotations

import numpy as np
import pytest

from rgbd_perception.errors import UserError
from rgbd_perception.mapping import MapConfig, VoxelMap
from rgbd_perception.mapping.budget import budget, bytes_per_voxel, fixed_bytes
from rgbd_perception.mapping.eviction import Evictor
from rgbd_perception.mapping.keys import pack
from rgbd_perception.mapping.layers import Layers
from rgbd_perception.mapping.quantities import PRECISIONS
from rgbd_perception.mapping.store import VoxelStore
from test.mapping.scenes import NAMES, ROOM, VOCABULARY, MadeUpEncoder, looking_along, observe


def test_the_map_stays_below_its_ceiling_while_the_camera_travels():
    config = MapConfig(hot_voxels=2048, carve=False, max_map_bytes=3_600_000, voxel_size=0.05)
    voxel_map = VoxelMap(config)
    voxel_map.set_vocabulary(VOCABULARY, MadeUpEncoder().encode(NAMES))
    evicted, largest = 0, 0
    for place in range(90):
        frame, prediction = observe(ROOM, looking_along(0.0), 100 * place)
        pose = frame.pose.copy()
        pose[:3, 3] += (20.0 * place, 0, 0)
        report = voxel_map.integrate(frame.with_pose(pose), prediction)
        evicted += report.voxels_evicted
        assert report.voxels_refused == 0
        voxel_map.query(NAMES, encoder=MadeUpEncoder())
        largest = max(largest, voxel_map.nbytes)
    assert evicted > 0
    assert 0.5 * config.max_map_bytes < largest <= config.max_map_bytes
    newest = voxel_map.voxels().last_seen.max()
    assert newest == 8_900_000_000  # what the camera sees now is there


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


@pytest.mark.parametrize("evict", [True, False])
def test_scattered_voxels_stay_below_the_ceiling_too(evict):
    """Every voxel has a block of its own, the worst that can be; a thick cluster stays."""
    config = MapConfig(hot_voxels=1024, max_map_bytes=2_500_000, evict=evict)
    layers = Layers(config, VOCABULARY)
    cluster = pack(np.stack(np.meshgrid(*[np.arange(8)] * 3), axis=-1).reshape(-1, 3))
    layers.enter(cluster, layers.store.index.find(cluster), np.eye(4))
    scattered = pack(
        8 * np.random.default_rng(0).permutation(np.stack(np.unravel_index(np.arange(8000), (20, 20, 20)), 1))
        + 80
    )
    evicted = refused = 0
    for keys in np.array_split(scattered, 40):
        rows, added, gone = layers.enter(keys, layers.store.index.find(keys), np.eye(4))
        evicted += gone
        refused += int(np.count_nonzero(rows < 0))
        assert added == np.count_nonzero(rows >= 0)
        assert layers.nbytes <= config.max_map_bytes
    assert (evicted > 0) == evict
    assert (refused > 0) != evict
    assert len(layers.store) == cluster.size + scattered.size - evicted - refused
    assert (layers.store.index.find(cluster) >= 0).all()
    kept = layers.store.key[layers.store.live_rows()]
    known = layers.store.blocks.sparsest(np.empty(0, np.int64))
    assert np.isin(known, kept).all()


def test_a_block_without_room_refuses_only_its_own_voxels():
    store = VoxelStore(10_000, PRECISIONS["compact"], blocks=1024)
    apart = pack(np.stack([8 * np.arange(1030), np.zeros(1030, int), np.zeros(1030, int)], axis=1))
    rows, added = store.insert(apart)
    assert added == 1024 and np.count_nonzero(rows < 0) == 6
    beside = apart[rows >= 0] + 1  # one voxel on in z, in the same blocks
    rows, added = store.insert(np.concatenate([beside, apart]))
    assert added == 1024 and np.count_nonzero(rows < 0) == 6
