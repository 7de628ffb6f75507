"""Snapshots show one instant whatever is written meanwhile."""

from __future__ import annotations

import threading
import time

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.mapping.keys import BITS, pack
from rgbd_perception.mapping.snapshot import Snapshot
from rgbd_perception.mapping.store import VoxelStore

numbers = st.sets(st.integers(0, 40), min_size=1)


def _contents(store: VoxelStore) -> dict[int, float]:
    rows = store.live_rows()
    return dict(zip(store.key[rows].tolist(), store.weight[rows].tolist(), strict=True))


def _write(store: VoxelStore, chosen: set[int], value: float) -> None:
    """What an update does: insert, record, change."""
    rows, _ = store.insert(pack(np.array([[number, 0, 0] for number in sorted(chosen)])))
    store.record(rows)
    store.weight[rows] = value


def _erase(store: VoxelStore, chosen: set[int]) -> None:
    rows = store.index.find(pack(np.array([[number, 0, 0] for number in sorted(chosen)])))
    store.remove(rows[rows >= 0])


@given(numbers, st.lists(st.tuples(st.booleans(), numbers), min_size=1, max_size=8), st.integers(1, 7))
def test_rows_are_picked_as_they_were(first, steps, block):
    store, lock = VoxelStore(100), threading.Lock()
    _write(store, first, 1.0)
    expected = {key: weight for key, weight in _contents(store).items() if key >> (2 * BITS) & 1}
    snapshot = Snapshot(store, lock)
    for number, (insert, chosen) in enumerate(steps):
        _write(store, chosen, 2.0 + number) if insert else _erase(store, chosen)

    def odd(columns):
        found = np.flatnonzero((columns["key"] >= 0) & (columns["key"] >> (2 * BITS) & 1 == 1))
        return found, columns["key"][found], columns["weight"][found]

    rows, keys, weights = snapshot.pick(odd, block)
    assert dict(zip(keys.tolist(), weights.tolist(), strict=True)) == expected
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert snapshot.gather(rows, ("key",))["key"].tolist() == keys.tolist()


def test_who_has_read_waits_for_nobody():
    store, lock = VoxelStore(100), threading.Lock()
    _write(store, {1}, 1.0)
    snapshot = Snapshot(store, lock)
    with lock:
        snapshot.close()
        assert not store.is_read
        _write(store, {1}, 2.0)
    assert not snapshot._kept


@given(numbers, numbers, st.lists(st.tuples(st.booleans(), numbers), max_size=8))
def test_only_those_rows_are_kept_that_will_be_read(first, wanted, steps):
    store = VoxelStore(100)
    _write(store, first, 1.0)
    wanted &= first
    rows = store.index.find(pack(np.array([[number, 0, 0] for number in sorted(wanted)]).reshape(-1, 3)))
    expected = store.weight[rows].tolist()
    snapshot = Snapshot(store, threading.Lock())
    snapshot.keep_only(rows)
    for number, (insert, chosen) in enumerate(steps):
        _write(store, chosen, 2.0 + number) if insert else _erase(store, chosen)
    assert snapshot.gather(rows.astype(np.int64), ("weight",))["weight"].tolist() == expected
    assert sum(kept.size for kept, _ in snapshot._kept) == rows.size


@given(numbers, st.lists(st.tuples(st.booleans(), numbers), max_size=8), st.integers(1, 7))
def test_snapshot_reads_the_state_of_its_instant(first, steps, block):
    store, lock = VoxelStore(100), threading.Lock()
    _write(store, first, 1.0)
    expected = _contents(store)
    snapshot = Snapshot(store, lock)
    seen: dict[int, float] = {}
    writes = iter(enumerate(steps))
    for _, (key, weight) in snapshot.blocks(lambda b: (b["key"].copy(), b["weight"].copy()), rows=block):
        seen.update((k, w) for k, w in zip(key.tolist(), weight.tolist(), strict=True) if k >= 0)
        for number, (insert, chosen) in [next(writes, (0, (False, set())))]:
            if chosen:
                _write(store, chosen, 2.0 + number) if insert else _erase(store, chosen)
    assert seen == expected
    assert snapshot.voxels == len(expected)
    filled = np.empty(snapshot.rows, np.int64), np.empty(snapshot.rows, store.weight.dtype)
    snapshot.fill(
        lambda b, to: (np.copyto(to[0], b["key"]), np.copyto(to[1], b["weight"])), filled, rows=block
    )
    assert {k: w for k, w in zip(*(column.tolist() for column in filled), strict=True) if k >= 0} == expected
    everything = snapshot.read_all(("key", "weight"))
    assert dict(zip(everything["key"].tolist(), everything["weight"].tolist(), strict=True)) == expected
    gathered = snapshot.gather(everything["row"], ("key", "weight"))
    assert gathered["key"].tolist() == everything["key"].tolist()
    assert gathered["weight"].tolist() == everything["weight"].tolist()
    snapshot.close()
    assert store.insert(pack(np.array([[99, 0, 0]])))[1] == 1


def test_snapshot_is_consistent_while_another_thread_writes():
    store, lock = VoxelStore(50_000), threading.Lock()
    keys = pack(np.stack(np.unravel_index(np.arange(20_000), (50, 40, 10)), axis=1))
    store.insert(keys)
    stop = threading.Event()

    def write() -> None:
        value = 0
        while not stop.is_set():
            value += 1
            with lock:
                rows, _ = store.insert(keys)
                store.record(rows)
                store.weight[rows] = value
            time.sleep(0.001)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        versions: set[float] = set()
        rounds, end = 0, time.monotonic() + 60.0
        while (rounds < 20 or len(versions) < 5) and time.monotonic() < end:
            rounds += 1
            time.sleep(0.001)  # locks of Python are not fair: the writer must have its turn, too
            with lock:
                snapshot = Snapshot(store, lock)
            weights = snapshot.read_all(("weight",))["weight"]
            snapshot.close()
            assert np.all(weights == weights[0])
            versions.add(float(weights[0]))
    finally:
        stop.set()
        writer.join()
    assert rounds >= 20 and len(versions) >= 5, "the writer did not write: nothing was tested"
