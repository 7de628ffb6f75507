"""A camera and a listener for the tests of the node ``perception``."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image

from rgbd_perception.bookkeeping import LedgerCounts
from rgbd_perception.frame import CameraIntrinsics
from rgbd_perception.msg import EmbeddingGrid, LabelList, PerceptionFrame
from rgbd_perception.ros.diagnostics import counts_of
from rgbd_perception.ros.images import numpy_to_image
from rgbd_perception.ros.messages import to_stamp
from rgbd_perception.ros.qos import DIAGNOSTICS, FRAME, LATCHED, REPLAY_OUTPUT, SENSOR_DATA
from rgbd_perception.ros.replay_messages import camera_info_message
from test.ros.node_thread import SETTLE_S, wait_for

HEIGHT, WIDTH = 48, 64
# The two frames that a mapping node lets wait are few for a test that counts them, on a machine that stalls.
_EVERY_FRAME = QoSProfile(depth=60, reliability=FRAME.reliability)
OUTPUTS: dict[str, tuple[type, Any]] = {
    "frame": (PerceptionFrame, _EVERY_FRAME),
    "semantic": (Image, SENSOR_DATA),
    "semantic_color": (Image, SENSOR_DATA),
    "embeddings": (EmbeddingGrid, SENSOR_DATA),
    "labels": (LabelList, LATCHED),
}


class Camera(Node):
    """Publishes color (left half red, right half blue), depth and camera info; keeps what it hears."""

    def __init__(
        self, context: rclpy.Context, outputs: tuple[str, ...] = tuple(OUTPUTS), namespace: str = ""
    ) -> None:
        super().__init__("camera", context=context, namespace=namespace)
        self._perception = f"{namespace}/perception".lstrip("/")
        self._color = self.create_publisher(Image, "color/image", REPLAY_OUTPUT)
        self._depth = self.create_publisher(Image, "depth/image", REPLAY_OUTPUT)
        self._info = self.create_publisher(CameraInfo, "color/camera_info", REPLAY_OUTPUT)
        self.received: dict[str, list[Any]] = {name: [] for name in OUTPUTS}
        for name in outputs:
            message_type, qos = OUTPUTS[name]
            self.create_subscription(message_type, f"perception/{name}", self.received[name].append, qos)
        self.status: DiagnosticStatus | None = None
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, DIAGNOSTICS)
        self.stamp_ns = time.time_ns() // 1000 * 1000

    def is_heard(self) -> bool:
        """Whether all inputs of the perception node are connected."""
        return all(p.get_subscription_count() > 0 for p in (self._color, self._depth, self._info))

    def wait_until_heard(self) -> None:
        """Wait for the inputs of the perception node."""
        wait_for(self.is_heard, 60, "perception subscribes to the camera")
        time.sleep(SETTLE_S)

    def send(
        self,
        *,
        color: Image | None = None,
        depth: Image | None = None,
        info: CameraInfo | None = None,
        without: tuple[str, ...] = (),
        stamp_ns: int | None = None,
    ) -> int:
        """Send one instant 33 ms after the last (or at ``stamp_ns``); returns its stamp."""
        if stamp_ns is None:
            self.stamp_ns += 33_000_000
            stamp_ns = self.stamp_ns
        messages = {
            "info": (self._info, info or good_info()),
            "depth": (self._depth, depth or good_depth()),
            "color": (self._color, color or good_color()),
        }
        for name, (publisher, message) in messages.items():
            if name not in without:
                message.header.stamp = to_stamp(stamp_ns)
                publisher.publish(message)
        return stamp_ns

    def counts(self) -> LedgerCounts:
        """The newest ledger that perception has published."""
        return counts_of(self.status) if self.status is not None else LedgerCounts(0, 0, {})

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == self._perception:
                self.status = status


def good_color() -> Image:
    color = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    color[:, : WIDTH // 2, 0] = 200
    color[:, WIDTH // 2 :, 2] = 200
    return numpy_to_image(color, "rgb8", frame_id="camera_optical")


def good_depth() -> Image:
    return numpy_to_image(np.full((HEIGHT, WIDTH), 1500, np.uint16), "16UC1", frame_id="camera_optical")


def good_info() -> CameraInfo:
    return camera_info_message(CameraIntrinsics(60.0, 60.0, 31.5, 23.5, WIDTH, HEIGHT), "camera_optical")
