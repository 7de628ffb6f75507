"""Where the camera was while a bag was recorded: by /tf, an odometry topic or a pose topic."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.geometry import pose_from_numbers
from rgbd_perception.sources.bag_reader import Topic
from rgbd_perception.sources.bag_topics import describe_topics, find_topic
from rgbd_perception.sources.options import SourceOptions
from rgbd_perception.sources.tf_tree import TfTree, plain_frame
from rgbd_perception.sources.trajectory import Trajectory

TF = "tf2_msgs/msg/TFMessage"
ODOMETRY = "nav_msgs/msg/Odometry"
POSE = "geometry_msgs/msg/PoseStamped"

_NOT_A_CAMERA = re.compile(r"goal|target|setpoint|waypoint|command|cmd", re.I)

PoseAt = Callable[[int], NDArray[np.float64]]
"""From a stamp in nanoseconds to the (4, 4) pose of the optical frame; raises FrameDropped."""


class PoseRecorder:
    """Collects the pose messages of a bag while it is read once, then answers by stamp."""

    def __init__(self, topics: Sequence[Topic], options: SourceOptions) -> None:
        self._topics = topics
        self._options = options
        self._tree = TfTree(options.max_pose_gap)
        self._tf_topics = [topic for topic in topics if topic.type == TF]
        self._pose_topics = self._candidates()
        self._messages: dict[str, list[Any]] = {topic.name: [] for topic in self._pose_topics}
        self.topics = [topic.name for topic in (*self._tf_topics, *self._pose_topics)]

    def _candidates(self) -> list[Topic]:
        """The odometry topics, then the pose topics, or the one of the options."""
        if self._options.pose_topic:
            chosen = find_topic(self._topics, self._options.pose_topic, (TF, ODOMETRY, POSE), "the pose")
            return [] if chosen.type == TF else [chosen]
        fitting = [topic for topic in self._topics if topic.type in (ODOMETRY, POSE) and topic.count]
        fitting = [topic for topic in fitting if not _NOT_A_CAMERA.search(topic.name)]
        return sorted(fitting, key=lambda topic: (topic.type != ODOMETRY, topic.name))

    def add(self, topic: str, message: Any) -> None:
        """Keep one message of any of ``topics``."""
        if topic in self._messages:
            self._messages[topic].append(message)
            return
        for transform in message.transforms:
            self._tree.add(
                transform.header.frame_id,
                transform.child_frame_id,
                _nanoseconds(transform.header),
                _numbers(transform.transform.translation, transform.transform.rotation),
                static=topic.endswith("tf_static"),
            )

    def resolve(self, optical_frame: str) -> PoseAt:
        """The pose of ``optical_frame`` by the first of /tf, odometry and pose topics that knows it.

        Raises UserError saying why none does, and where two topics of one type do.
        """
        reasons: list[str] = []
        given = bool(self._options.pose_topic and self._pose_topics)
        by_tf = None if given else self._by_tf(optical_frame, reasons)
        if by_tf is not None:
            return by_tf
        for kind, resolver in ((ODOMETRY, self._by_odometry), (POSE, self._by_pose)):
            found = {}
            for topic in (topic for topic in self._pose_topics if topic.type == kind):
                pose_at = resolver(topic.name, optical_frame, reasons)
                if pose_at is not None:
                    found[topic.name] = pose_at
            if len(found) > 1:
                raise UserError(f"several pose topics fit ({', '.join(found)}): choose by --pose-topic")
            if found:
                return next(iter(found.values()))
        raise UserError(
            f"found no pose of {optical_frame}: {'; '.join(reasons) or 'no topic has poses'}; "
            f"give --pose-topic; {describe_topics(self._topics)}"
        )

    def _by_tf(self, optical_frame: str, reasons: list[str]) -> PoseAt | None:
        above = self._tree.ancestors(optical_frame)
        wanted = plain_frame(self._options.map_frame)
        if not above:
            reasons.append(f"/tf does not know the frame {optical_frame}")
            return None
        if wanted and wanted not in above:
            reasons.append(f"/tf leads from {optical_frame} to {', '.join(above)}, not to {wanted}")
            return None
        map_frame = wanted or ("map" if "map" in above else above[-1])
        if not self._tree.moves(optical_frame, map_frame):
            reasons.append(f"/tf only has the fixed mounting of {optical_frame} in {map_frame}")
            return None
        return lambda stamp_ns: self._tree.pose(optical_frame, map_frame, stamp_ns)

    def _by_odometry(self, topic: str, optical_frame: str, reasons: list[str]) -> PoseAt | None:
        messages = self._messages[topic]
        if not messages:
            return None
        child = plain_frame(messages[0].child_frame_id)
        trajectory = self._trajectory(messages, [message.pose.pose for message in messages])
        given = self._options.camera_in_child
        if given is not None:
            mounting = pose_from_numbers(given)
            return lambda stamp_ns: trajectory.at(stamp_ns) @ mounting
        if child not in (plain_frame(optical_frame), *self._tree.ancestors(optical_frame)):
            reasons.append(
                f"{topic} has the pose of '{child}', and /tf_static does not say where {optical_frame} is "
                "in it: give --camera-in-child"
            )
            return None
        return lambda stamp_ns: trajectory.at(stamp_ns) @ self._tree.pose(optical_frame, child, stamp_ns)

    def _by_pose(self, topic: str, optical_frame: str, reasons: list[str]) -> PoseAt | None:
        """A pose topic has no child frame: it is taken to be the optical frame's."""
        del optical_frame
        messages = self._messages[topic]
        if not messages:
            reasons.append(f"{topic} has no readable message")
            return None
        return self._trajectory(messages, [message.pose for message in messages]).at

    def _trajectory(self, messages: Sequence[Any], poses: Sequence[Any]) -> Trajectory:
        stamps = [_nanoseconds(message.header) for message in messages]
        numbers = [_numbers(pose.position, pose.orientation) for pose in poses]
        return Trajectory(stamps, numbers, self._options.max_pose_gap)


def _numbers(moved: Any, turned: Any) -> tuple[float, ...]:
    return moved.x, moved.y, moved.z, turned.x, turned.y, turned.z, turned.w


def _nanoseconds(header: Any) -> int:
    return int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)
