"""Where the pose of the camera comes from: tf, a pose topic, or odometry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from geometry_msgs.msg import Pose, PoseStamped
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.time import Time
from std_msgs.msg import Header

from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.geometry import make_pose, pose_from_numbers
from rgbd_perception.ros.messages import to_nanoseconds
from rgbd_perception.ros.pose_buffer import PoseBuffer
from rgbd_perception.ros.waiting_room import NotYet

POSE_SOURCES = ("tf", "pose", "odometry")


class PoseSource(Protocol):
    """Answers where the camera was."""

    def lookup(self, frame_id: str, stamp_ns: int) -> NDArray[np.float64]:
        """The (4, 4) pose of the camera's optical frame ``frame_id`` in the map frame at ``stamp_ns``.

        Raises NotYet where it may still come, otherwise FrameDropped.
        """

    def frame_in_map(self, frame_id: str) -> NDArray[np.float64]:
        """The newest (4, 4) pose of any frame in the map frame. Raises UserError where it is not known."""


def make_pose_source(
    node: Node,
    kind: str,
    *,
    map_frame: str,
    camera_in_child: tuple[float, ...],
    qos: QoSProfile,
    on_arrival: Callable[[], None],
) -> PoseSource:
    """Subscribe to the poses of ``kind``, one of POSE_SOURCES, on ``node``.

    map_frame        the frame that poses must be in (poses without a frame name are believed)
    camera_in_child  x y z qx qy qz qw of the optical frame in the odometry's ``child_frame_id``
    on_arrival       called after each new pose, in the executor's thread

    Raises UserError where ``kind`` or ``camera_in_child`` is wrong, or tf2_ros is wanted and not installed.
    """
    if kind == "tf":
        return TfPoses(node, map_frame)
    if kind == "pose":
        return PoseTopic(node, map_frame, qos, on_arrival)
    if kind == "odometry":
        return OdometryTopic(node, map_frame, camera_in_child, qos, on_arrival)
    raise UserError(f"expected pose_source to be one of {', '.join(POSE_SOURCES)}, got {kind!r}")


class _BufferedPoses:
    """What the two topics share: a buffer by stamp, and poses in the wrong frame refused."""

    def __init__(self, map_frame: str, on_arrival: Callable[[], None]) -> None:
        self._map_frame = map_frame
        self._on_arrival = on_arrival
        self._buffer = PoseBuffer()
        self._problem: FrameDropped | None = None

    def lookup(self, frame_id: str, stamp_ns: int) -> NDArray[np.float64]:
        try:
            return self._buffer.lookup(stamp_ns)
        except NotYet:
            if self._problem is not None:
                raise self._problem from None
            raise

    def frame_in_map(self, frame_id: str) -> NDArray[np.float64]:
        raise UserError(
            f"expected a region or point in frame '{self._map_frame}', got '{frame_id}': transform it first, "
            "or run the node with pose_source:=tf"
        )

    def _store(self, header: Header, pose: Callable[[], NDArray[np.float64]]) -> None:
        """Keep a pose; a bad one is remembered as the reason why frames find none."""
        try:
            if header.frame_id not in ("", self._map_frame):
                raise FrameDropped(
                    "pose_frame_mismatch",
                    f"poses are in frame '{header.frame_id}', the map is in '{self._map_frame}': "
                    f"set map_frame:={header.frame_id}",
                )
            self._buffer.add(to_nanoseconds(header.stamp), pose())
        except FrameDropped as problem:
            self._problem = problem
        else:
            self._problem = None
        self._on_arrival()


class PoseTopic(_BufferedPoses):
    """``pose`` (geometry_msgs/PoseStamped): the camera's optical frame in ``header.frame_id``."""

    def __init__(self, node: Node, map_frame: str, qos: QoSProfile, on_arrival: Callable[[], None]) -> None:
        super().__init__(map_frame, on_arrival)
        self._subscription = node.create_subscription(PoseStamped, "pose", self._on_pose, qos)

    def _on_pose(self, message: PoseStamped) -> None:
        self._store(message.header, lambda: matrix_of(message.pose))


class OdometryTopic(_BufferedPoses):
    """``odometry`` (nav_msgs/Odometry): ``child_frame_id`` in ``header.frame_id``, the camera fixed in it."""

    def __init__(
        self,
        node: Node,
        map_frame: str,
        camera_in_child: tuple[float, ...],
        qos: QoSProfile,
        on_arrival: Callable[[], None],
    ) -> None:
        super().__init__(map_frame, on_arrival)
        try:
            self._camera_in_child = pose_from_numbers(camera_in_child)
        except FrameDropped as error:
            raise UserError(
                f"expected camera_in_child as x y z qx qy qz qw, got {list(camera_in_child)}: {error.detail}"
            ) from error
        self._subscription = node.create_subscription(Odometry, "odometry", self._on_odometry, qos)

    def _on_odometry(self, message: Odometry) -> None:
        self._store(message.header, lambda: matrix_of(message.pose.pose) @ self._camera_in_child)


class TfPoses:
    """tf2 at the stamp of the image. tf2_ros comes with a ROS 2 installation and is not on PyPI."""

    def __init__(self, node: Node, map_frame: str) -> None:
        try:
            import tf2_ros
        except ImportError as error:
            raise UserError(
                f"pose_source:=tf needs tf2_ros, which is not installed ({error}): install "
                "ros-$ROS_DISTRO-tf2-ros and source the ROS setup file, or use pose_source:=pose or odometry"
            ) from error
        self._tf2 = tf2_ros
        self._map_frame = map_frame
        self._buffer = tf2_ros.Buffer()
        self._listener = tf2_ros.TransformListener(self._buffer, node)

    def lookup(self, frame_id: str, stamp_ns: int) -> NDArray[np.float64]:
        if not frame_id:
            raise FrameDropped(
                "pose_missing", "the image has no frame_id, so tf cannot be asked for its pose"
            )
        if stamp_ns <= 0:  # tf would answer with the newest pose
            raise FrameDropped("stamp_zero", "the image has no stamp, so tf cannot be asked for its pose")
        try:
            return self._ask(frame_id, Time(nanoseconds=stamp_ns))
        except self._tf2.ExtrapolationException as error:
            raise NotYet("pose_extrapolation", str(error)) from error
        except (self._tf2.LookupException, self._tf2.ConnectivityException) as error:
            raise NotYet("pose_missing", str(error)) from error
        except self._tf2.TransformException as error:
            raise FrameDropped("pose_missing", str(error)) from error

    def frame_in_map(self, frame_id: str) -> NDArray[np.float64]:
        try:
            return self._ask(frame_id, Time())
        except self._tf2.TransformException as error:
            raise UserError(f"frame '{frame_id}' of the region is not known to tf: {error}") from error

    def _ask(self, frame_id: str, when: Time) -> NDArray[np.float64]:
        transform = self._buffer.lookup_transform(self._map_frame, frame_id, when).transform
        t, q = transform.translation, transform.rotation
        return make_pose((t.x, t.y, t.z), (q.x, q.y, q.z, q.w))


def matrix_of(pose: Pose) -> NDArray[np.float64]:
    """The (4, 4) matrix of a pose message. Raises FrameDropped ``pose_invalid``."""
    p, q = pose.position, pose.orientation
    return make_pose((p.x, p.y, p.z), (q.x, q.y, q.z, q.w))
