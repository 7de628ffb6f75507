"""Groups of voxels against scipy's labelling."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from rgbd_perception.mapping.components import connected_components
from rgbd_perception.mapping.keys import pack


def _partition(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}


@given(hnp.arrays(bool, (6, 7, 5)), st.randoms(use_true_random=False))
def test_components_without_gap_are_those_of_scipy(occupied, random):
    coordinates = np.argwhere(occupied)
    random.shuffle(order := list(range(len(coordinates))))
    coordinates = coordinates[order]
    labelled, count = ndimage.label(occupied, structure=np.ones((3, 3, 3)))
    groups = connected_components(pack(coordinates - 3))
    assert _partition(groups) == _partition(labelled[tuple(coordinates.T)])
    assert np.unique(groups).tolist() == list(range(count))


@given(st.sets(st.integers(-20, 20), min_size=1), st.integers(0, 3))
def test_gaps_are_bridged_up_to_their_size(places, gap):
    line = sorted(places)
    groups = connected_components(pack(np.array([[x, 0, 0] for x in line])), gap)
    together = np.diff(line) <= gap + 1
    assert (np.diff(groups) == 0).tolist() == together.tolist()


@given(hnp.arrays(bool, (9, 6, 7), fill=st.just(False)), st.integers(0, 3))
def test_whole_parts_of_bricks_are_grouped_like_single_voxels(occupied, gap):
    keys = pack(np.argwhere(occupied) - 4)
    one_by_one = connected_components(keys, gap, labels=np.ones(keys.size, np.uint16))
    assert connected_components(keys, gap).tolist() == one_by_one.tolist()


def test_unlike_neighbours_are_not_connected():
    keys = pack(np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0]]))
    sketches = np.array([[127, 0], [126, 14], [0, 127]], np.int8)
    assert connected_components(keys, 0, sketches, 0.5).tolist() == [0, 0, 1]


def test_many_voxels_are_quick_and_whole():
    coordinates = np.argwhere(np.ones((60, 60, 30), bool))
    assert connected_components(pack(coordinates), 1).max() == 0
