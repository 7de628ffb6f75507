"""Writes rosbag2 recordings of real or made-up frames, as a robot would record them, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from rgbd_perception.encodings import metres_to_millimetres
from rgbd_perception.frame import RgbdFrame
from rgbd_perception.geometry import invert_rigid, make_pose, matrix_to_quaternion

OPTICAL_FRAME = "camera_color_optical_frame"
ODOM_IN_MAP = make_pose((1.0, -2.0, 0.1), (0.0, 0.0, 0.6, 0.8))
CAMERA_LINK_IN_BASE = make_pose((0.2, 0.0, 0.9), (0.0, 0.1, 0.0, 1.0))
OPTICAL_IN_CAMERA_LINK = make_pose((0.0, 0.015, 0.0), (-0.5, 0.5, -0.5, 0.5))
OPTICAL_IN_BASE = CAMERA_LINK_IN_BASE @ OPTICAL_IN_CAMERA_LINK

_STORAGE = {".db3": StoragePlugin.SQLITE3, ".mcap": StoragePlugin.MCAP}


@dataclass(frozen=True)
class BagStyle:
    """How the frames are recorded.

    storage         ".db3" or ".mcap"
    pose            "tf" (map, odom, base_link, camera_link, optical frame), "odometry" (of base_link, with
                    the mounting in /tf_static), "pose" (PoseStamped of the optical frame) or "none"
    color, depth    encodings of ``sensor_msgs/Image``, or of compressed ones "jpeg", "png", "compressedDepth"
    step_padding    bytes added to each row of raw images
    depth_delay_ns  by which depth stamps are later than color stamps
    mounting        whether /tf_static says where the camera is on base_link
    distortion      D of the camera info
    clock_ns        steps in which the recorder's time goes on, as by a simulated clock
    """

    storage: str = ".db3"
    pose: str = "tf"
    color: str = "rgb8"
    depth: str = "16UC1"
    step_padding: int = 0
    depth_delay_ns: int = 0
    camera_info: bool = True
    mounting: bool = True
    distortion: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0)
    clock_ns: int = 1
    color_topic: str = "/camera/color/image_raw"
    depth_topic: str = "/camera/aligned_depth_to_color/image_raw"


def write_bag(path: Path, frames: Sequence[RgbdFrame], style: BagStyle | None = None) -> Path:
    """Record ``frames`` (stamps above zero) into the new folder ``path``; returns the storage file in it."""
    style = style or BagStyle()
    with Writer(path, version=9, storage_plugin=_STORAGE[style.storage]) as writer:
        recorder = _Recorder(writer, style.clock_ns)
        if style.mounting and style.pose in ("tf", "odometry"):
            _record_mounting(recorder, frames[0].stamp_ns)
        for frame in frames:
            _record_images(recorder, frame, style)
            if frame.pose is not None:
                _record_pose(recorder, frame.stamp_ns, frame.pose, style.pose)
    return path / f"{path.name}{style.storage}"


class _Recorder:
    """Serialises messages of the standard types and writes them, one connection a topic."""

    def __init__(self, writer: Writer, clock_ns: int) -> None:
        self._writer = writer
        self._clock_ns = clock_ns
        self._store = get_typestore(Stores.ROS2_HUMBLE)
        self._connections: dict[str, Any] = {}
        self._log_ns = 0

    def make(self, message_type: str, *fields: Any) -> Any:
        return self._store.types[message_type](*fields)

    def header(self, stamp_ns: int, frame_id: str) -> Any:
        time = self.make("builtin_interfaces/msg/Time", *divmod(stamp_ns, 1_000_000_000))
        return self.make("std_msgs/msg/Header", time, frame_id)

    def pose(self, pose: NDArray[np.float64], kind: str = "Pose") -> Any:
        position = "Point" if kind == "Pose" else "Vector3"
        x, y, z = (float(value) for value in pose[:3, 3])
        quaternion = [float(value) for value in matrix_to_quaternion(pose[:3, :3])]
        return self.make(
            f"geometry_msgs/msg/{kind}",
            self.make(f"geometry_msgs/msg/{position}", x, y, z),
            self.make("geometry_msgs/msg/Quaternion", *quaternion),
        )

    def write(self, topic: str, stamp_ns: int, message: Any) -> None:
        """The time of the recorder goes on whatever the stamps do."""
        self._log_ns = max(self._log_ns + 1, stamp_ns)
        log_ns = self._log_ns // self._clock_ns * self._clock_ns
        kind = message.__msgtype__
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(topic, kind, typestore=self._store)
        self._writer.write(self._connections[topic], log_ns, self._store.serialize_cdr(message, kind))


def _record_mounting(recorder: _Recorder, stamp_ns: int) -> None:
    transforms = [
        _transform(recorder, stamp_ns, "base_link", "camera_link", CAMERA_LINK_IN_BASE),
        _transform(recorder, stamp_ns, "camera_link", OPTICAL_FRAME, OPTICAL_IN_CAMERA_LINK),
    ]
    recorder.write("/tf_static", stamp_ns, recorder.make("tf2_msgs/msg/TFMessage", transforms))


def _record_pose(recorder: _Recorder, stamp_ns: int, pose: NDArray[np.float64], kind: str) -> None:
    base_in_map = pose @ invert_rigid(OPTICAL_IN_BASE)
    if kind == "tf":
        base_in_odom = invert_rigid(ODOM_IN_MAP) @ base_in_map
        transforms = [
            _transform(recorder, stamp_ns, "map", "odom", ODOM_IN_MAP),
            _transform(recorder, stamp_ns, "odom", "base_link", base_in_odom),
        ]
        recorder.write("/tf", stamp_ns, recorder.make("tf2_msgs/msg/TFMessage", transforms))
    elif kind == "odometry":
        zero = recorder.make("geometry_msgs/msg/Vector3", 0.0, 0.0, 0.0)
        no_covariance = np.zeros(36)
        message = recorder.make(
            "nav_msgs/msg/Odometry",
            recorder.header(stamp_ns, "odom"),
            "base_link",
            recorder.make("geometry_msgs/msg/PoseWithCovariance", recorder.pose(base_in_map), no_covariance),
            recorder.make(
                "geometry_msgs/msg/TwistWithCovariance",
                recorder.make("geometry_msgs/msg/Twist", zero, zero),
                no_covariance,
            ),
        )
        recorder.write("/odom", stamp_ns, message)
    elif kind == "pose":
        header = recorder.header(stamp_ns, "map")
        recorder.write(
            "/camera/pose",
            stamp_ns,
            recorder.make("geometry_msgs/msg/PoseStamped", header, recorder.pose(pose)),
        )


def _transform(recorder: _Recorder, stamp_ns: int, parent: str, child: str, pose: NDArray[np.float64]) -> Any:
    header = recorder.header(stamp_ns, parent)
    return recorder.make(
        "geometry_msgs/msg/TransformStamped", header, child, recorder.pose(pose, kind="Transform")
    )


def _record_images(recorder: _Recorder, frame: RgbdFrame, style: BagStyle) -> None:
    stamp_ns, depth_ns = frame.stamp_ns, frame.stamp_ns + style.depth_delay_ns
    _record_image(recorder, style.color_topic, stamp_ns, style.color, _color_pixels(frame, style), style)
    _record_image(recorder, style.depth_topic, depth_ns, style.depth, _depth_pixels(frame, style), style)
    if style.camera_info:
        topic = style.color_topic.rpartition("/")[0] + "/camera_info"
        recorder.write(topic, stamp_ns, _camera_info(recorder, frame, style))


def _color_pixels(frame: RgbdFrame, style: BagStyle) -> NDArray[Any]:
    conversions = {"rgba8": cv2.COLOR_RGB2RGBA, "bgra8": cv2.COLOR_RGB2BGRA, "mono8": cv2.COLOR_RGB2GRAY}
    if style.color in conversions:
        return np.asarray(cv2.cvtColor(frame.color, conversions[style.color]))
    return frame.color if style.color == "rgb8" else np.ascontiguousarray(frame.color[..., ::-1])


def _depth_pixels(frame: RgbdFrame, style: BagStyle) -> NDArray[Any]:
    return frame.depth if style.depth == "32FC1" else metres_to_millimetres(frame.depth)


def _record_image(
    recorder: _Recorder, topic: str, stamp_ns: int, encoding: str, pixels: NDArray[Any], style: BagStyle
) -> None:
    header = recorder.header(stamp_ns, OPTICAL_FRAME)
    if encoding in ("jpeg", "png", "compressedDepth"):
        data = cv2.imencode(".jpg" if encoding == "jpeg" else ".png", pixels)[1]
        pixel = "16UC1" if pixels.dtype == np.uint16 else "bgr8"
        topic, image_format = f"{topic}/compressed", f"{pixel}; {encoding} compressed {pixel}"
        if encoding == "compressedDepth":
            data = np.concatenate([np.zeros(12, dtype=np.uint8), data])
            topic, image_format = f"{topic}Depth", "16UC1; compressedDepth png"
        message = recorder.make("sensor_msgs/msg/CompressedImage", header, image_format, data)
    else:
        height, width = pixels.shape[:2]
        rows = pixels.reshape(height, -1).view(np.uint8)
        rows = np.pad(rows, ((0, 0), (0, style.step_padding)))
        message = recorder.make(
            "sensor_msgs/msg/Image", header, height, width, encoding, 0, rows.shape[1], rows.reshape(-1)
        )
    recorder.write(topic, stamp_ns, message)


def _camera_info(recorder: _Recorder, frame: RgbdFrame, style: BagStyle) -> Any:
    matrix = frame.intrinsics.matrix
    return recorder.make(
        "sensor_msgs/msg/CameraInfo",
        recorder.header(frame.stamp_ns, OPTICAL_FRAME),
        frame.intrinsics.height,
        frame.intrinsics.width,
        "plumb_bob",
        np.array(style.distortion),
        matrix.reshape(-1),
        np.eye(3).reshape(-1),
        np.hstack([matrix, np.zeros((3, 1))]).reshape(-1),
        0,
        0,
        recorder.make("sensor_msgs/msg/RegionOfInterest", 0, 0, 0, 0, False),
    )
