"""The hash without keys against a dict, through insertions and removals."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rgbd_perception.mapping.keys import NO_KEY
from rgbd_perception.mapping.row_index import _home, _row_bits, _row_of, _scattered, slot_count
from rgbd_perception.mapping.store import VoxelStore

CAPACITY = 40
KEYS = st.lists(st.integers(0, 60), max_size=12, unique=True)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.booleans(), KEYS), max_size=30))
def test_it_finds_what_a_dict_would(steps):
    """Keys are packed neighbours, which collide; the table is nearly full."""
    store = VoxelStore(CAPACITY)
    expected: dict[int, int] = {}
    for inserting, numbers in steps:
        keys = np.array(numbers, np.int64) * 3
        if inserting:
            rows, added = store.insert(keys)
            assert added == sum(key not in expected for key, row in zip(keys, rows, strict=True) if row >= 0)
            for key, row in zip(keys.tolist(), rows.tolist(), strict=True):
                assert row == expected.get(key, row)
                if row >= 0:
                    expected[key] = row
        else:
            gone = [expected.pop(key) for key in keys.tolist() if key in expected]
            store.remove(np.array(gone, np.int32))
        assert len(store) == len(expected) <= CAPACITY
        everything = np.arange(61, dtype=np.int64) * 3
        found = dict(zip(everything.tolist(), store.index.find(everything).tolist(), strict=True))
        assert {key: row for key, row in found.items() if row >= 0} == expected
        assert all(store.key[row] == key for key, row in expected.items())
    assert np.count_nonzero(store.key[: store.rows_used] == NO_KEY) == store.rows_used - len(expected)


def test_the_table_always_has_an_empty_slot():
    for rows in (1, 2, 10, 1000, 123_457):
        assert slot_count(rows) > rows


def test_the_latest_voxels_lie_where_they_belong_however_full_the_table_is():
    store = VoxelStore(5000)
    rng = np.random.default_rng(3)
    keys = rng.choice(1 << 40, 5000, replace=False)
    store.insert(keys[:4950])
    rows, _ = store.insert(keys[4950:])
    at_home = [_row_at_home(store, key) == row for key, row in zip(keys[4950:], rows, strict=True)]
    assert np.mean(at_home) > 0.7
    assert np.array_equal(store.key[store.index.find(keys)], keys)


def _row_at_home(store: VoxelStore, key: int) -> int:
    slots, row_bits = store.index.slots, np.uint64(_row_bits(store.key.size))
    return _row_of(slots[_home(np.uint64(_scattered(key)), slots.size)], row_bits)
