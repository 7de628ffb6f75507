"""Rigid transforms: inversion, unit quaternions (x y z w, as in ROS messages) and interpolation in time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rgbd_perception.errors import FrameDropped

_NEARLY_PARALLEL = 1.0 - 1e-8
"""Cosine of the half angle above which slerp divides by a sine too small to be useful."""


def invert_rigid(pose: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of a (4, 4) rigid transform: exact transposition instead of a general inverse."""
    inverse = np.eye(4)
    inverse[:3, :3] = pose[:3, :3].T
    inverse[:3, 3] = -pose[:3, :3].T @ pose[:3, 3]
    return inverse


def nearest_rigid(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rigid transform nearest to a (4, 4) matrix whose rotation is only as exact as it was printed.

    The rotation is the orthogonal polar factor (Higham 1986). Raises FrameDropped ``pose_invalid`` where the
    matrix is not finite, has another last row than 0 0 0 1, or is off a right-handed rotation by over 1e-2.
    """
    if not np.all(np.isfinite(matrix)) or not np.allclose(matrix[3], (0, 0, 0, 1), atol=1e-6):
        raise FrameDropped("pose_invalid", f"expected a finite rigid 4x4 matrix, got {matrix.tolist()}")
    left, scales, right = np.linalg.svd(matrix[:3, :3])
    if np.abs(scales - 1).max() > 1e-2 or np.linalg.det(left @ right) < 0:
        raise FrameDropped("pose_invalid", f"expected a right-handed rotation, got {matrix[:3, :3].tolist()}")
    pose = np.eye(4)
    pose[:3, :3] = left @ right
    pose[:3, 3] = matrix[:3, 3]
    return pose


def quaternion_to_matrix(quaternion: ArrayLike) -> NDArray[np.float64]:
    """The (3, 3) rotation of a quaternion x y z w of any length.

    Raises FrameDropped ``pose_invalid`` for a quaternion of four zeros (the default of an unset message) or
    with NaN or inf, because neither is a rotation.
    """
    q = np.asarray(quaternion, dtype=np.float64)
    norm = float(np.linalg.norm(q))
    if q.shape != (4,) or not np.isfinite(norm) or norm < 1e-9:
        raise FrameDropped("pose_invalid", f"expected a quaternion x y z w, not zero, got {q.tolist()}")
    x, y, z, w = q / norm
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def matrix_to_quaternion(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """The unit quaternion x y z w, w >= 0, of a (3, 3) rotation.

    It is the eigenvector to the largest eigenvalue of the symmetric matrix of Bar-Itzhack (2000), "New method
    for extracting the quaternion from a rotation matrix": no case distinction, and the nearest rotation where
    the matrix is slightly off orthonormal.
    """
    r = np.asarray(rotation, dtype=np.float64)
    k = np.array(
        [
            [r[0, 0] - r[1, 1] - r[2, 2], r[1, 0] + r[0, 1], r[2, 0] + r[0, 2], r[2, 1] - r[1, 2]],
            [r[1, 0] + r[0, 1], r[1, 1] - r[0, 0] - r[2, 2], r[2, 1] + r[1, 2], r[0, 2] - r[2, 0]],
            [r[2, 0] + r[0, 2], r[2, 1] + r[1, 2], r[2, 2] - r[0, 0] - r[1, 1], r[1, 0] - r[0, 1]],
            [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], r[0, 0] + r[1, 1] + r[2, 2]],
        ]
    )
    quaternion: NDArray[np.float64] = np.linalg.eigh(k)[1][:, -1]
    return -quaternion if quaternion[3] < 0 else quaternion


def make_pose(translation: ArrayLike, quaternion: ArrayLike) -> NDArray[np.float64]:
    """The (4, 4) transform of a translation x y z in metres and a quaternion x y z w.

    Raises FrameDropped ``pose_invalid`` where either is not finite or the quaternion is zero.
    """
    pose = np.eye(4)
    pose[:3, :3] = quaternion_to_matrix(quaternion)
    pose[:3, 3] = np.asarray(translation, dtype=np.float64)
    if not np.all(np.isfinite(pose)):
        raise FrameDropped("pose_invalid", f"expected a finite translation, got {pose[:3, 3].tolist()}")
    return pose


def pose_from_numbers(numbers: Sequence[float]) -> NDArray[np.float64]:
    """The (4, 4) transform of seven numbers x y z qx qy qz qw. Raises FrameDropped ``pose_invalid``."""
    if len(numbers) != 7:
        raise FrameDropped("pose_invalid", f"expected x y z qx qy qz qw, got {len(numbers)} numbers")
    return make_pose(numbers[:3], numbers[3:])


def slerp(q0: NDArray[np.float64], q1: NDArray[np.float64], ratio: float) -> NDArray[np.float64]:
    """Spherical interpolation of unit quaternions along the shorter arc (Shoemake 1985), ratio in 0..1."""
    cosine = float(np.dot(q0, q1))
    if cosine < 0:
        q1, cosine = -q1, -cosine
    if cosine > _NEARLY_PARALLEL:
        blend = q0 + ratio * (q1 - q0)
    else:
        angle = np.arccos(cosine)
        blend = (np.sin((1 - ratio) * angle) * q0 + np.sin(ratio * angle) * q1) / np.sin(angle)
    unit: NDArray[np.float64] = blend / np.linalg.norm(blend)
    return unit


def interpolate_pose(
    t: float, t0: float, pose0: NDArray[np.float64], t1: float, pose1: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The (4, 4) pose at ``t`` between ``pose0`` at ``t0`` and ``pose1`` at ``t1``.

    Straight line for the position, slerp for the rotation. Times are in one unit of the caller's choice
    (integers of nanoseconds keep their precision). Raises ValueError for ``t`` outside of ``t0 .. t1``:
    a pose is never extrapolated.
    """
    if not t0 <= t <= t1:
        raise ValueError(f"a pose between {t0} and {t1} cannot be extrapolated to {t}")
    if t0 == t1:
        return np.array(pose0)
    ratio = (t - t0) / (t1 - t0)
    pose = np.eye(4)
    q0, q1 = matrix_to_quaternion(pose0[:3, :3]), matrix_to_quaternion(pose1[:3, :3])
    pose[:3, :3] = quaternion_to_matrix(slerp(q0, q1, ratio))
    pose[:3, 3] = (1 - ratio) * pose0[:3, 3] + ratio * pose1[:3, 3]
    return pose
