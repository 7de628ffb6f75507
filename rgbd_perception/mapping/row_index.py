"""Hash from voxel keys to rows that keeps no keys of its own: those of the rows serve for comparing.

Open addressing with linear probing; deletion shifts followers back, so there are no tombstones. The table has
its final size from the start: nothing is ever entered anew, and no update pays for growth.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.jit import kernel

_SLOTS_PER_ROW = 1.2


@kernel
def _home(key: int, slots: int) -> int:
    """Slot a key wants: the finaliser of MurmurHash3 (public domain), its upper half scaled to the table."""
    value = np.uint64(key)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    return np.int64(((value >> np.uint64(32)) * np.uint64(slots)) >> np.uint64(32))


@kernel
def find_voxel(slots: NDArray[np.int32], row_keys: NDArray[np.int64], key: int) -> int:
    """Row of ``key``, or -1. A slot holds row + 1, or 0."""
    slot = _home(key, slots.size)
    while slots[slot] != 0:
        row = slots[slot] - 1
        if row_keys[row] == key:
            return row
        slot += 1
        if slot == slots.size:
            slot = 0
    return -1


@kernel
def put_voxel(slots: NDArray[np.int32], row_keys: NDArray[np.int64], key: int, row: int) -> int:
    """Row already kept for ``key``, or ``row`` after entering it: then write ``row_keys[row]``."""
    slot = _home(key, slots.size)
    while slots[slot] != 0:
        if row_keys[slots[slot] - 1] == key:
            return slots[slot] - 1
        slot += 1
        if slot == slots.size:
            slot = 0
    slots[slot] = row + 1
    return row


@kernel
def _remove(slots: NDArray[np.int32], row_keys: NDArray[np.int64], rows: NDArray[np.int32]) -> None:
    size = slots.size
    for row in rows:
        hole = _home(row_keys[row], size)
        while slots[hole] != row + 1:
            hole = hole + 1 if hole + 1 < size else 0
        slot = hole
        while True:  # move back every follower that the hole would cut off from its home
            slot = slot + 1 if slot + 1 < size else 0
            if slots[slot] == 0:
                break
            home = _home(row_keys[slots[slot] - 1], size)
            if (slot - home) % size >= (slot - hole) % size:
                slots[hole] = slots[slot]
                hole = slot
        slots[hole] = 0


@kernel
def _find_all(
    slots: NDArray[np.int32],
    row_keys: NDArray[np.int64],
    keys: NDArray[np.int64],
    rows: NDArray[np.int32],
) -> None:
    for i in range(keys.size):
        rows[i] = find_voxel(slots, row_keys, keys[i])


class RowIndex:
    """Key to row for at most ``row_keys.size`` rows; ``row_keys[row]`` is the key of each row.

    ``slots`` is the table itself, for kernels that walk through space.
    """

    def __init__(self, row_keys: NDArray[np.int64]) -> None:
        self.row_keys = row_keys
        self.slots = np.zeros(slot_count(row_keys.size), np.int32)

    def find(self, keys: NDArray[np.int64]) -> NDArray[np.int32]:
        """(n,) rows of the keys, -1 where a key is not there."""
        rows = np.empty(keys.size, np.int32)
        _find_all(self.slots, self.row_keys, np.ascontiguousarray(keys), rows)
        return rows

    def remove(self, rows: NDArray[np.int32]) -> None:
        """Forget these rows, which must be there and still have their keys."""
        _remove(self.slots, self.row_keys, np.ascontiguousarray(rows, np.int32))

    @property
    def nbytes(self) -> int:
        return self.slots.nbytes


def slot_count(rows: int) -> int:
    """Slots of a table for so many rows: never more than five of six are taken."""
    return int(rows * _SLOTS_PER_ROW) + 16
