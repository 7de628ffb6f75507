"""The block index is the set of keys that were added and not removed."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.mapping.blocks import SIDE, BlockIndex
from rgbd_perception.mapping.keys import OFFSET, pack, unpack

_COORDINATE = st.integers(-20, 20) | st.sampled_from([-OFFSET, OFFSET - 1])
_VOXELS = st.lists(st.tuples(_COORDINATE, _COORDINATE, _COORDINATE), max_size=40)


def _contents(blocks: BlockIndex) -> set[tuple[int, int, int]]:
    """All voxels, read as carving reads them: blocks by the hash, then words and bits."""
    slots = np.flatnonzero(blocks.index.keys >= 0)
    voxels = set()
    for block, number in zip(unpack(blocks.index.keys[slots]), blocks.index.rows[slots], strict=True):
        for x in range(SIDE):
            word = int(blocks.bits[number, x])
            bits = [bit for bit in range(64) if word >> bit & 1]
            voxels |= {tuple(int(v) for v in block * SIDE + (x, bit >> 3, bit & 7)) for bit in bits}
    return voxels


@given(st.lists(st.tuples(st.booleans(), _VOXELS), max_size=8))
def test_equals_a_set(steps):
    blocks, truth = BlockIndex(4096), set()
    for add, voxels in steps:
        keys = pack(np.array(voxels, np.int64).reshape(-1, 3))
        if add:
            blocks.add(keys)
            truth |= set(voxels)
        else:
            blocks.remove(keys)
            truth -= set(voxels)
    assert _contents(blocks) == truth


def test_grows_and_uses_emptied_blocks_again():
    blocks = BlockIndex(8192)
    line = np.zeros((5000, 3), np.int64)
    line[:, 0] = np.arange(5000) * SIDE
    blocks.add(pack(line))
    size = blocks.nbytes
    for turn in range(1, 4):
        blocks.remove(pack(line))
        line[:, 1] += SIDE * turn
        blocks.add(pack(line))
    assert _contents(blocks) == {tuple(row) for row in line.tolist()}
    assert blocks.nbytes <= size
