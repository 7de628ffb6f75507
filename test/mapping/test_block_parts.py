"""Connected parts of blocks against those found voxel by voxel."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rgbd_perception.mapping.block_parts import connected
from rgbd_perception.mapping.blocks import BlockIndex
from rgbd_perception.mapping.bricks import Bricks
from rgbd_perception.mapping.clusters import clusters
from rgbd_perception.mapping.keys import NO_KEY, pack

_POINTS = hnp.arrays(
    np.int64, st.tuples(st.integers(1, 120), st.just(3)), elements=st.integers(-13, 13), unique=False
)


def _groups(keys: np.ndarray, radius: int) -> set[frozenset[int]]:
    """Connected voxels by way of blocks."""
    blocks = BlockIndex(1000)
    blocks.add(keys)
    numbers = np.flatnonzero(blocks.keys != NO_KEY)
    parts, first, group = connected(blocks.keys[numbers], blocks.bits[numbers], radius)
    members: dict[int, set[int]] = {}
    for index, number in enumerate(numbers):
        for part in range(first[index], first[index + 1]):
            alone = BlockIndex(1000)
            alone.add(keys)
            alone.bits[:] = 0
            alone.bits[number] = parts[part]
            members.setdefault(int(group[part]), set()).update(_voxels(alone, keys))
    return {frozenset(found) for found in members.values()}


def _voxels(blocks: BlockIndex, keys: np.ndarray) -> list[int]:
    """Those of the keys whose bit is set."""
    found = []
    for key in keys.tolist():
        alone = BlockIndex(1000)
        alone.add(np.array([key]))
        number = int(blocks.index.find(alone.keys[alone.keys != NO_KEY])[0])
        own = alone.bits[np.flatnonzero(alone.keys != NO_KEY)[0]]
        if (blocks.bits[number] & own).any():
            found.append(key)
    return found


@given(_POINTS, st.integers(1, 4))
def test_parts_are_connected_as_voxels_are(points, radius):
    keys = np.unique(pack(points))
    numbers = clusters(Bricks(keys), radius - 1)
    expected = {frozenset(keys[numbers == number].tolist()) for number in np.unique(numbers)}
    assert _groups(keys, radius) == expected


def test_a_full_block_is_one_part():
    keys = pack(np.argwhere(np.ones((8, 8, 8), bool)))
    assert len(_groups(keys, 1)) == 1
