"""Relations between boxes: what holds, what does not; turning and shifting the world changes nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.mapping.boxes import OrientedBox, box_overlap, footprint_overlap
from rgbd_perception.mapping.placement import HOLDS, degree, gap_between
from rgbd_perception.mapping.relations import Relation

VOXEL = 0.05


def _box(low, high, yaw=0.0):
    low, high = np.array(low, float), np.array(high, float)
    return OrientedBox((low + high) / 2, high - low, yaw)


TABLE = _box((0, 0, 0), (1.6, 0.8, 0.75))
CUP = _box((0.5, 0.3, 0.75), (0.6, 0.4, 0.85))
SOFA = _box((0, 0, 0), (2.0, 0.9, 0.9))
PILLOW = _box((0.1, 0.4, 0.45), (0.5, 0.8, 0.85))
STOOL = _box((0.5, 0.2, 0), (0.9, 0.6, 0.45))
CHAIR = _box((1.8, 0.2, 0), (2.3, 0.7, 0.9))
FAR_CHAIR = _box((4.0, 0.2, 0), (4.5, 0.7, 0.9))
PICTURE = _box((0.5, 1.0, 1.4), (1.3, 1.03, 1.9))
SHELF = _box((0, 0, 0), (0.9, 0.35, 1.8))
BOOKS = _box((0.1, 0.1, 0.8), (0.6, 0.3, 1.05))
VASE_ON_SHELF = _box((0.1, 0.1, 1.8), (0.3, 0.3, 2.1))
FLOOR = _box((-3, -3, -0.05), (6, 6, 0.0))


@pytest.mark.parametrize(
    ("relation", "target", "anchor"),
    [
        ("on", CUP, TABLE),
        ("on", PILLOW, SOFA),
        ("on", VASE_ON_SHELF, SHELF),
        ("on", CHAIR, FLOOR),
        ("in", BOOKS, SHELF),
        ("under", STOOL, TABLE),
        ("under", SOFA, PICTURE),
        ("above", PICTURE, SOFA),
        ("above", CUP, TABLE),
        ("next to", CHAIR, TABLE),
        ("near", CHAIR, TABLE),
        ("near", PICTURE, SOFA),
    ],
)
def test_relations_that_hold(relation, target, anchor):
    assert degree(Relation(relation), target, anchor, VOXEL) >= HOLDS


@pytest.mark.parametrize(
    ("relation", "target", "anchor"),
    [
        ("on", STOOL, TABLE),
        ("on", TABLE, CUP),
        ("on", CHAIR, TABLE),
        ("on", PICTURE, SOFA),
        ("in", VASE_ON_SHELF, SHELF),
        ("in", SHELF, BOOKS),
        ("under", CUP, TABLE),
        ("under", FAR_CHAIR, TABLE),
        ("above", STOOL, TABLE),
        ("next to", CUP, TABLE),
        ("next to", FAR_CHAIR, TABLE),
        ("next to", PICTURE, STOOL),
        ("near", FAR_CHAIR, TABLE),
    ],
)
def test_relations_that_do_not_hold(relation, target, anchor):
    assert degree(Relation(relation), target, anchor, VOXEL) < HOLDS


@pytest.mark.parametrize("relation", list(Relation))
def test_nothing_is_related_to_itself(relation):
    assert degree(relation, TABLE, TABLE, VOXEL) == 0


METRES = st.floats(-2, 2)
BOXES = st.builds(
    lambda center, size, yaw: OrientedBox(np.array(center), np.array(size), yaw),
    st.tuples(METRES, METRES, METRES),
    st.tuples(*[st.floats(0.05, 2)] * 3),
    st.floats(-1.5, 1.5),
)


def _moved(box, yaw, shift):
    axes = np.array([[math.cos(yaw), -math.sin(yaw), 0], [math.sin(yaw), math.cos(yaw), 0], [0, 0, 1]])
    return OrientedBox(axes @ box.center + shift, box.size, box.yaw + yaw)


@given(
    st.sampled_from(list(Relation)), BOXES, BOXES, st.floats(-3.1, 3.1), st.tuples(*[st.floats(-50, 50)] * 3)
)
def test_turning_and_shifting_the_world_changes_nothing(relation, target, anchor, yaw, shift):
    plain = degree(relation, target, anchor, VOXEL)
    moved = degree(relation, _moved(target, yaw, shift), _moved(anchor, yaw, shift), VOXEL)
    assert 0 <= plain <= 1
    if abs(box_overlap(target, anchor) - 0.5) > 1e-3:
        assert moved == pytest.approx(plain, abs=1e-3)


@given(BOXES, BOXES)
def test_gaps_and_shared_footprints_are_the_same_from_either_side(first, second):
    assert gap_between(first, second) == pytest.approx(gap_between(second, first), abs=1e-3)
    assert footprint_overlap(first, second) == pytest.approx(footprint_overlap(second, first), abs=1e-3)
    assert gap_between(first, second) <= math.dist(first.center[:2], second.center[:2]) + 1e-9


@given(BOXES, BOXES)
def test_what_is_on_something_touches_it(target, anchor):
    on = degree(Relation.ON, target, anchor, VOXEL)
    apart = target.bottom - anchor.top
    if on >= HOLDS:
        assert apart <= 2 * 2 * VOXEL + 1e-6
        assert gap_between(target, anchor) <= 2 * VOXEL + 1e-6


def test_a_gap_is_the_least_distance_of_the_footprints():
    turned = OrientedBox(np.array([3.0, 0.0, 0.5]), np.array([1.0, 1.0, 1.0]), math.pi / 4)
    assert gap_between(_box((0, -5, 0), (2, 5, 1)), turned) == pytest.approx(1 - math.sqrt(0.5))
