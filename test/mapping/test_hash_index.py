"""The hash against a dict."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.mapping.hash_index import HashIndex
from rgbd_perception.mapping.keys import NO_KEY, pack, unpack
from rgbd_perception.mapping.store import VoxelStore

coordinate = st.integers(-(2**20), 2**20 - 1)
small = st.integers(-3, 3)


@given(st.lists(st.tuples(coordinate, coordinate, coordinate), min_size=1))
def test_keys_unpack_to_what_was_packed(coordinates):
    keys = pack(np.array(coordinates))
    assert np.all(keys >= 0)
    assert unpack(keys).tolist() == [list(entry) for entry in coordinates]


def test_coordinates_out_of_range_have_no_key():
    assert pack(np.array([[2**20, 0, 0], [0, -(2**20) - 1, 0]])).tolist() == [NO_KEY, NO_KEY]


@given(st.lists(st.tuples(st.booleans(), st.sets(st.tuples(small, small, small), min_size=1)), max_size=12))
def test_store_behaves_like_a_dict(steps):
    store, model = VoxelStore(1000), {}
    for insert, coordinates in steps:
        keys = pack(np.array(sorted(coordinates)))
        if insert:
            rows, added = store.insert(keys)
            assert added == len(set(keys.tolist()) - set(model))
            for key, row in zip(keys.tolist(), rows.tolist(), strict=True):
                assert model.setdefault(key, row) == row
            store.weight[rows] = 1
        else:
            present = [key for key in keys.tolist() if key in model]
            store.remove(np.array([model.pop(key) for key in present], np.int32))
        assert len(store) == len(model)
        assert len(set(model.values())) == len(model)
        everything = np.array([*model, pack(np.array([100, 100, 100]))])
        assert store.index.find(everything).tolist() == [*model.values(), -1]
        free = np.setdiff1d(np.arange(store.rows_used), list(model.values()))
        assert np.all(store.weight[free] == 0)


def test_index_survives_growing_and_removing_half():
    rng = np.random.default_rng(0)
    keys = pack(np.unique(rng.integers(-200, 200, (60_000, 3)), axis=0))
    index = HashIndex()
    store = VoxelStore(keys.size)
    rows, added = store.insert(keys)
    assert added == keys.size
    assert index.find(keys[:3]).tolist() == [-1, -1, -1]
    chosen = rng.permutation(keys.size)[: keys.size // 2]
    store.remove(rows[chosen])
    found = store.index.find(keys)
    assert np.all(found[chosen] == -1)
    rest = np.setdiff1d(np.arange(keys.size), chosen)
    assert np.array_equal(found[rest], rows[rest])


def test_a_full_store_refuses_new_voxels_but_finds_old_ones():
    store = VoxelStore(2)
    keys = pack(np.array([[0, 0, 0], [0, 0, 1], [0, 0, 2]]))
    rows, added = store.insert(keys)
    assert (rows.tolist(), added) == ([0, 1, -1], 2)
    rows, added = store.insert(keys[::-1].copy())
    assert (rows.tolist(), added) == ([-1, 1, 0], 0)
