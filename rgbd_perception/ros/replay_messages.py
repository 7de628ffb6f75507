"""One recorded frame as the messages of a camera and its pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from geometry_msgs.msg import Point, Pose, PoseStamped, Quaternion
from nav_msgs.msg import Odometry
from sensor_msgs.msg import CameraInfo, Image

from rgbd_perception.encodings import metres_to_millimetres
from rgbd_perception.frame import CameraIntrinsics, RgbdFrame
from rgbd_perception.geometry import matrix_to_quaternion
from rgbd_perception.ros.images import numpy_to_image
from rgbd_perception.ros.messages import to_stamp


@dataclass(frozen=True)
class ReplayFrame:
    """The messages of one instant, stamped when they are sent; ``pose`` is None where it is not known."""

    stamp_ns: int
    info: CameraInfo
    color: Image
    depth: Image
    pose: PoseStamped | None
    odometry: Odometry | None

    def set_stamp(self, stamp_ns: int) -> None:
        """Give all messages the same stamp."""
        stamp = to_stamp(stamp_ns)
        for message in (self.info, self.color, self.depth, self.pose, self.odometry):
            if message is not None:
                message.header.stamp = stamp


def make_replay_frame(frame: RgbdFrame, camera_frame: str, map_frame: str) -> ReplayFrame:
    """Messages of ``frame``: rgb8, 16UC1 millimetres, camera info, the optical frame's pose in the map frame.

    Odometry has the optical frame itself as ``child_frame_id``, so ``camera_in_child`` is the identity.
    """
    pose = odometry = None
    if frame.pose is not None:
        pose = PoseStamped(pose=_pose_message(frame.pose))
        pose.header.frame_id = map_frame
        odometry = Odometry(child_frame_id=camera_frame)
        odometry.header.frame_id = map_frame
        odometry.pose.pose = pose.pose
    return ReplayFrame(
        stamp_ns=frame.stamp_ns,
        info=camera_info_message(frame.intrinsics, camera_frame),
        color=numpy_to_image(np.ascontiguousarray(frame.color), "rgb8", frame_id=camera_frame),
        depth=numpy_to_image(metres_to_millimetres(frame.depth), "16UC1", frame_id=camera_frame),
        pose=pose,
        odometry=odometry,
    )


def camera_info_message(camera: CameraIntrinsics, frame_id: str = "") -> CameraInfo:
    """The camera info of a pinhole camera without distortion."""
    info = CameraInfo(width=camera.width, height=camera.height, distortion_model="plumb_bob", d=[0.0] * 5)
    info.header.frame_id = frame_id
    info.k = camera.matrix.ravel().tolist()
    info.r = np.eye(3).ravel().tolist()
    info.p = np.hstack([camera.matrix, np.zeros((3, 1))]).ravel().tolist()
    return info


def _pose_message(pose: np.ndarray) -> Pose:
    x, y, z = pose[:3, 3].tolist()
    qx, qy, qz, qw = matrix_to_quaternion(pose[:3, :3]).tolist()
    return Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw))
