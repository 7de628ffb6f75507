"""Pictures of masks against those of the same voxels one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rgbd_perception.mapping.blocks import SIDE, BlockIndex, corner_of
from rgbd_perception.mapping.box_pictures import pictures_of_keys, pictures_of_masks
from rgbd_perception.mapping.keys import NO_KEY, pack

_POINTS = hnp.arrays(np.int64, st.tuples(st.integers(1, 150), st.just(3)), elements=st.integers(-20, 20))


def _masks(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the blocks of some voxels, and masks; each block twice, with half of its voxels each."""
    blocks = BlockIndex(1000)
    blocks.add(keys)
    numbers = np.flatnonzero(blocks.keys != NO_KEY)
    corners = np.array([corner_of(key) for key in blocks.keys[numbers].tolist()])
    upper = blocks.bits[numbers].copy()
    upper[:, SIDE // 2 :] = 0
    return np.tile(corners, 2), np.concatenate([upper, blocks.bits[numbers] & ~upper])


def _equal(points: np.ndarray) -> None:
    keys = np.unique(pack(points))
    ours, plain = pictures_of_masks(*_masks(keys)), pictures_of_keys(keys)
    assert np.array_equal(ours.middles, plain.middles)
    assert np.array_equal(ours.voxels, plain.voxels)
    heights = [
        {picture.bottom + i: count for i, count in enumerate(picture.heights.tolist()) if count}
        for picture in (ours, plain)
    ]
    assert heights[0] == heights[1]
    assert sum(heights[0].values()) == ours.voxels.sum() == keys.size


@given(_POINTS)
def test_masks_look_as_their_voxels_do(points):
    _equal(points)


def test_few_voxels_far_from_each_other():
    _equal(np.array([[0, 0, 0], [100_000, 5, 3], [100_000, 5, 4], [-7, 100_000, -2]]))
