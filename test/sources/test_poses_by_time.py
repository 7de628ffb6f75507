"""Trajectories, the tree of transforms and the pairing of stamps, by their properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped
from rgbd_perception.geometry import invert_rigid, make_pose
from rgbd_perception.sources.association import pair_nearest
from rgbd_perception.sources.tf_tree import TfTree
from rgbd_perception.sources.trajectory import Trajectory

_SECOND = 1_000_000_000
_stamps = st.lists(st.integers(0, 10**6), max_size=30, unique=True).map(
    lambda values: np.array(sorted(values), dtype=np.int64)
)
_IDENTITY = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)


@given(_stamps, _stamps, st.integers(0, 10**5))
def test_pairs_are_mutual_nearest_within_the_slop(
    first: NDArray[np.int64], second: NDArray[np.int64], slop: int
) -> None:
    partners = pair_nearest(first, second, slop)
    used = partners[partners >= 0]
    assert len(used) == len(set(used))
    for i, partner in enumerate(partners):
        if partner >= 0:
            distance = abs(second[partner] - first[i])
            assert distance <= slop
            assert distance == np.abs(second - first[i]).min() == np.abs(first - second[partner]).min()
        elif len(second):
            nearest = int(np.argmin(np.abs(second - first[i])))
            distance = abs(second[nearest] - first[i])
            rivals = np.abs(first - second[nearest])
            assert (
                distance > slop
                or rivals.min() < distance
                or (rivals == distance).sum() > 1
                or (np.abs(second - first[i]) == distance).sum() > 1
            )


def test_pairing_of_regular_streams() -> None:
    color = np.arange(5, dtype=np.int64) * 100
    assert pair_nearest(color, color + 7, 10).tolist() == [0, 1, 2, 3, 4]
    assert pair_nearest(color, color + 7, 5).tolist() == [-1] * 5
    assert pair_nearest(color, color[::2], 60).tolist() == [0, -1, 1, -1, 2]
    assert pair_nearest(color, color[:0], 60).tolist() == [-1] * 5


@given(st.lists(st.integers(0, 100), min_size=2, max_size=10, unique=True), st.integers(-10, 110))
def test_a_trajectory_is_straight_between_its_poses(seconds: list[int], asked: int) -> None:
    """Recorded in any order: x is the time, so every answer is known."""
    poses = [(float(s), 1.0, 2.0, 0.0, 0.0, 0.0, 1.0) for s in seconds]
    trajectory = Trajectory([s * _SECOND for s in seconds], poses, max_gap_s=1000)
    if min(seconds) <= asked <= max(seconds):
        np.testing.assert_allclose(trajectory.at(asked * _SECOND)[:3, 3], (asked, 1, 2), atol=1e-9)
    else:
        with pytest.raises(FrameDropped) as dropped:
            trajectory.at(asked * _SECOND)
        assert dropped.value.reason == "pose_extrapolation"


def test_trajectory_with_gaps_and_bad_samples() -> None:
    bad = (np.nan, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    trajectory = Trajectory([0, 1, 1, 2, 5 * _SECOND], [_IDENTITY, bad, _IDENTITY, (0.0,) * 7, _IDENTITY])
    assert len(trajectory) == 4
    for stamp, reason in ((2, "pose_invalid"), (3, "pose_gap"), (6 * _SECOND, "pose_extrapolation")):
        with pytest.raises(FrameDropped) as dropped:
            trajectory.at(stamp)
        assert dropped.value.reason == reason
    with pytest.raises(FrameDropped, match="pose_missing"):
        Trajectory([], []).at(0)


def test_of_poses_with_one_stamp_the_last_counts() -> None:
    trajectory = Trajectory([5, 5], [_IDENTITY, (1.0, *_IDENTITY[1:])])
    assert trajectory.at(5)[0, 3] == 1


def _tree() -> TfTree:
    tree = TfTree(max_gap_s=1.0)
    for stamp in (0, _SECOND // 2, _SECOND):
        x = stamp / _SECOND
        tree.add("map", "odom", stamp, (10.0 * x, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0), static=False)
        tree.add("/odom", "base", stamp, (x, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0), static=False)
    tree.add("base", "optical", 0, (0.0, 0.0, 1.0, -0.5, 0.5, -0.5, 0.5), static=True)
    return tree


def test_a_chain_is_interpolated_link_by_link() -> None:
    tree = _tree()
    assert tree.ancestors("/optical") == ["base", "odom", "map"]
    stamp = _SECOND // 4
    expected = (
        make_pose((2.5, 0, 0), (0, 0, 0, 1))
        @ make_pose((0.25, 0, 0), (0, 0, 1, 0))
        @ make_pose((0, 0, 1), (-0.5, 0.5, -0.5, 0.5))
    )
    np.testing.assert_allclose(tree.pose("optical", "map", stamp), expected, atol=1e-12)
    np.testing.assert_allclose(tree.pose("optical", "optical", stamp), np.eye(4))
    base = tree.pose("base", "map", stamp)
    np.testing.assert_allclose(
        invert_rigid(base) @ tree.pose("optical", "map", stamp),
        make_pose((0, 0, 1), (-0.5, 0.5, -0.5, 0.5)),
        atol=1e-12,
    )


def test_static_links_hold_for_all_times_and_moving_ones_do_not() -> None:
    tree = _tree()
    assert tree.moves("optical", "odom") and not tree.moves("optical", "base")
    tree.pose("optical", "base", 99 * _SECOND)
    with pytest.raises(FrameDropped, match="pose_extrapolation: odom to base"):
        tree.pose("optical", "odom", 99 * _SECOND)


def test_what_moves_is_not_made_static_again() -> None:
    tree = _tree()
    tree.add("odom", "base", 7, _IDENTITY, static=True)
    assert tree.moves("base", "odom")


def test_a_loop_of_frames_ends() -> None:
    tree = TfTree()
    tree.add("a", "b", 0, _IDENTITY, static=True)
    tree.add("b", "a", 0, _IDENTITY, static=True)
    assert len(tree.ancestors("a")) <= 2
    assert tree.ancestors("unknown") == []
