"""Voxels are found by place."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.mapping.bricks import Bricks
from rgbd_perception.mapping.keys import OFFSET, pack

_PLACES = st.sets(st.tuples(*[st.integers(-9, 9)] * 3), max_size=60)


@given(_PLACES, _PLACES, st.sampled_from([1, 4, 1000]))
def test_what_is_there_is_found_and_nothing_else(places, asked, spread):
    keys = pack(np.array(sorted(places), np.int64).reshape(-1, 3) * spread)
    numbers = dict(zip(keys.tolist(), range(keys.size), strict=True))
    wanted = np.concatenate([keys, pack(np.array(sorted(asked), np.int64).reshape(-1, 3) * spread)])
    bricks = Bricks(keys)
    assert bricks.find(wanted).tolist() == [numbers.get(key, -1) for key in wanted.tolist()]
    assert sorted(bricks.members.tolist()) == list(range(keys.size))


def test_corners_of_the_world():
    corners = pack(np.array([[-OFFSET] * 3, [OFFSET - 1] * 3, [0, 0, 0]]))
    assert Bricks(corners).find(corners).tolist() == [0, 1, 2]
