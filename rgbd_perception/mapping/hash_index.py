"""Open-addressing hash from voxel keys to rows: linear probing, deletion by shifting back, no tombstones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.keys import NO_KEY

FIRST_SLOTS = 1 << 14


@kernel
def _home(key: int, mask: int) -> int:
    """Slot a key wants: the finaliser of MurmurHash3 (public domain), which scatters lattice neighbours."""
    value = np.uint64(key)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    value ^= value >> np.uint64(33)
    return np.int64(value & np.uint64(mask))


@kernel
def find_row(slot_keys: NDArray[np.int64], slot_rows: NDArray[np.int32], key: int) -> int:
    """Row of ``key``, or -1."""
    mask = slot_keys.size - 1
    slot = _home(key, mask)
    while slot_keys[slot] != NO_KEY:
        if slot_keys[slot] == key:
            return slot_rows[slot]
        slot = (slot + 1) & mask
    return -1


@kernel
def put_row(slot_keys: NDArray[np.int64], slot_rows: NDArray[np.int32], key: int, row: int) -> int:
    """Row already kept for ``key``, or ``row`` after entering it. The table must have an empty slot."""
    mask = slot_keys.size - 1
    slot = _home(key, mask)
    while slot_keys[slot] != NO_KEY:
        if slot_keys[slot] == key:
            return slot_rows[slot]
        slot = (slot + 1) & mask
    slot_keys[slot] = key
    slot_rows[slot] = row
    return row


@kernel
def _remove(slot_keys: NDArray[np.int64], slot_rows: NDArray[np.int32], keys: NDArray[np.int64]) -> None:
    mask = slot_keys.size - 1
    for key in keys:
        hole = _home(key, mask)
        while slot_keys[hole] != key:
            if slot_keys[hole] == NO_KEY:
                break
            hole = (hole + 1) & mask
        if slot_keys[hole] == NO_KEY:
            continue
        slot = hole
        while True:  # move back every follower that the hole would cut off from its home
            slot = (slot + 1) & mask
            if slot_keys[slot] == NO_KEY:
                break
            if ((slot - _home(slot_keys[slot], mask)) & mask) >= ((slot - hole) & mask):
                slot_keys[hole] = slot_keys[slot]
                slot_rows[hole] = slot_rows[slot]
                hole = slot
        slot_keys[hole] = NO_KEY


@kernel
def _put_all(slot_keys: NDArray[np.int64], slot_rows: NDArray[np.int32], row_keys: NDArray[np.int64]) -> None:
    for row in range(row_keys.size):
        if row_keys[row] != NO_KEY:
            put_row(slot_keys, slot_rows, row_keys[row], row)


@kernel
def _find_all(
    slot_keys: NDArray[np.int64],
    slot_rows: NDArray[np.int32],
    keys: NDArray[np.int64],
    rows: NDArray[np.int32],
) -> None:
    for i in range(keys.size):
        rows[i] = find_row(slot_keys, slot_rows, keys[i])


class HashIndex:
    """Key to row. Never more than half full; doubles by re-entering the keys of the rows.

    ``keys`` and ``rows`` are the slots themselves, for kernels that walk through space.
    """

    def __init__(self) -> None:
        self.keys = np.full(FIRST_SLOTS, NO_KEY, np.int64)
        self.rows = np.empty(FIRST_SLOTS, np.int32)

    def reserve(self, count: int, row_keys: NDArray[np.int64]) -> None:
        """Make room for ``count`` keys in all; ``row_keys[row]`` is the key of each row (NO_KEY: none)."""
        slots = self.keys.size
        while slots < 2 * count:
            slots *= 2
        if slots != self.keys.size:
            self.keys = np.full(slots, NO_KEY, np.int64)
            self.rows = np.empty(slots, np.int32)
            _put_all(self.keys, self.rows, row_keys)

    def find(self, keys: NDArray[np.int64]) -> NDArray[np.int32]:
        """(n,) rows of the keys, -1 where a key is not there."""
        rows = np.empty(keys.size, np.int32)
        _find_all(self.keys, self.rows, np.ascontiguousarray(keys), rows)
        return rows

    def remove(self, keys: NDArray[np.int64]) -> None:
        """Forget these keys; one that is not there is passed over."""
        _remove(self.keys, self.rows, np.ascontiguousarray(keys))

    @property
    def nbytes(self) -> int:
        return self.keys.nbytes + self.rows.nbytes
