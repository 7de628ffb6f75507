"""Which way is up in a recording, and the rotation that makes it +z.

"auto" looks for the dominant horizontal plane: the surface normals of several depth images vote for a
direction, and the mean up direction of the cameras (image -y) says which of the directions of floors, walls
and table sides can be meant at all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.frame import RgbdFrame

_AXES = {"x": 0, "y": 1, "z": 2}

_GRID_COLUMNS = 96
"""Points along a row of a depth image: neighbours are then centimetres apart, well above sensor noise."""
_MAX_SLOPE = 0.08
"""Depth may change by this part between neighbouring points of one surface; more is an edge."""
_MAX_NORMALS = 20_000
_CANDIDATES = 300
_MIN_COS_TO_CAMERA_UP = 0.35
"""Planes tilted further (70 degrees) from the cameras' up are taken for walls."""
_CEILING_WEIGHT = 0.5
"""A surface seen from below counts half: ceilings are level, but fewer things hang level than stand level."""
_VOTE_COS = np.cos(np.radians(6.0))
_INLIER_COS = np.cos(np.radians(8.0))
_MIN_SUPPORT = 0.02
"""Part of all normals that the plane needs; with less the cameras alone decide."""
_PLANE_HALF_THICKNESS = 0.03
"""Metres around the dominant plane whose points are fitted: noise and errors of the poses."""
_PLANE_MIN_RADIUS = 0.15
"""Metres (standard deviation of its points along the narrow side) below which a plane says too little."""
_SNAP_PLANE = np.cos(np.radians(2.5))
"""Most recordings are aligned with gravity: an axis this near to the plane's normal is what is meant."""
_SNAP_CAMERAS = np.cos(np.radians(25.0))
"""Without a plane the direction is only as good as the cameras' pitch, so an axis wins from farther away."""


def find_map_from_source(up: str, frames: Sequence[RgbdFrame]) -> NDArray[np.float64]:
    """The (4, 4) rotation that takes ``up`` ("x", "-x", ... or "auto", found in ``frames``) to +z.

    ``frames`` carry poses in the world of the recording; they are only needed for "auto". Raises UserError
    for an unknown ``up``, and for "auto" without frames.
    """
    if up == "auto":
        return rotation_to_z(find_up(frames))
    sign, axis = (-1.0, up[1:]) if up.startswith("-") else (1.0, up)
    if axis not in _AXES:
        raise UserError(f"expected up as x, -x, y, -y, z, -z or auto, got '{up}'")
    direction = np.zeros(3)
    direction[_AXES[axis]] = sign
    return rotation_to_z(direction)


