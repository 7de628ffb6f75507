"""What the voxels of each block are for a question: which embedding each has, which class, when it was seen.

Rows of a map lie in the order in which voxels came, so whoever looks for all that fits a text goes through
all of them and then sorts what was found by place. Here that is done beforehand: the well observed voxels of
half a block, up to 256, have the number of their embedding in a short list without repetitions (neighbours
share embeddings), and a byte each that points into it. A block without an embedding that fits is passed over
after a look at its list.

Kept up by whoever asks: blocks are marked when one of their voxels comes, goes or gets another embedding or
class, and read anew before the next answer. Most voxels that a camera sees stay what they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.bits import count_bits
from rgbd_perception.mapping.block_changes import VoxelColumns, mark_blocks, mark_changed, write_contents
from rgbd_perception.mapping.block_lists import (
    HALF,
    HALVES,
    WORDS,
    Lists,
    close_gaps,
    count_appended,
    put_lists,
    with_spare,
)
from rgbd_perception.mapping.blocks import SIDE, corner_of, write_keys
from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.row_index import find_all
from rgbd_perception.mapping.snapshot import Snapshot
from rgbd_perception.mapping.store import VoxelStore
from rgbd_perception.mapping.threads import Runner

PLAIN = np.uint32(1 << 30)
"""From here on (and below HOT) it is none: PLAIN + the row of a voxel that is to be judged by its class."""
_KIND, _PLAIN_KIND = np.uint32(30), np.uint32(1)
"""The two highest bits: 0 for shared rows, 1 for PLAIN, more from HOT on."""
_VOXELS = WORDS * SIDE * SIDE
"""Most voxels of half a block."""
_FEW = 1 << 14
"""So many rows are copied in about a millisecond."""
_BLOCKS_FOR_TWO = 64
"""Fewer blocks are read by one thread."""
_PATIENCE = 16
"""Frames for which a block must not have been seen before it is read without being asked for."""


class Blocks(NamedTuple):
    """Blocks of one instant: ``keys`` (b,) with NO_KEY where there is none, ``bits`` (b, 8), their lists,
    when the well observed voxels of their halves were ``seen`` (2 b,) last, and which entries of the lists
    are ``plain`` (p,)."""

    keys: NDArray[np.int64]
    bits: NDArray[np.uint64]
    lists: Lists
    seen: NDArray[np.uint32]
    plain: NDArray[np.int32]


@kernel
def _plain_entries(embeddings: NDArray[np.uint32]) -> NDArray[np.int32]:
    """Which entries of lists stand for voxels that are judged by their class."""
    count = 0
    for i in range(embeddings.size):  # by index, so that it is done for many at once
        count += (embeddings[i] >> _KIND) == _PLAIN_KIND
    entries = np.empty(count, np.int32)
    if count > 0:
        count = 0
        for i in range(embeddings.size):
            if (embeddings[i] >> _KIND) == _PLAIN_KIND:
                entries[count] = i
                count += 1
    return entries


def keep_only_plain(snapshot: Snapshot, blocks: Blocks) -> None:
    """Of the voxels in the lists only those that are judged by their class are read as rows: a frame need not
    keep the others. Not where they are so many that copying them would take long."""
    if blocks.plain.size <= _FEW:
        snapshot.keep_only((blocks.lists.embeddings[blocks.plain] - PLAIN).astype(np.int32))


class BlockContents:
    """Contents of all blocks of a store, the class and the embedding of a voxel being those of its columns
    ``class_slot`` and ``feature_at``. Not thread-safe: the map holds its lock around every call."""

    def __init__(self, store: VoxelStore, min_weight: float, most_bytes: int) -> None:
        """Voxels observed with less than ``min_weight`` count as none; ``most_bytes``: see ``fits``."""
        self.fits = True
        """Whether all is there; no longer when more than ``most_bytes`` would be needed."""
        self._store = store
        self._least = min_weight
        self._most_bytes = most_bytes
        self._changed = np.zeros(0, np.bool_)
        self._touched_at = np.zeros(0, np.int32)
        self._seen = np.zeros(0, np.uint32)
        self._now = 0
        self._used = np.zeros(2, np.int64)
        self._lists = self._empty_lists(0, 0, 0)
        self._grow_with_blocks()
        store.watch(self)

    def mark(self, rows: NDArray[np.int32]) -> None:
        """These voxels are about to get another embedding or time, or to go (called by the store)."""
        blocks = self._store.blocks
        mark_blocks(rows, self._store.key, blocks.index.keys, blocks.index.rows, self._changed)

    @contextmanager
    def frame(self, rows: NDArray[np.int32], time: int) -> Iterator[None]:
        """The voxels in these rows (-1: none), some of them new, are seen at this ``time`` of the store."""
        self._grow_with_blocks()
        before = np.empty(rows.size, np.uint64)
        write_contents(rows, *self._columns(), self._least, before)
        try:
            yield
        finally:
            blocks = self._store.blocks
            mark_changed(
                rows, before, time, *self._columns(), self._least, self._store.key, blocks.index.keys,
                blocks.index.rows, self._now, self._changed, self._touched_at, self._seen,
            )  # fmt: skip

    def tick(self, most: int, run: Runner) -> None:
        """A frame came: read up to ``most`` blocks that changed and are no longer seen."""
        self._now += 1
        at_rest = self._changed & (self._touched_at < self._now - _PATIENCE)
        self._read(np.flatnonzero(at_rest)[:most], run)

    def refresh(self, most: int, run: Runner) -> bool:
        """Read up to ``most`` changed blocks; whether all is there now."""
        self._grow_with_blocks()
        changed = np.flatnonzero(self._changed)
        self._read(changed[:most], run)
        return self.fits and changed.size <= most

    def blocks(self) -> Blocks:
        """As they are now; the lists change with the next ``refresh`` or ``tick``."""
        blocks, entries = self._store.blocks, int(self._used[0])
        lists = self._lists._replace(
            embeddings=self._lists.embeddings[:entries], classes=self._lists.classes[:entries]
        )
        plain = _plain_entries(lists.embeddings)
        return Blocks(blocks.keys.copy(), blocks.bits.copy(), lists, self._seen.copy(), plain)

    @property
    def nbytes(self) -> int:
        """Bytes of memory in use."""
        of_blocks = self._changed.nbytes + self._touched_at.nbytes + self._seen.nbytes
        return of_blocks + sum(array.nbytes for array in self._lists)

    def _columns(self) -> VoxelColumns:
        columns = self._store.columns
        classes = columns["class_slot"][:, 0] if "class_slot" in columns else np.empty(0, np.uint8)
        unit = np.float32(self._store.precision.weight.unit)
        return VoxelColumns(columns["feature_at"], classes, self._store.weight, unit)

    def _empty_lists(self, halves: int, entries: int, codes: int) -> Lists:
        classes = self._store.columns["class_slot"].dtype if "class_slot" in self._store.columns else np.uint8
        return Lists(
            np.zeros(halves, HALF),
            np.empty(entries, np.uint32),
            np.empty(entries, classes),
            np.empty(codes, np.uint8),
        )

    def _grow_with_blocks(self) -> None:
        """New blocks have changed."""
        count, old = self._store.blocks.bits.shape[0], self._changed.size
        if count == old:
            return
        self._changed = np.concatenate([self._changed, np.ones(count - old, np.bool_)])
        self._touched_at = np.concatenate([self._touched_at, np.full(count - old, self._now, np.int32)])
        self._seen = np.concatenate([self._seen, np.zeros(HALVES * (count - old), np.uint32)])
        more = np.zeros(HALVES * (count - old), HALF)
        self._lists = self._lists._replace(halves=np.concatenate([self._lists.halves, more]))

    def _read(self, numbers: NDArray[np.int64], run: Runner) -> None:
        """Write the lists of the blocks ``numbers`` anew."""
        if numbers.size == 0:
            return
        store = self._store
        starts = np.zeros(HALVES * numbers.size + 1, np.int64)
        _count_voxels(store.blocks.bits, numbers, starts)
        voxels = int(starts[-1])
        fresh = self._empty_lists(HALVES * numbers.size, voxels, voxels)

        def read(first: int, last: int) -> None:
            _read_blocks(
                numbers[first:last], starts[HALVES * first :], store.blocks.keys, store.blocks.bits,
                store.index.slots, store.key, *self._columns(), self._least, store.last_seen,
                fresh.embeddings, fresh.classes, fresh.codes, fresh.halves[HALVES * first :], self._seen,
            )  # fmt: skip

        run(read, numbers.size, _BLOCKS_FOR_TWO)
        self._make_room(numbers, fresh)
        if self.fits:
            put_lists(numbers, starts, fresh, self._lists, self._used)
            self._changed[numbers] = False

    def _make_room(self, numbers: NDArray[np.int64], fresh: Lists) -> None:
        """Close the gaps where the ``fresh`` lists of the blocks ``numbers`` would not fit in."""
        lists, more = self._lists, np.zeros(2, np.int64)
        count_appended(numbers, fresh, lists, more)
        if np.all(self._used + more <= (lists.embeddings.size, lists.codes.size)):
            return
        for half in range(HALVES):
            lists.halves[HALVES * numbers + half] = 0
        used, more[:] = _sizes(lists), _sizes(fresh)
        entries, codes = (int(size) for size in used + more)
        room = self._empty_lists(0, with_spare(entries), with_spare(codes))
        close_gaps(lists, room.embeddings, room.classes, room.codes)
        self._used[:] = used
        self._lists = lists._replace(embeddings=room.embeddings, classes=room.classes, codes=room.codes)
        self.fits = self.nbytes <= self._most_bytes


def _sizes(lists: Lists) -> NDArray[np.int64]:
    """Entries and codes in use."""
    halves = lists.halves
    return np.array([halves["list_size"].sum(dtype=np.int64), halves["code_size"].sum(dtype=np.int64)])


@kernel
def _count_voxels(bits: NDArray[np.uint64], numbers: NDArray[np.int64], starts: NDArray[np.int64]) -> None:
    """Write where the voxels of each half begin, and their number in all."""
    for half in range(HALVES * numbers.size):
        number, word = numbers[half // HALVES], WORDS * (half % HALVES)
        count = 0
        for at in range(word, word + WORDS):
            count += count_bits(bits[number, at])
        starts[half + 1] = starts[half] + count


@kernel
def _rows_in_half(
    corner: int,
    bits: NDArray[np.uint64],
    first_word: int,
    slots: NDArray[np.uint32],
    row_keys: NDArray[np.int64],
    keys: NDArray[np.int64],
    rows: NDArray[np.int32],
) -> int:
    """Write the keys and the rows of the voxels in half a block, return how many."""
    count = write_keys(corner, bits, first_word, first_word + WORDS, keys)
    find_all(slots, row_keys, keys[:count], rows[:count])
    return count


@kernel
def _read_blocks(
    numbers: NDArray[np.int64],
    starts: NDArray[np.int64],
    block_keys: NDArray[np.int64],
    bits: NDArray[np.uint64],
    slots: NDArray[np.uint32],
    row_keys: NDArray[np.int64],
    feature_at: NDArray[np.uint32],
    class_slots: NDArray[np.unsignedinteger],
    weights: NDArray[np.number],
    unit: float,
    least: float,
    last_seen: NDArray[np.uint32],
    embeddings: NDArray[np.uint32],
    classes: NDArray[np.unsignedinteger],
    codes: NDArray[np.uint8],
    halves: NDArray[Any],
    seen: NDArray[np.uint32],
) -> None:
    """Lists of the halves of the blocks ``numbers``, those of half i from ``starts[i]`` on, and when each
    half of all blocks was ``seen``."""
    keys, rows = np.empty(_VOXELS, np.int64), np.empty(_VOXELS, np.int32)
    known, votes = np.empty(_VOXELS, np.int32), np.empty(_VOXELS, np.int32)
    for half in range(HALVES * numbers.size):
        number, start = numbers[half // HALVES], starts[half]
        size, shared, newest = 0, 0, np.uint32(0)
        if starts[half + 1] > start:
            voxels = _rows_in_half(
                corner_of(block_keys[number]),
                bits[number],
                WORDS * (half % HALVES),
                slots,
                row_keys,
                keys,
                rows,
            )
        else:
            voxels = 0
        for i in range(voxels):
            row = rows[i]
            embedding, slot = np.uint32(0), 0
            if weights[row] * unit >= least:
                embedding = feature_at[row] if feature_at[row] > 0 else PLAIN + np.uint32(row)
                slot = class_slots[row] if class_slots.size > 0 else 0
                newest = max(newest, last_seen[row])
            code = -1
            if embedding < PLAIN:  # those of voxels in view, and voxels without any, are of one voxel each
                for j in range(shared):
                    if embeddings[start + known[j]] == embedding:
                        code = known[j]
                        break
            if code < 0:
                code = size
                embeddings[start + code], classes[start + code], votes[code] = embedding, slot, 0
                if embedding < PLAIN:
                    known[shared] = code
                    shared += 1
                size += 1
            # The majority vote of Boyer and Moore: what most of them say is what is left.
            if classes[start + code] == slot:
                votes[code] += 1
            elif votes[code] == 0:
                classes[start + code], votes[code] = slot, 1
            else:
                votes[code] -= 1
            codes[start + i] = code
        own = halves[half]
        own.list_size, own.code_size = size, voxels
        seen[HALVES * number + half % HALVES] = newest
