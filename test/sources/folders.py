"""Small recordings of an empty box-shaped room with exact depth, in the layouts of the data sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rgbd_perception.encodings import metres_to_millimetres
from rgbd_perception.frame import CameraIntrinsics, RgbdFrame
from rgbd_perception.geometry import matrix_to_quaternion

ROOM_LOW = np.array([-3.0, -2.0, 0.0])
ROOM_HIGH = np.array([3.0, 2.5, 2.4])
CAMERA = CameraIntrinsics(fx=60.0, fy=60.0, cx=39.5, cy=29.5, width=80, height=60)


def camera_pose(
    position: Sequence[float], yaw: float, pitch: float, roll: float = 0.0
) -> NDArray[np.float64]:
    """A camera in a z-up world that looks along ``yaw``, ``pitch`` radians below the horizon."""
    cy, sy, cp, sp, cr, sr = *_cos_sin(yaw), *_cos_sin(pitch), *_cos_sin(roll)
    forward = np.array([cy * cp, sy * cp, -sp])
    level_right = np.array([sy, -cy, 0.0])
    level_down = np.cross(forward, level_right)
    right, down = cr * level_right + sr * level_down, cr * level_down - sr * level_right
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, down, forward], axis=1)
    pose[:3, 3] = position
    return pose


def room_frame(pose: NDArray[np.float64], stamp_ns: int = 0) -> RgbdFrame:
    """What a camera at ``pose`` sees: exact depth; color tells the distance, so that frames differ."""
    rows, columns = np.indices((CAMERA.height, CAMERA.width))
    rays = np.stack(
        [
            (columns - CAMERA.cx) / CAMERA.fx,
            (rows - CAMERA.cy) / CAMERA.fy,
            np.ones(rows.shape),
        ],
        axis=-1,
    )
    directions = rays @ pose[:3, :3].T
    directions[np.abs(directions) < 1e-12] = 1e-12
    # From inside, a ray leaves the box through the nearest of the planes that it runs towards; as the rays
    # have z = 1 in the camera, the parameter is the depth.
    bounds = np.where(directions > 0, ROOM_HIGH, ROOM_LOW)
    depth = ((bounds - pose[:3, 3]) / directions).min(axis=-1).astype(np.float32)
    color = np.clip(depth[..., None] * np.array([40, 30, 20]), 0, 255).astype(np.uint8)
    return RgbdFrame(color=color, depth=depth, intrinsics=CAMERA, stamp_ns=stamp_ns, pose=pose)


def room_walk(count: int = 8, pitch: float = 0.35) -> list[RgbdFrame]:
    """Frames of a walk that turns half around; stamps begin at one second, ten a second."""
    frames = []
    for i in range(count):
        part = i / max(1, count - 1)
        pose = camera_pose((-1.0 + 2.0 * part, 0.3 * part, 1.3), yaw=-1.5 + 3.0 * part, pitch=pitch)
        frames.append(room_frame(pose, stamp_ns=1_000_000_000 + i * 100_000_000))
    return frames


def in_world(frames: Sequence[RgbdFrame], world_from_map: NDArray[np.float64]) -> list[RgbdFrame]:
    """The same frames with poses in another world."""
    return [frame.with_pose(world_from_map @ _pose(frame)) for frame in frames]


def rounded(frame: RgbdFrame) -> RgbdFrame:
    """The frame as it comes back from a file in millimetres."""
    millimetres = np.multiply(metres_to_millimetres(frame.depth), np.float32(0.001), dtype=np.float32)
    return replace(frame, depth=millimetres)


def write_tsdf_fusion(folder: Path, frames: Sequence[RgbdFrame]) -> Path:
    """The layout of 7-Scenes and tsdf-fusion, PNG color."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savetxt(folder / "camera-intrinsics.txt", frames[0].intrinsics.matrix)
    for i, frame in enumerate(frames):
        _write_color(folder / f"frame-{i:06d}.color.png", frame)
        _write_depth(folder / f"frame-{i:06d}.depth.png", metres_to_millimetres(frame.depth))
        np.savetxt(folder / f"frame-{i:06d}.pose.txt", _pose(frame))
    return folder


def write_hololens(folder: Path, frames: Sequence[RgbdFrame], step: int = 2) -> Path:
    """The layout of deep-video-mvs; images are numbered in steps."""
    for name in ("images", "depth"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    np.savetxt(folder / "K.txt", frames[0].intrinsics.matrix)
    for i, frame in enumerate(frames):
        _write_color(folder / "images" / f"{3 + step * i:05d}.png", frame)
        _write_depth(folder / "depth" / f"{3 + step * i:05d}.png", metres_to_millimetres(frame.depth))
    np.savetxt(folder / "poses.txt", [_pose(frame).reshape(-1) for frame in frames])
    return folder


def write_tum(folder: Path, frames: Sequence[RgbdFrame], depth_delay_ns: int = 4_000_000) -> Path:
    """The layout of the TUM benchmark: 5000 units a metre, no intrinsics."""
    for name in ("rgb", "depth"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    listings: dict[str, list[str]] = {"rgb": [], "depth": [], "groundtruth": []}
    for frame in frames:
        color_stamp, depth_stamp = _seconds(frame.stamp_ns), _seconds(frame.stamp_ns + depth_delay_ns)
        _write_color(folder / "rgb" / f"{color_stamp}.png", frame)
        _write_depth(folder / "depth" / f"{depth_stamp}.png", np.rint(frame.depth * 5000).astype(np.uint16))
        listings["rgb"].append(f"{color_stamp} rgb/{color_stamp}.png")
        listings["depth"].append(f"{depth_stamp} depth/{depth_stamp}.png")
        pose = _pose(frame)
        numbers = [*pose[:3, 3], *matrix_to_quaternion(pose[:3, :3])]
        listings["groundtruth"].append(" ".join([color_stamp, *(f"{number:.9f}" for number in numbers)]))
    for name, lines in listings.items():
        (folder / f"{name}.txt").write_text("\n".join(["# recorded for a test", *lines, ""]))
    return folder


def _write_color(path: Path, frame: RgbdFrame) -> None:
    assert cv2.imwrite(str(path), frame.color[..., ::-1])


def _write_depth(path: Path, depth: NDArray[np.uint16]) -> None:
    assert cv2.imwrite(str(path), depth)


def _pose(frame: RgbdFrame) -> NDArray[np.float64]:
    assert frame.pose is not None
    return frame.pose


def _seconds(stamp_ns: int) -> str:
    return f"{stamp_ns // 1_000_000_000}.{stamp_ns % 1_000_000_000:09d}"


def _cos_sin(angle: float) -> tuple[float, float]:
    return float(np.cos(angle)), float(np.sin(angle))