def rotation_to_z(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """The smallest (4, 4) rotation that takes the unit vector ``direction`` to +z.

    Its axis is ``direction`` x z (Rodrigues' formula); -z is turned about x, where that axis is undefined.
    """
    x, y, z = direction
    rotation = np.eye(4)
    if z < -1 + 1e-9:
        rotation[:3, :3] = np.diag([1.0, -1.0, -1.0])
        return rotation
    cross = np.array([[0, 0, -x], [0, 0, -y], [x, y, 0]])
    rotation[:3, :3] = np.eye(3) + cross + cross @ cross / (1 + z)
    return rotation


def find_up(frames: Sequence[RgbdFrame]) -> NDArray[np.float64]:
    """The unit vector that points up in the world of the ``frames`` (which carry poses). Raises UserError."""
    if not frames:
        raise UserError("expected at least one frame with depth and pose to find the direction up: give --up")
    camera_up = _mean_camera_up(frames)
    points, normals = _world_surfaces(frames)
    plane_up = _dominant_direction(normals, camera_up)
    if plane_up is None:
        return _snap_to_axis(camera_up, _SNAP_CAMERAS)
    return _snap_to_axis(_fit_plane(points, normals, plane_up), _SNAP_PLANE)


def _mean_camera_up(frames: Sequence[RgbdFrame]) -> NDArray[np.float64]:
    total = np.zeros(3)
    for frame in frames:
        if frame.pose is not None:
            total -= frame.pose[:3, 1]
    norm = np.linalg.norm(total)
    if norm < 0.1 * len(frames):
        raise UserError("the cameras have no common up direction: give --up x|-x|y|-y|z|-z")
    up: NDArray[np.float64] = total / norm
    return up


def _world_surfaces(frames: Sequence[RgbdFrame]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N, 3) points and (N, 3) unit normals of the smooth parts of all depth images, in the world."""
    points, normals = [], []
    for frame in frames:
        assert frame.pose is not None
        camera_points, camera_normals = _camera_surfaces(frame)
        points.append(camera_points @ frame.pose[:3, :3].T + frame.pose[:3, 3])
        normals.append(camera_normals @ frame.pose[:3, :3].T)
    all_points, all_normals = np.concatenate(points), np.concatenate(normals)
    step = max(1, len(all_points) // _MAX_NORMALS)
    return all_points[::step], all_normals[::step]


def _camera_surfaces(frame: RgbdFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points and unit normals (towards the camera) on a coarse grid, where the depth has no edge or hole."""
    stride = max(1, frame.shape[1] // _GRID_COLUMNS)
    depth = frame.depth[::stride, ::stride].astype(np.float64)
    depth[~(np.isfinite(depth) & (depth > 0))] = np.nan
    camera = frame.intrinsics
    rows, columns = np.indices(depth.shape) * stride
    points = np.stack(
        [(columns - camera.cx) / camera.fx * depth, (rows - camera.cy) / camera.fy * depth, depth], axis=-1
    )
    # Central differences: the surface has to reach over both neighbours. Comparisons with NaN are false.
    right = points[1:-1, 2:] - points[1:-1, :-2]
    down = points[2:, 1:-1] - points[:-2, 1:-1]
    centre = points[1:-1, 1:-1]
    slope = np.maximum(np.abs(right[..., 2]), np.abs(down[..., 2]))
    normals = np.cross(down, right)
    lengths = np.linalg.norm(normals, axis=-1)
    smooth = (slope < 2 * _MAX_SLOPE * centre[..., 2]) & (lengths > 0)
    # "down" x "right" is -z for a wall in front of the camera: towards it for every surface that it can see.
    return centre[smooth], normals[smooth] / lengths[smooth][:, None]


def _dominant_direction(
    normals: NDArray[np.float64], camera_up: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """The direction that most normals share, among those not far from ``camera_up``; None: too few do."""
    directions = np.concatenate([normals, -normals])
    weights = np.repeat([1.0, _CEILING_WEIGHT], len(normals))
    near = directions @ camera_up > _MIN_COS_TO_CAMERA_UP
    directions, weights = directions[near], weights[near]
    if not len(directions):
        return None
    candidates = directions[:: max(1, len(directions) // _CANDIDATES)]
    support = (candidates @ directions.T > _VOTE_COS) @ weights
    best = int(np.argmax(support * (candidates @ camera_up) ** 2))
    if support[best] < _MIN_SUPPORT * len(normals):
        return None
    up: NDArray[np.float64] = candidates[best]
    for _ in range(5):
        inliers = directions @ up > _INLIER_COS
        up = weights[inliers] @ directions[inliers]
        up = up / np.linalg.norm(up)
    return up


def _fit_plane(
    points: NDArray[np.float64], normals: NDArray[np.float64], up: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The normal of the plane through the points at the most frequent height along ``up``.

    Points over metres give a better direction than normals over centimetres; ``up`` is kept where they cover
    too little.
    """
    points = points[np.abs(normals @ up) > _INLIER_COS]
    for _ in range(3):
        heights = points @ up
        near = np.abs(heights - _densest(heights)) < _PLANE_HALF_THICKNESS
        plane = points[near] - points[near].mean(axis=0)
        spread, axes = np.linalg.eigh(plane.T @ plane / len(plane))
        if spread[1] < _PLANE_MIN_RADIUS**2:
            return up
        normal = axes[:, 0] * np.sign(axes[:, 0] @ up)
        if normal @ up < _INLIER_COS:
            return up
        up = normal
    return up


def _densest(values: NDArray[np.float64]) -> float:
    """The middle of the interval of the plane's thickness with the most values."""
    ordered = np.sort(values)
    ends = np.searchsorted(ordered, ordered + 2 * _PLANE_HALF_THICKNESS)
    return float(ordered[np.argmax(ends - np.arange(len(ordered)))] + _PLANE_HALF_THICKNESS)


def _snap_to_axis(direction: NDArray[np.float64], min_cos: float) -> NDArray[np.float64]:
    """The nearest coordinate axis where it is within ``min_cos`` of ``direction``, else ``direction``."""
    axis = int(np.argmax(np.abs(direction)))
    if abs(direction[axis]) < min_cos:
        return direction
    snapped = np.zeros(3)
    snapped[axis] = np.sign(direction[axis])
    return snapped
