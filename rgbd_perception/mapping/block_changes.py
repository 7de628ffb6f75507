"""In which blocks of a map something changed that their lists say of voxels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.block_lists import HALVES, WORDS
from rgbd_perception.mapping.blocks import in_block
from rgbd_perception.mapping.hash_index import find_row
from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.keys import NO_KEY

_NEW, _OBSERVED = np.uint64(1 << 63), np.uint64(1 << 62)
"""What no voxel is, and a bit of all that are well observed."""


class VoxelColumns(NamedTuple):
    """Columns that say what a voxel is for a question: ``feature_at``, the slot of its class (none where no
    classes are known), its weight in steps of ``unit``."""

    feature_at: NDArray[np.uint32]
    class_slots: NDArray[np.unsignedinteger]
    weights: NDArray[np.number]
    unit: np.float32


@kernel(forceinline=True)
def _contents(
    row: int,
    feature_at: NDArray[np.uint32],
    class_slots: NDArray[np.unsignedinteger],
    weights: NDArray[np.number],
    unit: float,
    least: float,
) -> np.uint64:
    """All that lists say of a voxel, in one number; 0 for those that are not well observed."""
    if weights[row] * unit < least:
        return np.uint64(0)
    slot = np.uint64(class_slots[row]) if class_slots.size > 0 else np.uint64(0)
    return _OBSERVED | (slot << np.uint64(32)) | np.uint64(feature_at[row])


@kernel
def write_contents(
    rows: NDArray[np.int32],
    feature_at: NDArray[np.uint32],
    class_slots: NDArray[np.unsignedinteger],
    weights: NDArray[np.number],
    unit: float,
    least: float,
    found: NDArray[np.uint64],
) -> None:
    """What each voxel (-1: none) is; _NEW for those that were never seen."""
    for i in range(rows.size):
        row = rows[i]
        if row >= 0:
            found[i] = (
                _contents(row, feature_at, class_slots, weights, unit, least) if weights[row] > 0 else _NEW
            )


@kernel
def mark_changed(
    rows: NDArray[np.int32],
    before: NDArray[np.uint64],
    time: int,
    feature_at: NDArray[np.uint32],
    class_slots: NDArray[np.unsignedinteger],
    weights: NDArray[np.number],
    unit: float,
    least: float,
    row_keys: NDArray[np.int64],
    slot_keys: NDArray[np.int64],
    slot_rows: NDArray[np.int32],
    now: int,
    changed: NDArray[np.bool_],
    touched_at: NDArray[np.int32],
    seen: NDArray[np.uint32],
) -> None:
    """The blocks of all voxels are touched ``now``, those of voxels that are not what they were ``before``
    (n,) have changed; the halves of those that are well observed were seen at this ``time``."""
    last, number = NO_KEY, -1
    for i in range(rows.size):
        row = rows[i]
        if row < 0:
            continue
        block, word, _ = in_block(row_keys[row])
        if block != last:
            last, number = block, find_row(slot_keys, slot_rows, block)
        contents = _contents(row, feature_at, class_slots, weights, unit, least)
        touched_at[number] = now
        if contents != before[i]:
            changed[number] = True
        if contents != np.uint64(0):
            half = HALVES * number + word // WORDS
            seen[half] = max(seen[half], np.uint32(time))


@kernel
def mark_blocks(
    rows: NDArray[np.int32],
    row_keys: NDArray[np.int64],
    slot_keys: NDArray[np.int64],
    slot_rows: NDArray[np.int32],
    changed: NDArray[np.bool_],
) -> None:
    """The blocks of these rows (-1: none) change."""
    last, number = NO_KEY, -1
    for row in rows:
        if row < 0 or row_keys[row] == NO_KEY:
            continue
        block, _, _ = in_block(row_keys[row])
        if block != last:
            last, number = block, find_row(slot_keys, slot_rows, block)
        if number >= 0:
            changed[number] = True
