"""The pose buffer and the waiting room: interpolation, no extrapolation, bounds, every frame counted once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from rgbd_perception.errors import FrameDropped
from rgbd_perception.ros.pose_buffer import PoseBuffer
from rgbd_perception.ros.waiting_room import NotYet, WaitingRoom

coordinate = st.floats(-50, 50)
vector = st.tuples(coordinate, coordinate, coordinate)
stamps = st.lists(st.integers(0, 1_000_000_000), min_size=2, max_size=30, unique=True)


def pose_at(position, rotation_vector=(0.0, 0.0, 0.0)):
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_rotvec(rotation_vector).as_matrix()
    pose[:3, 3] = position
    return pose


@given(
    position=vector, velocity=vector, axis=vector, rate=st.floats(-2, 2), times=stamps, where=st.floats(0, 1)
)
@settings(max_examples=60, deadline=None)
def test_constant_motion_is_interpolated_exactly(position, velocity, axis, rate, times, where):
    """A screw of constant speed is its own linear and slerp interpolation, whatever the stamps are."""
    unit = np.asarray(axis) / max(float(np.linalg.norm(axis)), 1e-9)
    if np.linalg.norm(axis) < 1e-3:
        unit = np.array([0.0, 0.0, 1.0])

    def truth(stamp_ns):
        seconds = stamp_ns * 1e-9
        return pose_at(
            np.asarray(position) + seconds * np.asarray(velocity) * 0.1, rate * 0.3 * seconds * unit
        )

    buffer = PoseBuffer(max_gap_s=10)
    for stamp in times:
        buffer.add(stamp, truth(stamp))
    wanted = min(times) + int(where * (max(times) - min(times)))
    found = buffer.lookup(wanted)
    np.testing.assert_allclose(found, truth(wanted), atol=1e-6)
    np.testing.assert_allclose(found[:3, :3] @ found[:3, :3].T, np.eye(3), atol=1e-9)


@given(times=stamps, wanted=st.integers(-1_000_000_000, 2_000_000_000))
@settings(max_examples=60, deadline=None)
def test_nothing_outside_of_the_known_time_is_answered(times, wanted):
    buffer = PoseBuffer(max_gap_s=10)
    for stamp in times:
        buffer.add(stamp, pose_at((stamp * 1e-9, 0, 0)))
    if wanted > max(times):
        with pytest.raises(NotYet) as late:
            buffer.lookup(wanted)
        assert late.value.reason == "pose_extrapolation"
    elif wanted < min(times):
        with pytest.raises(FrameDropped) as early:
            buffer.lookup(wanted)
        assert early.value.reason == "pose_extrapolation"
        assert not isinstance(early.value, NotYet), (
            "the past never comes: waiting for it would only cost time"
        )
    else:
        assert buffer.lookup(wanted)[0, 3] == pytest.approx(wanted * 1e-9, abs=1e-6)


def test_exact_hit_is_the_stored_pose_bit_by_bit():
    buffer = PoseBuffer()
    pose = pose_at((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    buffer.add(1_700_000_000_123_456_789, pose)
    np.testing.assert_array_equal(buffer.lookup(1_700_000_000_123_456_789), pose)


def test_short_arc_is_taken():
    """From +170 to -170 degrees the way leads over 180, not over 0."""
    buffer = PoseBuffer(max_gap_s=10)
    buffer.add(0, pose_at((0, 0, 0), (0, 0, np.deg2rad(170))))
    buffer.add(1_000_000_000, pose_at((0, 0, 0), (0, 0, np.deg2rad(-170))))
    middle = buffer.lookup(500_000_000)
    np.testing.assert_allclose(middle[:3, :3], Rotation.from_rotvec((0, 0, np.pi)).as_matrix(), atol=1e-9)


def test_empty_buffer_may_still_be_filled():
    with pytest.raises(NotYet, match="pose_missing"):
        PoseBuffer().lookup(0)


def test_wide_gap_is_not_bridged():
    buffer = PoseBuffer(max_gap_s=0.5)
    buffer.add(0, pose_at((0, 0, 0)))
    buffer.add(2_000_000_000, pose_at((4, 0, 0)))
    with pytest.raises(FrameDropped, match=r"pose_gap.*2\.000 s apart"):
        buffer.lookup(1_000_000_000)


def test_old_poses_are_forgotten_and_the_buffer_stays_small():
    buffer = PoseBuffer(duration_s=1, capacity=50)
    for step in range(2000):
        buffer.add(step * 1_000_000, pose_at((step, 0, 0)))
    assert len(buffer) == 50
    with pytest.raises(FrameDropped, match="older than the oldest"):
        buffer.lookup(0)


def test_clock_set_back_starts_anew():
    """A bag that is played a second time must not be answered with poses of the first time."""
    buffer = PoseBuffer(duration_s=1)
    buffer.add(100_000_000_000, pose_at((1, 0, 0)))
    buffer.add(2_000_000_000, pose_at((2, 0, 0)))
    assert len(buffer) == 1
    assert buffer.lookup(2_000_000_000)[0, 3] == 2


def test_a_short_play_that_starts_again_is_not_mixed_with_the_one_before():
    """Shorter than what the buffer holds, and along another way: a simulation that was reset."""
    buffer = PoseBuffer()
    for tenth in range(50):
        buffer.add(100_000_000_000 + tenth * 100_000_000, pose_at((1, 0, 0)))
    for tenth in range(3):
        buffer.add(100_020_000_000 + tenth * 100_000_000, pose_at((2, 0, 0)))
    assert buffer.lookup(100_110_000_000)[0, 3] == 2
    with pytest.raises(NotYet, match="newer than the newest"):
        buffer.lookup(100_300_000_000)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Desk:
    """A waiting room for numbers: those up to ``known`` are ready, negative ones never."""

    def __init__(self, wait_s=0.5, capacity=3):
        self.clock, self.known = Clock(), -1
        self.used, self.given_up = [], []
        self.room = WaitingRoom(
            self._use, lambda item, error: self.given_up.append((item, error.reason)),
            wait_s=wait_s, capacity=capacity, clock=self.clock,
        )  # fmt: skip

    def _use(self, item):
        if item < 0:
            raise FrameDropped("never")
        if item > self.known:
            raise NotYet("late")
        self.used.append(item)


def test_item_that_is_ready_does_not_wait():
    desk = Desk()
    desk.known = 1
    desk.room.offer(1)
    assert desk.used == [1]
    assert len(desk.room) == 0


def test_item_is_used_when_its_pose_comes_and_dropped_when_it_does_not():
    desk = Desk(wait_s=0.5)
    desk.room.offer(1)
    desk.room.offer(2)
    desk.clock.now, desk.known = 0.4, 1
    desk.room.poll()
    assert (desk.used, desk.given_up, len(desk.room)) == ([1], [], 1)
    desk.clock.now = 0.5
    desk.room.poll()
    assert (desk.given_up, len(desk.room)) == ([(2, "late")], 0)


def test_hopeless_item_is_given_up_at_once():
    desk = Desk()
    desk.room.offer(-1)
    assert desk.given_up == [(-1, "never")]


def test_closing_empties_the_room():
    desk = Desk()
    desk.room.offer(1)
    desk.room.offer(2)
    desk.known = 1
    desk.room.close()
    assert (desk.used, desk.given_up, len(desk.room)) == ([1], [(2, "late")], 0)


@given(
    events=st.lists(
        st.tuples(st.sampled_from(["offer", "known", "time", "poll"]), st.integers(-1, 12)), max_size=60
    )
)
@settings(max_examples=100, deadline=None)
def test_every_item_leaves_exactly_once_and_the_room_stays_small(events):
    desk, offered = Desk(), []
    for event, value in events:
        if event == "offer":
            desk.room.offer(value)
            offered.append(value)
        elif event == "known":
            desk.known = max(desk.known, value)
        elif event == "time":
            desk.clock.now += max(value, 0) * 0.1
        else:
            desk.room.poll()
        assert len(desk.room) <= 3
    desk.room.close()
    assert sorted(desk.used + [item for item, _ in desk.given_up]) == sorted(offered)
