"""Hash from voxel keys to rows that keeps no keys of its own: those of the rows serve for comparing.

Open addressing with linear probing, the latest key first (Poblete and Munro 1989, "Last-come-first-served
hashing"); deletion shifts followers back, so there are no tombstones. The table has its final size from the
start: nothing is ever entered anew, and no update pays for growth. A slot holds row + 1, or 0, in as many
bits as the rows need, and in the others a tag, bits of the key's hash: of a million keys that lie scattered
in memory only the right one is looked at.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.threads import Runner, run_in_turn

_SLOTS_PER_ROW = 1.2
_KEYS_FOR_TWO = 2048
"""Fewer keys are looked for by one thread."""
_TOGETHER = 32
"""Keys that are looked for together: a table of a million rows is in no cache, and their waiting overlaps."""
_ANOTHER = -2
"""The tag of a key was that of another one."""


@kernel
def _scattered(key: int) -> np.uint64:
    """The finaliser of MurmurHash3 (public domain): its upper half gives the slot, its lower half the tag."""
    value = np.uint64(key)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> np.uint64(33))


@kernel
def _home(scattered: np.uint64, slots: int) -> int:
    """Slot that a key wants: the upper half of its hash scaled to the table."""
    return np.int64(((scattered >> np.uint64(32)) * np.uint64(slots)) >> np.uint64(32))


@kernel
def _row_bits(rows: int) -> np.uint64:
    """The bits of a slot that hold row + 1: all ones up to the highest of ``rows``."""
    bits = np.uint64(rows)
    for shift in (1, 2, 4, 8, 16):
        bits |= bits >> np.uint64(shift)
    return bits


@kernel
def _tag(scattered: np.uint64, row_bits: np.uint64) -> np.uint64:
    return scattered & np.uint64(0xFFFFFFFF) & ~row_bits


@kernel
def _row_of(slot: np.uint32, row_bits: np.uint64) -> int:
    return np.int64(np.uint64(slot) & row_bits) - 1


@kernel
def find_voxel(slots: NDArray[np.uint32], row_keys: NDArray[np.int64], key: int) -> int:
    """Row of ``key``, or -1."""
    scattered, row_bits = _scattered(key), _row_bits(row_keys.size)
    tag = _tag(scattered, row_bits)
    slot = _home(scattered, slots.size)
    while slots[slot] != 0:
        if _tag(np.uint64(slots[slot]), row_bits) == tag:
            row = _row_of(slots[slot], row_bits)
            if row_keys[row] == key:
                return row
        slot += 1
        if slot == slots.size:
            slot = 0
    return -1


@kernel
def _find_together(
    slots: NDArray[np.uint32], row_keys: NDArray[np.int64], keys: NDArray[np.int64], rows: NDArray[np.int32]
) -> None:
    """Write the rows of at most _TOGETHER keys, -1 for those that are not there.

    In loops of their own: all slots are on their way from memory before the first is looked at, and so are
    the keys of all rows whose tags fit.
    """
    row_bits = _row_bits(row_keys.size)
    for i in range(keys.size):
        rows[i] = slots[_home(_scattered(keys[i]), slots.size)]
    for i in range(keys.size):
        rows[i] = _first_with_tag(slots, _scattered(keys[i]), np.uint32(rows[i]), row_bits)
    for i in range(keys.size):
        row = rows[i]
        rows[i] = row if row < 0 or row_keys[max(row, 0)] == keys[i] else _ANOTHER
    for i in range(keys.size):
        if rows[i] == _ANOTHER:
            rows[i] = find_voxel(slots, row_keys, keys[i])


@kernel
def _first_with_tag(
    slots: NDArray[np.uint32], scattered: np.uint64, content: np.uint32, row_bits: np.uint64
) -> int:
    """Row in the first slot from home on, whose ``content`` is known, that has the tag of a key; or -1."""
    tag, slot = _tag(scattered, row_bits), _home(scattered, slots.size)
    while content != 0:
        if _tag(np.uint64(content), row_bits) == tag:
            return _row_of(content, row_bits)
        slot = slot + 1 if slot + 1 < slots.size else 0
        content = slots[slot]
    return -1


@kernel
def put_voxel(slots: NDArray[np.uint32], row_keys: NDArray[np.int64], key: int, row: int) -> int:
    """Row already kept for ``key``, or ``row`` after entering it: then write ``row_keys[row]``.

    The latest takes the slot where it belongs, and all from there on to the next free slot move on by one:
    what came last, which is most of what a camera sees, is found at once, however full the table.
    """
    scattered, row_bits = _scattered(key), _row_bits(row_keys.size)
    tag, home = _tag(scattered, row_bits), _home(scattered, slots.size)
    slot = home
    while slots[slot] != 0:
        if _tag(np.uint64(slots[slot]), row_bits) == tag:
            kept = _row_of(slots[slot], row_bits)
            if row_keys[kept] == key:
                return kept
        slot += 1
        if slot == slots.size:
            slot = 0
    while slot != home:
        before = slot - 1 if slot > 0 else slots.size - 1
        slots[slot] = slots[before]
        slot = before
    slots[home] = np.uint32(tag | np.uint64(row + 1))
    return row


@kernel
def _remove(slots: NDArray[np.uint32], row_keys: NDArray[np.int64], rows: NDArray[np.int32]) -> None:
    size, row_bits = slots.size, _row_bits(row_keys.size)
    for row in rows:
        hole = _home(_scattered(row_keys[row]), size)
        while _row_of(slots[hole], row_bits) != row:
            hole = hole + 1 if hole + 1 < size else 0
        slot = hole
        while True:  # move back every follower that the hole would cut off from its home
            slot = slot + 1 if slot + 1 < size else 0
            if slots[slot] == 0:
                break
            home = _home(_scattered(row_keys[_row_of(slots[slot], row_bits)]), size)
            if (slot - home) % size >= (slot - hole) % size:
                slots[hole] = slots[slot]
                hole = slot
        slots[hole] = 0


@kernel
def find_all(
    slots: NDArray[np.uint32],
    row_keys: NDArray[np.int64],
    keys: NDArray[np.int64],
    rows: NDArray[np.int32],
) -> None:
    """Write the rows of the keys (n,), -1 for those that are not there."""
    for first in range(0, keys.size, _TOGETHER):
        last = min(first + _TOGETHER, keys.size)
        _find_together(slots, row_keys, keys[first:last], rows[first:last])


class RowIndex:
    """Key to row for at most ``row_keys.size`` rows; ``row_keys[row]`` is the key of each row.

    ``slots`` is the table itself, for kernels that walk through space.
    """

    def __init__(self, row_keys: NDArray[np.int64]) -> None:
        self.row_keys = row_keys
        self.slots = np.zeros(slot_count(row_keys.size), np.uint32)

    def find(self, keys: NDArray[np.int64], run: Runner = run_in_turn) -> NDArray[np.int32]:
        """(n,) rows of the keys, -1 where a key is not there."""
        rows, keys = np.empty(keys.size, np.int32), np.ascontiguousarray(keys)

        def find(first: int, last: int) -> None:
            find_all(self.slots, self.row_keys, keys[first:last], rows[first:last])

        run(find, keys.size, _KEYS_FOR_TWO)
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
