"""The service ``~/query_point``: from the request to a place, and from what is there to the response."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import ColorRGBA

from rgbd_perception.errors import UserError
from rgbd_perception.mapping import PointAnswer
from rgbd_perception.ros.messages import to_stamp
from rgbd_perception.srv import QueryPoint


@dataclass(frozen=True)
class PointQuestion:
    """A checked request: a position in the map frame, a radius in metres (None: the default), texts."""

    position: tuple[float, float, float]
    radius: float | None
    texts: tuple[str, ...]


def parse_point(
    request: QueryPoint.Request, map_frame: str, frame_in_map: Callable[[str], NDArray[np.float64]]
) -> PointQuestion:
    """Check a request and bring its position into the map frame.

    frame_in_map  the (4, 4) pose of another frame in the map frame; raises UserError where it is not known

    Raises UserError that says what to put right.
    """
    if any(not text.strip() for text in request.texts):
        raise UserError("expected texts of at least one letter, got an empty one")
    map_from_frame = np.eye(4) if request.frame_id in ("", map_frame) else frame_in_map(request.frame_id)
    point = (request.position.x, request.position.y, request.position.z)
    x, y, z = (map_from_frame[:3, :3] @ point + map_from_frame[:3, 3]).tolist()
    return PointQuestion((x, y, z), float(request.radius) or None, tuple(request.texts))


def fill_point(response: QueryPoint.Response, answer: PointAnswer) -> QueryPoint.Response:
    """Put what is there into ``response``."""
    response.success = True
    response.message = answer.message
    response.voxels = answer.voxels
    response.nearest_distance = answer.nearest_distance
    response.labels = [name for name, _ in answer.classes]
    response.probabilities = [probability for _, probability in answer.classes]
    response.scores = [score for _, score in answer.texts]
    if answer.color is not None:
        red, green, blue = (channel / 255 for channel in answer.color)
        response.color = ColorRGBA(r=red, g=green, b=blue, a=1.0)
    response.last_seen = to_stamp(answer.last_seen_ns)
    return response
