"""Ids of objects: who keeps, gives, takes over and gets one, when the voxels of a map come and go."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.errors import UserError
from rgbd_perception.mapping.bricks import Bricks
from rgbd_perception.mapping.instances import Instances, Things
from rgbd_perception.mapping.keys import pack
from rgbd_perception.mapping.tracker import Identity, ObjectTracker


def _line(first: int, last: int) -> list[int]:
    """Voxels first .. last - 1 of a row along x."""
    return pack(np.array([[x, 0, 0] for x in range(first, last)])).tolist()


def _instances(*objects: list[int], loose: list[int] | None = None) -> Instances:
    """Objects with these voxels, and ``loose`` voxels of things that are in none."""
    keys = np.array([key for part in (*objects, loose or []) for key in part], np.int64)
    ends = np.cumsum([len(part) for part in objects], dtype=np.int64)
    things = Things(
        keys,
        np.zeros(keys.size, np.uint16),
        np.ones(keys.size, np.float32),
        np.zeros(keys.size, np.int64),
        np.zeros((keys.size, 0), np.int8),
    )
    starts = ends - np.array([len(part) for part in objects], np.int64)
    members = np.arange(keys.size, dtype=np.int64)
    return Instances(things, Bricks(keys), members, starts, ends, np.zeros(len(objects), np.uint16))


def _ids(tracker: ObjectTracker, *objects: list[int], loose: list[int] | None = None) -> list[int]:
    return [who.id for who in tracker.update(_instances(*objects, loose=loose))]


def test_ids_count_up_and_are_never_used_again():
    tracker = ObjectTracker()
    assert _ids(tracker, _line(0, 10), _line(20, 30)) == [1, 2]
    assert _ids(tracker, _line(20, 30)) == [2]
    assert _ids(tracker) == []
    assert _ids(tracker, _line(20, 30)) == [3]
    tracker.forget()
    assert _ids(tracker, _line(20, 30)) == [4]


def test_growing_shrinking_and_drifting_things_keep_their_ids():
    tracker = ObjectTracker()
    assert _ids(tracker, _line(0, 5), _line(50, 80)) == [1, 2]
    assert _ids(tracker, _line(50, 56), _line(-30, 20)) == [2, 1]
    for shift in range(0, 100, 10):
        assert _ids(tracker, _line(shift, shift + 30))[0] == 1


def test_what_stands_where_something_else_stood_is_new():
    tracker = ObjectTracker()
    assert _ids(tracker, _line(0, 20)) == [1]
    assert _ids(tracker, _line(18, 40)) == [2]


def test_the_larger_lives_on_in_a_merge_and_tells_of_the_other():
    tracker = ObjectTracker()
    assert _ids(tracker, _line(0, 8), _line(10, 40)) == [1, 2]
    assert tracker.update(_instances(_line(0, 40))) == [Identity(2, (1,))]
    assert tracker.update(_instances(_line(0, 40), _line(45, 60))) == [Identity(2, (1,)), Identity(3)]
    assert tracker.update(_instances(_line(0, 60))) == [Identity(2, (1, 3))]


def test_of_equals_the_older_lives_on():
    tracker = ObjectTracker()
    assert _ids(tracker, _line(20, 30), _line(0, 10)) == [1, 2]
    assert tracker.update(_instances(_line(0, 30))) == [Identity(1, (2,))]


def test_the_larger_part_keeps_the_id_in_a_split():
    tracker = ObjectTracker()
    assert _ids(tracker, _line(0, 40)) == [1]
    who = tracker.update(_instances(_line(0, 10), _line(12, 40), _line(100, 104)))
    assert who == [Identity(2, (), 1), Identity(1), Identity(3)]


def test_a_thing_that_is_uncertain_for_a_while_gets_its_id_back():
    tracker = ObjectTracker()
    assert _ids(tracker, _line(0, 10)) == [1]
    for _ in range(3):
        assert _ids(tracker, _line(50, 60), loose=_line(0, 3)) == [2]
    assert _ids(tracker, _line(0, 9)) == [1]
    assert _ids(tracker, _line(50, 60), loose=_line(0, 2)) == [3]
    assert _ids(tracker, _line(0, 9)) == [4]


@given(st.lists(st.tuples(st.integers(4, 60), st.integers(0, 3)), min_size=1, max_size=8), st.data())
def test_added_voxels_and_another_order_change_no_id(sizes, data):
    starts = np.cumsum([0, *(size + gap + 5 for size, gap in sizes)])
    before = [_line(start, start + size) for start, (size, _) in zip(starts, sizes, strict=False)]
    grown = [_line(start - 1, start + size + 1) for start, (size, _) in zip(starts, sizes, strict=False)]
    tracker = ObjectTracker()
    ids = _ids(tracker, *before)
    order = data.draw(st.permutations(range(len(sizes))))
    assert _ids(tracker, *(grown[place] for place in order)) == [ids[place] for place in order]


@given(st.lists(st.tuples(st.integers(4, 60), st.integers(0, 3)), min_size=1, max_size=8))
def test_state_survives_json_and_goes_on(sizes):
    starts = np.cumsum([0, *(size + gap + 5 for size, gap in sizes)])
    lines = [_line(start, start + size) for start, (size, _) in zip(starts, sizes, strict=False)]
    tracker, restored = ObjectTracker(), ObjectTracker()
    tracker.update(_instances([key for line in lines[:2] for key in line], *lines[2:]))
    expected = tracker.update(_instances(*lines))
    restored.restore(json.loads(json.dumps(tracker.state())))
    assert restored.update(_instances(*lines)) == expected
    new = [Identity(tracker.update(_instances(*lines, _line(-50, -40)))[-1].id)]
    assert restored.update(_instances(*lines, _line(-50, -40)))[-1:] == new


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state.pop("next_id"),
        lambda state: state.update(next_id=1),
        lambda state: state.update(objects=[*state["objects"], *state["objects"]]),
        lambda state: state["objects"][0].update(keys=[]),
        lambda state: state["objects"][0].update(keys="none"),
        lambda state: state["objects"][0].update(id=-3),
    ],
)
def test_a_state_that_is_none_is_refused(spoil):
    tracker = ObjectTracker()
    tracker.update(_instances(_line(0, 10)))
    state = tracker.state()
    spoil(state)
    with pytest.raises(UserError, match="list of objects"):
        ObjectTracker().restore(state)
