"""The direction up: given axes exactly, "auto" in a room under any rotation and in the real sequences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rgbd_perception.errors import UserError
from rgbd_perception.geometry import make_pose
from rgbd_perception.sources import SourceOptions, open_source
from rgbd_perception.sources.up import find_map_from_source, find_up, rotation_to_z
from test.sources.folders import camera_pose, in_world, room_frame, room_walk

_units = (
    st.tuples(*[st.floats(-1, 1)] * 3)
    .map(np.array)
    .filter(lambda v: bool(np.linalg.norm(v) > 0.1))
    .map(lambda v: v / np.linalg.norm(v))
)
_quaternions = st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: bool(np.linalg.norm(q) > 0.1))

# Up in redkitchen, whose world is its first camera: the cross product of the normals of planes fitted to the
# two rows of cupboard fronts (94 degrees apart by this sensor), so that no level surface had a part in it.
_REDKITCHEN_UP_BY_WALLS = np.array([0.054, -0.886, -0.461])


def _degrees_between(a: np.ndarray, b: np.ndarray) -> float:
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


@pytest.mark.parametrize("axis", ["x", "-x", "y", "-y", "z", "-z"])
def test_a_given_axis_becomes_z_exactly(axis: str) -> None:
    direction = np.zeros(3)
    direction["xyz".index(axis[-1])] = -1 if axis[0] == "-" else 1
    rotation = find_map_from_source(axis, [])
    np.testing.assert_array_equal(rotation[:3, :3] @ direction, [0, 0, 1])
    assert set(np.unique(rotation)) <= {-1.0, 0.0, 1.0}
    assert np.linalg.det(rotation) == 1


@given(_units)
def test_the_rotation_is_rigid_and_the_smallest(direction: np.ndarray) -> None:
    rotation = rotation_to_z(direction)[:3, :3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-7)
    np.testing.assert_allclose(rotation @ direction, [0, 0, 1], atol=1e-7)
    # Smallest: its angle is the angle between the direction and z.
    assert (np.trace(rotation) - 1) / 2 == pytest.approx(direction[2], abs=1e-7)


@settings(max_examples=15)
@given(_quaternions, st.floats(-0.3, 0.9), st.floats(-0.15, 0.15))
def test_auto_finds_up_in_a_room_turned_any_way(
    quaternion: tuple[float, ...], pitch: float, roll: float
) -> None:
    world_from_map = make_pose((5, -3, 1), quaternion)
    frames = [room_frame(camera_pose((0.2 * i, 0, 1.3), 0.6 * i, pitch, roll)) for i in range(4)]
    found = find_up(in_world(frames, world_from_map))
    # 2.5 degrees are the step by which a near axis of the world is preferred.
    assert _degrees_between(found, world_from_map[:3, 2]) < 2.6


@pytest.mark.parametrize("pitch", [-0.3, 0.0, 0.4, 0.8])
def test_auto_is_right_for_a_single_view(pitch: float) -> None:
    frame = room_frame(camera_pose((0, 0, 1.2), yaw=0.7, pitch=pitch))
    assert _degrees_between(find_up([frame]), np.array([0.0, 0.0, 1.0])) < 1


def test_auto_without_depth_takes_the_axis_nearest_to_the_cameras_up() -> None:
    frames = room_walk(3)
    for frame in frames:
        frame.depth[:] = 0
    np.testing.assert_array_equal(find_up(frames), [0, 0, 1])


def test_auto_needs_frames_with_a_common_up() -> None:
    with pytest.raises(UserError, match="--up"):
        find_up([])
    upright = room_frame(camera_pose((0, 0, 1), 0, 0))
    overturned = room_frame(camera_pose((0, 0, 1), 0, 0, roll=np.pi))
    with pytest.raises(UserError, match="--up"):
        find_up([upright, overturned])


def test_unknown_axis_is_refused() -> None:
    with pytest.raises(UserError, match="auto"):
        find_map_from_source("w", [])


@pytest.mark.parametrize(
    ("name", "up"),
    [
        ("redkitchen", _REDKITCHEN_UP_BY_WALLS),
        ("hololens_office", np.array([0.0, 1.0, 0.0])),
        ("apc_shelf", np.array([0.0, 0.0, 1.0])),
    ],
)
def test_auto_finds_the_known_up_of_real_sequences(shared_data: Path, name: str, up: np.ndarray) -> None:
    rotation = open_source(str(shared_data / name), SourceOptions()).map_from_source[:3, :3]
    assert _degrees_between(rotation @ up, np.array([0.0, 0.0, 1.0])) < 5
