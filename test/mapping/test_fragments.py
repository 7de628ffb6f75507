"""Crumbs go to the object that they touch and are like; nothing else moves."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from rgbd_perception.mapping.bricks import Bricks
from rgbd_perception.mapping.fragments import absorb_fragments
from rgbd_perception.mapping.keys import pack

HOST = list(product(range(6), range(6), range(2)))
LIKE, UNLIKE = (127, 0), (0, 127)


def _absorb(*parts: tuple[list[tuple[int, int, int]], tuple[int, int]], most: int = 30) -> list[int]:
    """The group that each part ends up in."""
    keys = pack(np.array([place for places, _ in parts for place in places]))
    groups = np.repeat(np.arange(len(parts), dtype=np.int32), [len(places) for places, _ in parts])
    sketches = np.array([sketch for places, sketch in parts for _ in places], np.int8)
    result = absorb_fragments(Bricks(keys), keys, groups, sketches, most)
    ends = np.cumsum([len(places) for places, _ in parts])
    assert all(np.unique(part).size == 1 for part in np.split(result, ends[:-1]))
    return result[ends - 1].tolist()


def _slab(z: int, x: int = 0) -> list[tuple[int, int, int]]:
    return [(x + i, j, z) for i, j in product(range(3), range(3))]


@pytest.mark.parametrize(("sketch", "expected"), [(LIKE, [0, 0]), (UNLIKE, [0, 1]), ((0, 0), [0, 1])])
def test_a_like_crumb_joins(sketch, expected):
    assert _absorb((HOST, LIKE), (_slab(2), sketch)) == expected


def test_crumbs_on_crumbs_join_through_each_other():
    small = [(1, 1, 3), (1, 2, 3), (2, 1, 3)]
    assert _absorb((HOST, LIKE), (_slab(2), LIKE), (small, LIKE)) == [0, 0, 0]


def test_what_is_apart_or_large_stays():
    assert _absorb((HOST, LIKE), (_slab(3), LIKE)) == [0, 1]
    assert _absorb((HOST, LIKE), (_slab(2), LIKE), most=8) == [0, 1]
    tower = [(0, 0, z) for z in range(2, 10)]
    assert _absorb((HOST, LIKE), (tower, LIKE)) == [0, 1]


def test_the_host_is_the_one_that_is_touched_most():
    other = [(x + 20, y, z) for x, y, z in HOST]
    between = [*_slab(2, 18), (17, 0, 2)]
    assert _absorb((HOST, LIKE), (other, LIKE), (between, LIKE)) == [0, 1, 1]
