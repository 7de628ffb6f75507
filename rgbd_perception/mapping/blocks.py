"""Which voxels exist, by place: blocks of 8 x 8 x 8 voxels, one bit for each.

The hash of the map finds a voxel whose key is known; asking it for every place in a camera's view would take
hundreds of thousands of look-ups. Here a look-up answers for 512 places at once, for a few bytes a voxel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.bits import lowest_bit
from rgbd_perception.mapping.hash_index import HashIndex, find_row, put_row
from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.keys import BITS, MASK, NO_KEY, OFFSET, pack_one

SIDE = 8
"""Voxels along the edge of a block."""
FIRST_BLOCKS = 1 << 10
_GROWTH = 1.25
_SPARE = 64
"""Of so many blocks one more is freed than a frame needs, so that not every frame has to."""


class BlockIndex:
    """The set of voxels of a map as blocks with 512 bits.

    ``index`` finds the number of a block by its key (``pack_one`` of voxel coordinates // 8), ``keys`` (n,)
    has the key of each number (NO_KEY: none). ``bits`` (n, 8) uint64 holds its voxels: word x, bit 8 y + z,
    of the coordinates within the block.
    """

    def __init__(self, capacity: int) -> None:
        """``capacity``: most blocks, at least FIRST_BLOCKS."""
        self.index = HashIndex()
        self.bits = np.zeros((FIRST_BLOCKS, SIDE), np.uint64)
        self._capacity = max(capacity, FIRST_BLOCKS)
        self.keys = np.full(FIRST_BLOCKS, NO_KEY, np.int64)
        self._free = np.arange(FIRST_BLOCKS, dtype=np.int32)

    def has_room_for(self, keys: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """(n,) which of these voxels there are blocks for; None where there are for all."""
        room = self._capacity - self.keys.size + self._free.size
        if keys.size <= room:
            return None
        missing = self._missing(keys)
        if missing.size <= room:
            return None
        blocks = np.empty(keys.size, np.int64)
        _block_of_each(keys, blocks)
        return ~np.isin(blocks, missing[room:])

    def sparsest(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Keys of the voxels in the emptiest blocks, but not in those of ``keys``: so many blocks as ``keys``
        need, and some more."""
        touched = np.empty(keys.size, np.int64)
        touched = touched[: _blocks_of(keys, touched)]
        numbers = np.flatnonzero(self.keys != NO_KEY)
        numbers = numbers[~np.isin(self.keys[numbers], touched)]
        counts = np.empty(numbers.size, np.int32)
        _count_voxels(self.bits, numbers, counts)
        wanted = min(self._missing(keys).size + self._capacity // _SPARE, numbers.size)
        chosen = numbers[np.argsort(counts, kind="stable")[:wanted]]
        voxels = np.empty(int(np.sort(counts)[:wanted].sum()), np.int64)
        _write_voxels(self.keys, self.bits, chosen, voxels)
        return voxels

    def add(self, keys: NDArray[np.int64]) -> None:
        """Enter voxels (n,) by key, which there is room for; one that is there already is passed over."""
        self._reserve(self._missing(keys).size)
        left = _add(self.index.keys, self.index.rows, keys, self.keys, self._free, self.bits)
        self._free = self._free[:left]

    def remove(self, keys: NDArray[np.int64]) -> None:
        """Take voxels (n,) out by key; one that is not there is passed over."""
        emptied = np.empty(keys.size, np.int32)
        keys = np.ascontiguousarray(keys)
        emptied = emptied[: _remove(self.index.keys, self.index.rows, keys, self.bits, emptied)]
        self.index.remove(self.keys[emptied])
        self.keys[emptied] = NO_KEY
        self._free = np.concatenate([self._free, emptied])

    @property
    def nbytes(self) -> int:
        """Bytes of memory in use."""
        return self.index.nbytes + self.bits.nbytes + self.keys.nbytes + self._free.nbytes

    def _missing(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Keys of the blocks of these voxels that are not there yet."""
        blocks = np.empty(keys.size, np.int64)
        blocks = np.unique(blocks[: _blocks_of(keys, blocks)])
        return blocks[self.index.find(blocks) < 0]

    def _reserve(self, count: int) -> None:
        """Make room for ``count`` blocks more."""
        old = len(self.keys)
        self.index.reserve(old - self._free.size + count, self.keys)
        if count <= self._free.size:
            return
        size = min(int(_GROWTH * (old + count)), self._capacity)
        keys, bits = np.full(size, NO_KEY, np.int64), np.zeros((size, SIDE), np.uint64)
        keys[:old], bits[:old] = self.keys, self.bits
        self.keys, self.bits = keys, bits
        self._free = np.concatenate([self._free, np.arange(old, size, dtype=np.int32)])


@kernel
def in_block(key: int) -> tuple[int, int, int]:
    """Block key, word and bit of a voxel."""
    x, y, z = (key >> (2 * BITS)) - OFFSET, ((key >> BITS) & MASK) - OFFSET, (key & MASK) - OFFSET
    # Shifts of negative numbers round down, and the low bits of two's complement count up from there.
    return pack_one(x >> 3, y >> 3, z >> 3), x & 7, ((y & 7) << 3) | (z & 7)


@kernel
def corner_of(block: int) -> int:
    """Key of the first voxel of a block: those of its others differ by their place in it alone."""
    x, y, z = (block >> (2 * BITS)) - OFFSET, ((block >> BITS) & MASK) - OFFSET, (block & MASK) - OFFSET
    return pack_one(SIDE * x, SIDE * y, SIDE * z)


@kernel
def key_in_block(corner: int, word: int, bit: int) -> int:
    """Key of a voxel of the block whose first voxel has the key ``corner``."""
    return corner + (word << (2 * BITS)) + ((bit >> 3) << BITS) + (bit & 7)


@kernel
def write_keys(corner: int, mask: NDArray[np.uint64], first: int, last: int, keys: NDArray[np.int64]) -> int:
    """Write the keys of the voxels in the words ``first`` to ``last`` of a ``mask`` (8,) of the block whose
    first voxel has the key ``corner``, return how many."""
    count = 0
    for word in range(first, last):
        left = mask[word]
        while left != np.uint64(0):
            keys[count] = key_in_block(corner, word, lowest_bit(left))
            count += 1
            left &= left - np.uint64(1)
    return count


@kernel
def _blocks_of(keys: NDArray[np.int64], blocks: NDArray[np.int64]) -> int:
    """Write the block of each key, without direct repetitions (neighbours are mostly in one block)."""
    count = 0
    for i in range(keys.size):
        block, _, _ = in_block(keys[i])
        if count == 0 or blocks[count - 1] != block:
            blocks[count] = block
            count += 1
    return count


@kernel
def _block_of_each(keys: NDArray[np.int64], blocks: NDArray[np.int64]) -> None:
    for i in range(keys.size):
        blocks[i] = in_block(keys[i])[0]


@kernel
def _count_voxels(bits: NDArray[np.uint64], numbers: NDArray[np.int64], counts: NDArray[np.int32]) -> None:
    for i in range(numbers.size):
        counts[i] = 0
        for word in range(SIDE):
            left = bits[numbers[i], word]
            while left != np.uint64(0):
                left &= left - np.uint64(1)
                counts[i] += 1


@kernel
def _write_voxels(
    block_keys: NDArray[np.int64],
    bits: NDArray[np.uint64],
    numbers: NDArray[np.int64],
    voxels: NDArray[np.int64],
) -> None:
    """Keys of all voxels in the blocks ``numbers``."""
    count = 0
    for number in numbers:
        count += write_keys(corner_of(block_keys[number]), bits[number], 0, SIDE, voxels[count:])


@kernel
def _add(
    slot_keys: NDArray[np.int64],
    slot_rows: NDArray[np.int32],
    keys: NDArray[np.int64],
    block_keys: NDArray[np.int64],
    free: NDArray[np.int32],
    bits: NDArray[np.uint64],
) -> int:
    """Set the bits of ``keys``; new blocks take their numbers from the end of ``free``. Return how many
    numbers are left."""
    left = free.size
    for i in range(keys.size):
        block, word, bit = in_block(keys[i])
        candidate = free[left - 1] if left > 0 else -1
        number = put_row(slot_keys, slot_rows, block, candidate)
        if number == candidate:
            block_keys[number] = block
            left -= 1
        bits[number, word] |= np.uint64(1) << np.uint64(bit)
    return left


@kernel
def _remove(
    slot_keys: NDArray[np.int64],
    slot_rows: NDArray[np.int32],
    keys: NDArray[np.int64],
    bits: NDArray[np.uint64],
    emptied: NDArray[np.int32],
) -> int:
    """Clear the bits of ``keys`` and write the numbers of the blocks that are empty now; return their
    count."""
    count = 0
    for i in range(keys.size):
        block, word, bit = in_block(keys[i])
        number = find_row(slot_keys, slot_rows, block)
        one = np.uint64(1) << np.uint64(bit)
        if number < 0 or bits[number, word] & one == 0:
            continue
        bits[number, word] &= ~one
        if not bits[number].any():
            emptied[count] = number
            count += 1
    return count
