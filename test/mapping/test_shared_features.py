"""Embeddings in few bytes: within the stated bound, whatever settles, goes and comes back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rgbd_perception.errors import UserError
from rgbd_perception.mapping import MapConfig
from rgbd_perception.mapping.feature_readers import HOT
from rgbd_perception.mapping.features import SharedFeatures
from rgbd_perception.mapping.fusion import VoxelGroups
from rgbd_perception.mapping.jit import to_half
from rgbd_perception.mapping.keys import pack
from rgbd_perception.mapping.pooling import Pooled
from rgbd_perception.mapping.quantities import PRECISIONS
from rgbd_perception.mapping.store import VoxelStore
from rgbd_perception.mapping.threads import run_in_turn

DIM, ROUNDING = 24, 2e-3
"""Of 8 bits a number and half precision means, as a loss of cosine."""


class Line:
    """Voxels in a row along x, each seen by one cell."""

    def __init__(self, tolerance: float = 0.99, rows: int = 500, slots: int = 64) -> None:
        self.store = VoxelStore(1000, PRECISIONS["compact"])
        self.features = SharedFeatures(
            self.store, DIM, "space", dims=DIM, tolerance=tolerance, rows=rows, slots=slots
        )

    def see(self, places: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        keys = pack(np.stack([places, places * 0, places * 0], axis=1))
        known = self.store.index.find(keys)
        pooled = self.pooled(keys, known, vectors)
        rows, _ = self.store.insert(keys, known)
        self.features.blend(rows, pooled, 0.0)
        self.store.weight[rows] += 512
        return rows

    def pooled(self, keys: np.ndarray, known: np.ndarray, vectors: np.ndarray) -> Pooled:
        count = keys.size
        starts, members = np.arange(count + 1, dtype=np.int32), np.arange(count, dtype=np.int32)
        groups = VoxelGroups(keys, starts, members, np.ones(count, np.float32))
        return self.features.pool(known, groups, to_half(vectors.astype(np.float32)), run_in_turn)

    def cosines(self, rows: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        reader = self.features.reader()
        found = reader.vectors(reader.number(self.features.at[rows])) @ reader.basis
        lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(vectors, axis=1)
        return np.einsum("nd,nd->n", found, vectors) / np.maximum(lengths, 1e-9)


def test_nothing_is_summed_up_for_voxels_that_find_no_slot():
    line, vectors = Line(slots=64), np.ones((100, DIM))
    line.see(np.arange(40, 60), vectors[:20])
    keys = pack(np.stack([np.arange(100), np.zeros(100, int), np.zeros(100, int)], axis=1))
    known = line.store.index.find(keys)
    chosen = line.pooled(keys, known, vectors).chosen
    assert np.count_nonzero(known[chosen] >= 0) == 20
    assert np.count_nonzero(known[chosen] < 0) == 64 - 20


@settings(max_examples=25)
@given(st.integers(0, 2**31), st.sampled_from([0.9, 0.97, 0.99, 0.999]), st.floats(0.0, 0.5))
def test_the_stated_bound_holds(seed, tolerance, noise):
    """300 voxels pass through 64 slots; every one that settled is as near as the tolerance says."""
    rng = np.random.default_rng(seed)
    line = Line(tolerance)
    kinds = rng.standard_normal((4, DIM))
    vectors = kinds[np.arange(300) // 20 % 4] + noise * rng.standard_normal((300, DIM))
    rows = np.concatenate([line.see(part, vectors[part]) for part in np.split(np.arange(300), 10)])
    assert np.count_nonzero(line.features.at[rows] < HOT) >= 300 - 64
    assert line.cosines(rows, vectors).min() >= tolerance - ROUNDING


def test_like_neighbours_share_and_unlike_ones_do_not():
    rng = np.random.default_rng(1)
    line = Line()
    one, other = rng.standard_normal((2, DIM))
    vectors = np.where(np.arange(400)[:, None] < 200, one, other)
    for part in np.split(np.arange(400), 20):
        line.see(part, vectors[part])
    settled = 400 - 64
    assert (
        len(line.features.shared) <= 40
    )  # a slot's voxel may settle before its neighbour: some more than two
    assert settled / len(line.features.shared) > 8


def test_a_mean_goes_on_where_it_was_when_its_voxel_is_seen_again():
    rng = np.random.default_rng(2)
    line = Line()
    first, second = rng.standard_normal((2, DIM))
    for _ in range(3):
        rows = line.see(np.arange(10), np.tile(first, (10, 1)))
    for start in range(100, 400, 50):  # elsewhere, until the ten have settled
        line.see(np.arange(start, start + 50), rng.standard_normal((50, DIM)))
    assert np.all(line.features.at[rows] < HOT)
    line.see(np.arange(10), np.tile(second, (10, 1)))
    unit = first / np.linalg.norm(first)
    assert line.cosines(rows, np.tile(3 * unit + second, (10, 1))).min() > 1 - ROUNDING
    assert line.features.shared.users.min() >= 0


@settings(max_examples=15)
@given(st.integers(0, 2**31))
def test_users_are_counted_whatever_comes_and_goes(seed):
    rng = np.random.default_rng(seed)
    line = Line(slots=32)
    for _ in range(40):
        places = rng.permutation(200)[: rng.integers(1, 30)]
        line.see(places, rng.standard_normal((places.size, DIM)))
        live = line.store.live_rows()
        gone = rng.permutation(live)[: rng.integers(0, 8)].astype(np.int32)
        line.features.forget(gone)
        line.store.remove(gone)
        shared = line.features.shared
        at = line.features.at[line.store.live_rows()]
        users = np.bincount(at[at < HOT], minlength=shared.users.size)
        users[0] = 0
        assert np.array_equal(users, shared.users)
        assert len(shared) <= np.count_nonzero(users) <= shared.users.size
        hot = at[at >= HOT] - HOT
        assert np.unique(hot).size == hot.size


def test_when_rows_run_short_everybody_still_has_one():
    rng = np.random.default_rng(3)
    line = Line(rows=40)
    vectors = rng.standard_normal((600, DIM))
    for part in np.split(np.arange(600), 20):
        line.see(part, vectors[part])
    assert len(line.features.shared) <= 40
    assert np.mean(line.features.at[line.store.live_rows()] > 0) > 0.9


def test_the_same_frames_give_the_same_map():
    rng = np.random.default_rng(4)
    vectors = rng.standard_normal((300, DIM))
    results = []
    for _ in range(2):
        line = Line()
        for part in np.split(np.arange(300), 10):
            line.see(part, vectors[part])
        results.append((line.features.at[:300].copy(), line.features.shared.vector.copy()))
    assert np.array_equal(results[0][0], results[1][0]) and np.array_equal(results[0][1], results[1][1])


@pytest.mark.parametrize("storage", ["half", ""])
def test_an_unknown_storage_is_refused(storage):
    with pytest.raises(UserError, match="storage must be compact or exact"):
        replace(MapConfig(), storage=storage)
