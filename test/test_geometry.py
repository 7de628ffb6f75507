"""Rigid transforms: inverses, quaternions and interpolation, by their properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped
from rgbd_perception.geometry import (
    interpolate_pose,
    invert_rigid,
    make_pose,
    matrix_to_quaternion,
    nearest_rigid,
    pose_from_numbers,
    quaternion_to_matrix,
)

_coordinates = st.floats(-100, 100)
_quaternions = (
    st.tuples(*[st.floats(-1, 1)] * 4).map(np.array).filter(lambda q: bool(np.linalg.norm(q) > 0.1))
)
_poses = st.builds(make_pose, st.tuples(_coordinates, _coordinates, _coordinates), _quaternions)


def _angle(rotation: NDArray[np.float64]) -> float:
    """The angle of a rotation in radians; the sine part keeps small angles exact."""
    sine = np.linalg.norm(rotation - rotation.T) / np.sqrt(8)
    return float(np.arctan2(sine, (np.trace(rotation) - 1) / 2))


@given(_quaternions)
def test_quaternion_to_matrix_is_a_rotation_and_comes_back(quaternion: NDArray[np.float64]) -> None:
    rotation = quaternion_to_matrix(quaternion)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    back = matrix_to_quaternion(rotation)
    assert np.linalg.norm(back) == pytest.approx(1)
    assert abs(back @ quaternion) / np.linalg.norm(quaternion) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("quaternion", "turned"),
    [
        ((0, 0, np.sqrt(0.5), np.sqrt(0.5)), (0, 1, 0)),
        ((0, np.sqrt(0.5), 0, np.sqrt(0.5)), (0, 0, -1)),
        ((1, 0, 0, 0), (1, 0, 0)),
        ((0, 0, 1, 0), (-1, 0, 0)),
    ],
)
def test_order_of_the_components_is_x_y_z_w(quaternion: tuple[float, ...], turned: tuple[float, ...]) -> None:
    np.testing.assert_allclose(quaternion_to_matrix(quaternion) @ [1, 0, 0], turned, atol=1e-12)


@given(_poses)
def test_inverse_undoes(pose: NDArray[np.float64]) -> None:
    np.testing.assert_allclose(invert_rigid(pose) @ pose, np.eye(4), atol=1e-10)


@given(_poses, _poses, st.integers(0, 1000))
def test_interpolation_moves_evenly_from_one_pose_to_the_other(
    first: NDArray[np.float64], last: NDArray[np.float64], t: int
) -> None:
    between = interpolate_pose(t, 0, first, 1000, last)
    np.testing.assert_allclose(between[:3, 3], first[:3, 3] + t / 1000 * (last - first)[:3, 3], atol=1e-9)
    np.testing.assert_allclose(between[:3, :3] @ between[:3, :3].T, np.eye(3), atol=1e-12)
    whole = _angle(first[:3, :3].T @ last[:3, :3])
    assert _angle(first[:3, :3].T @ between[:3, :3]) == pytest.approx(whole * t / 1000, abs=1e-6)


@given(_poses, _poses)
def test_interpolation_ends_at_the_given_poses(first: NDArray[np.float64], last: NDArray[np.float64]) -> None:
    stamp = 1_700_000_000_123_456_789  # far above what a float can tell apart by nanoseconds
    np.testing.assert_allclose(interpolate_pose(stamp, stamp, first, stamp + 7, last), first, atol=1e-9)
    np.testing.assert_allclose(interpolate_pose(stamp + 7, stamp, first, stamp + 7, last), last, atol=1e-9)


@given(_poses, st.floats(-0.004, 0.004))
def test_printed_poses_are_made_rigid(pose: NDArray[np.float64], error: float) -> None:
    printed = pose.copy()
    printed[:3, :3] *= 1 + error
    np.testing.assert_allclose(nearest_rigid(printed), pose, atol=1e-12)


@pytest.mark.parametrize(
    "matrix",
    [
        np.zeros((4, 4)),
        np.diag([1.0, 1, 1, 2]),
        np.diag([1.0, 1, -1, 1]),
        np.diag([1.1, 1, 1, 1]),
        np.full((4, 4), np.nan),
    ],
)
def test_what_is_not_rigid_is_not_made_so(matrix: NDArray[np.float64]) -> None:
    with pytest.raises(FrameDropped, match="pose_invalid"):
        nearest_rigid(matrix)


def test_interpolation_between_equal_stamps_is_the_first_pose() -> None:
    pose = make_pose((1, 2, 3), (0, 0, 0, 1))
    np.testing.assert_array_equal(interpolate_pose(5, 5, pose, 5, np.eye(4)), pose)


@pytest.mark.parametrize("t", [-1, 11])
def test_a_pose_is_never_extrapolated(t: int) -> None:
    with pytest.raises(ValueError, match="extrapolated"):
        interpolate_pose(t, 0, np.eye(4), 10, np.eye(4))


@pytest.mark.parametrize(
    "numbers", [[0.0] * 7, [0, 0, 0, 0, 0, 0, np.nan], [np.inf, 0, 0, 0, 0, 0, 1], [1.0] * 6]
)
def test_what_is_no_pose_is_dropped(numbers: list[float]) -> None:
    with pytest.raises(FrameDropped) as dropped:
        pose_from_numbers(numbers)
    assert dropped.value.reason == "pose_invalid"
