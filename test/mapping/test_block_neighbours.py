"""Neighbours of blocks against their coordinates, near each other and at the ends of the world."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rgbd_perception.mapping.block_neighbours import FACES, STEPS, neighbours_of
from rgbd_perception.mapping.keys import OFFSET, pack

_PLACES = hnp.arrays(np.int64, st.tuples(st.integers(1, 60), st.just(3)), elements=st.integers(-3, 3))


def _expected(places: np.ndarray) -> np.ndarray:
    number = {tuple(place): i for i, place in enumerate(places.tolist())}
    return np.array([[number.get(tuple(place + step), -1) for step in STEPS] for place in places])


def test_steps_lead_to_one_half_of_the_blocks_around():
    both = {tuple(step) for step in [*STEPS.tolist(), *(-STEPS).tolist()]}
    assert len(both) == 26
    assert np.abs(STEPS[:FACES]).sum(axis=1).tolist() == [1] * FACES


@given(_PLACES)
def test_blocks_near_each_other(places):
    places = np.unique(places, axis=0)
    assert np.array_equal(neighbours_of(pack(places)), _expected(places))


@pytest.mark.parametrize("end", [OFFSET - 9, -OFFSET + 9])
def test_blocks_far_from_each_other(end):
    """More places lie between them than a picture may have, or than a number can count."""
    cube = np.argwhere(np.ones((3, 3, 3), bool))
    places = np.concatenate([cube, cube + np.array([40, 500, -90]), cube + end])
    found = neighbours_of(pack(places))
    assert np.array_equal(found, _expected(places))
    assert np.count_nonzero(found >= 0) == 3 * np.count_nonzero(_expected(cube) >= 0) > 0
