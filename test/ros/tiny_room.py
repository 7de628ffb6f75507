"""An empty box-shaped room seen by a turning camera: exact depth and poses from a few lines of geometry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from rgbd_perception.encodings import metres_to_millimetres
from rgbd_perception.frame import CameraIntrinsics, RgbdFrame

HALF_SIZE = np.array([2.0, 1.5, 1.25])
"""The room reaches this far from its centre, the origin, along x, y and z (up)."""
WALL_COLORS = np.array(
    [[200, 60, 60], [60, 200, 60], [60, 60, 200], [200, 200, 60], [120, 90, 60], [230, 230, 230]]
)
"""Of the walls at -x +x -y +y -z +z."""
CAMERA = CameraIntrinsics(fx=60.0, fy=60.0, cx=39.5, cy=29.5, width=80, height=60)
RATE = 10.0


def camera_pose(angle: float) -> np.ndarray:
    """A camera at the origin looking horizontally, ``angle`` radians left of +x."""
    pose = np.eye(4)
    pose[:3, 2] = np.cos(angle), np.sin(angle), 0
    pose[:3, 1] = 0, 0, -1
    pose[:3, 0] = np.cross(pose[:3, 1], pose[:3, 2])
    return pose


def room_frame(angle: float, stamp_ns: int = 0) -> RgbdFrame:
    """Color and depth of the room for a camera at the origin."""
    rows, columns = np.mgrid[0 : CAMERA.height, 0 : CAMERA.width]
    rays = np.stack(
        [(columns - CAMERA.cx) / CAMERA.fx, (rows - CAMERA.cy) / CAMERA.fy, np.ones(rows.shape)], axis=-1
    )
    pose = camera_pose(angle)
    directions = rays @ pose[:3, :3].T
    with np.errstate(divide="ignore"):
        distances = HALF_SIZE / np.abs(directions)
    wall = distances.argmin(axis=-1)
    depth = np.take_along_axis(distances, wall[..., None], axis=-1)[..., 0].astype(np.float32)
    positive = np.take_along_axis(directions, wall[..., None], axis=-1)[..., 0] > 0
    color = WALL_COLORS[2 * wall + positive].astype(np.uint8)
    return RgbdFrame(color, depth, CAMERA, stamp_ns, "camera", pose)


def room_frames(count: int) -> Iterator[RgbdFrame]:
    """``count`` frames of one slow turn, RATE a second."""
    for index in range(count):
        yield room_frame(0.05 * index, int(index / RATE * 1e9))


def write_room(folder: Path, count: int) -> Path:
    """Write the frames in the tsdf-fusion layout; returns ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savetxt(folder / "camera-intrinsics.txt", CAMERA.matrix)
    for index, frame in enumerate(room_frames(count)):
        stem = str(folder / f"frame-{index:06d}")
        cv2.imwrite(f"{stem}.color.png", frame.color[..., ::-1])
        cv2.imwrite(f"{stem}.depth.png", metres_to_millimetres(frame.depth))
        np.savetxt(f"{stem}.pose.txt", frame.pose)
    return folder
