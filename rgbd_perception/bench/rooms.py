"""The rooms of the benchmark: boxes in a box, cheap to render, so many and so far apart that a map fills up.

The generator of apartments is the better picture of a home, but a map of a million voxels would need dozens
of its apartments. Time and memory of an update depend on how surfaces lie in space and how views overlap,
which boxes with sensor noise show as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.frame import CameraIntrinsics

ROOM_SIZE = (6.0, 4.0, 2.6)
WALLS = 6
"""Surfaces of the room itself; the furniture is counted on from there."""
_FURNITURE = 14
_SPACING = (9.0, 7.0)
"""Metres from room to room: no ray of one reaches the other."""
_ROOMS_A_ROW = 100
_CAMERA_HEIGHT = 1.3
_SPEED, _TURN = 0.5, np.deg2rad(20.0)
"""Of a robot that looks around: metres and radians a second."""


@dataclass(frozen=True)
class Room:
    """A room at ``origin`` (3,) of the map; ``low`` and ``high`` (n, 3) are the corners of its furniture,
    metres from there."""

    origin: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def make_room(place: int, seed: int = 0) -> Room:
    """Room number ``place`` with furniture along its walls, the same every time."""
    rng = np.random.default_rng([seed, place])
    size = rng.uniform((0.2, 0.2, 0.1), (1.2, 0.7, 1.6), (_FURNITURE, 3))
    low = rng.uniform((0.0, 0.0, 0.0), np.array(ROOM_SIZE) - size)
    side = rng.random(_FURNITURE) < 0.5  # along which of the long walls: the middle stays free to walk in
    low[:, 1] = np.where(side, 0.05, ROOM_SIZE[1] - 0.05 - size[:, 1])
    low[:, 2] *= rng.random(_FURNITURE) < 0.4  # most stands on the floor, some hangs
    row, column = divmod(place, _ROOMS_A_ROW)
    origin = np.array([column * _SPACING[0], row * _SPACING[1], 0.0])
    return Room(origin, low, low + size)


def video_poses(room: Room, count: int, rate: float = 30.0) -> list[NDArray[np.float64]]:
    """Poses (4, 4) of ``count`` frames of a camera that drives to and fro, looking round."""
    seconds = np.arange(count) / rate
    reach = 2.0
    along = reach - np.abs(_SPEED * seconds % (2 * reach) - reach)  # a triangle wave of 0 to 2 m
    return [
        _pose(room, (2.0 + x, 2.0 + 0.1 * np.sin(t), _CAMERA_HEIGHT), _TURN * t, 0.15 * np.sin(0.7 * t))
        for x, t in zip(along, seconds, strict=True)
    ]


def survey_poses(room: Room) -> list[NDArray[np.float64]]:
    """Poses (4, 4) of few views that see most of the room: how a map is filled without timing it."""
    return [
        _pose(room, (x, 2.0, _CAMERA_HEIGHT), yaw, pitch)
        for x, pitch in ((1.8, -0.25), (4.2, 0.25))
        for yaw in np.arange(0, 2 * np.pi, np.pi / 3)
    ]


def render(
    room: Room, pose: NDArray[np.float64], camera: CameraIntrinsics
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Exact depth (H, W) metres and surface (H, W): 0 to 5 the walls, then the furniture."""
    v, u = np.mgrid[0 : camera.height, 0 : camera.width].astype(np.float32)
    rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones_like(u)])
    rays = np.tensordot(pose[:3, :3].astype(np.float32), rays, 1)
    inverse = 1 / np.where(np.abs(rays) < 1e-6, np.float32(1e-6), rays)
    eye = (pose[:3, 3] - room.origin).astype(np.float32)[:, None, None]
    walls = np.array(ROOM_SIZE, np.float32)[:, None, None]
    leave = np.where(inverse > 0, walls - eye, -eye) * inverse
    depth = leave.min(axis=0)
    axis = leave.argmin(axis=0)
    surface = (2 * axis + (np.take_along_axis(inverse, axis[None], 0)[0] > 0)).astype(np.int32)
    corners = zip(room.low.astype(np.float32), room.high.astype(np.float32), strict=True)
    for index, (low, high) in enumerate(corners, start=WALLS):
        near, far = (low[:, None, None] - eye) * inverse, (high[:, None, None] - eye) * inverse
        enter = np.minimum(near, far).max(axis=0)
        hit = (enter <= np.maximum(near, far).min(axis=0)) & (enter > 0) & (enter < depth)
        depth[hit], surface[hit] = enter[hit], index
    return depth, surface


def measured(depth: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Depth as a structured-light sensor gives it: noise that grows with the square of the distance
    (Khoshelham and Elberink 2012: 1.4 mm at 1 m), lost pixels and lost patches."""
    noisy = depth + np.float32(0.0014) * depth**2 * rng.standard_normal(depth.shape, dtype=np.float32)
    noisy[rng.random(depth.shape, dtype=np.float32) < 0.02] = 0
    height, width = depth.shape
    for _ in range(3):
        top, left = rng.integers(0, height), rng.integers(0, width)
        noisy[top : top + height // 12, left : left + width // 12] = 0
    return noisy


def _pose(room: Room, position: tuple[float, float, float], yaw: float, pitch: float) -> NDArray[np.float64]:
    """Camera at ``position`` in the room, looking along ``yaw``, ``pitch`` radians downwards."""
    forward = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), -np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    pose[:3, 3] = room.origin + position
    return pose
