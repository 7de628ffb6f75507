"""Which topics of a recording are color, depth and camera info: by type and name, or as the user says."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rgbd_perception.errors import UserError
from rgbd_perception.sources.bag_reader import Topic
from rgbd_perception.sources.options import SourceOptions

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"

_TRANSPORTS = ("compressed", "compressedDepth")
_NOT_COLOR = re.compile(
    r"depth|infra|(^|[/_])ir([/_]|$)|disparity|semantic|label|mask|confidence|thermal|segment|debug", re.I
)
_NOT_DEPTH = re.compile(r"infra|confidence|semantic|color_map|debug", re.I)


@dataclass(frozen=True)
class CameraTopics:
    """The three topics of a camera; ``info`` is None where the intrinsics are given by the user."""

    color: Topic
    depth: Topic
    info: Topic | None


def choose_camera_topics(topics: Sequence[Topic], options: SourceOptions) -> CameraTopics:
    """Pick the topics. Raises UserError, listing the topics, where one is missing or several fit equally."""
    color = _choose(topics, "color", options.color_topic, (IMAGE, COMPRESSED_IMAGE), _color_score)
    depth = _choose(topics, "depth", options.depth_topic, (IMAGE, COMPRESSED_IMAGE), _depth_score)
    if options.intrinsics is not None:
        return CameraTopics(color, depth, None)
    info = _choose(
        topics,
        "camera-info",
        options.camera_info_topic,
        (CAMERA_INFO,),
        lambda topic: _info_score(topic, color),
        "; or give --intrinsics",
    )
    return CameraTopics(color, depth, info)


def describe_topics(topics: Sequence[Topic]) -> str:
    """All topics in one line, for an error message."""
    listed = ", ".join(f"{topic.name} ({topic.type}, {topic.count})" for topic in topics)
    return f"the topics of the bag are: {listed or 'none'}"


def base_name(topic: Topic) -> str:
    """The name of an image topic without the suffix of its transport."""
    parent, _, last = topic.name.rpartition("/")
    return parent if last in _TRANSPORTS else topic.name


def is_rectified(topic: Topic) -> bool:
    """Whether an image topic is named as image_proc names rectified images (image_rect, image_rect_color)."""
    return "rect" in re.split(r"[/_]", base_name(topic))


def find_topic(topics: Sequence[Topic], name: str, types: Sequence[str], what: str) -> Topic:
    """The topic that the user named. Raises UserError where it is missing, empty or of another type."""
    found = [topic for topic in topics if topic.name.lstrip("/") == name.lstrip("/")]
    fitting = [topic for topic in found if topic.type in types and topic.count > 0]
    if not fitting:
        problem = f"it is {found[0].type} with {found[0].count} messages" if found else "it is not there"
        raise UserError(
            f"expected {what} as {' or '.join(types)} on {name}, {problem}; {describe_topics(topics)}"
        )
    return fitting[0]


def _choose(
    topics: Sequence[Topic],
    what: str,
    given: str,
    types: Sequence[str],
    score: Callable[[Topic], float],
    otherwise: str = "",
) -> Topic:
    if given:
        return find_topic(topics, given, types, what)
    candidates = [topic for topic in topics if topic.type in types and topic.count > 0]
    scored = [(score(topic), topic) for topic in candidates]
    best = max((value for value, _ in scored), default=0.0)
    if best <= 0:
        raise UserError(f"found no {what} topic: give --{what}-topic{otherwise}; {describe_topics(topics)}")
    winners = [topic for value, topic in scored if value == best]
    if len(winners) > 1:
        names = ", ".join(topic.name for topic in winners)
        raise UserError(f"several {what} topics fit ({names}): choose by --{what}-topic")
    return winners[0]


def _color_score(topic: Topic) -> float:
    """0: cannot be color. Named so before others, rectified before raw, then plain before compressed."""
    if _NOT_COLOR.search(topic.name):
        return 0.0
    named = 4.0 if re.search(r"color|rgb", topic.name, re.I) else 0.0
    return 1.0 + named + (1.0 if is_rectified(topic) else 0.0) + _plain(topic)


def _depth_score(topic: Topic) -> float:
    """0: cannot be depth. Registered to color before others, which would only be dropped."""
    if not re.search(r"depth", topic.name, re.I) or _NOT_DEPTH.search(topic.name):
        return 0.0
    if topic.type == COMPRESSED_IMAGE and not topic.name.endswith(_TRANSPORTS):
        return 0.0
    registered = 4.0 if re.search(r"align|regist|to_color|to_rgb", topic.name, re.I) else 0.0
    return 1.0 + registered + (1.0 if is_rectified(topic) else 0.0) + _plain(topic)


def _info_score(topic: Topic, color: Topic) -> float:
    """The one beside the color topic before one that is named color, before any other."""
    if topic.name.rpartition("/")[0] == base_name(color).rpartition("/")[0]:
        return 4.0
    if _NOT_COLOR.search(topic.name):
        return 1.0
    return 3.0 if re.search(r"color|rgb", topic.name, re.I) else 2.0


def _plain(topic: Topic) -> float:
    return 0.5 if topic.type == IMAGE else 0.0
