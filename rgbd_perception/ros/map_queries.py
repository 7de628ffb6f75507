"""The service ``~/query_text``: from the request to a question, and from the answers to the response."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.geometry import invert_rigid, make_pose, matrix_to_quaternion
from rgbd_perception.mapping import QueryResult, Region
from rgbd_perception.ros.map_messages import pack_answer
from rgbd_perception.srv import QueryText

DEFAULT_TOP_K = 5
"""Most answers to a text where the request leaves it open."""


@dataclass(frozen=True)
class Question:
    """A checked request. ``map_from_frame`` (4, 4) leads from the frame of the request to the map frame."""

    texts: tuple[str, ...]
    negatives: tuple[str, ...]
    top_k: int
    threshold: float | None
    region: Region | None
    map_from_frame: NDArray[np.float64]


def parse_request(
    request: QueryText.Request, map_frame: str, frame_in_map: Callable[[str], NDArray[np.float64]]
) -> Question:
    """Check a request and bring its region into the map frame.

    frame_in_map  the (4, 4) pose of another frame in the map frame; raises UserError where it is not known

    Raises UserError that says what to put right.
    """
    map_from_frame = np.eye(4) if request.frame_id in ("", map_frame) else frame_in_map(request.frame_id)
    if not np.isfinite(request.threshold):
        raise UserError(f"expected a finite threshold, got {request.threshold}")
    return Question(
        texts=tuple(request.texts),
        negatives=tuple(request.negatives),
        top_k=int(request.top_k) or DEFAULT_TOP_K,
        threshold=float(request.threshold) or None,
        region=_parse_region(request, map_from_frame) if request.use_region else None,
        map_from_frame=map_from_frame,
    )


def fill_response(
    response: QueryText.Response, question: Question, results: Sequence[QueryResult]
) -> QueryText.Response:
    """Put the answers, in the frame of the request, and reasons of texts without one into ``response``.

    Its message also has what there is to say about how texts were understood.
    """
    response.success = True
    response.reasons = [result.message for result in results]
    frame_from_map = invert_rigid(question.map_from_frame)
    for result in results:
        for answer in result.answers:
            item = pack_answer(answer, result.text)
            item.pose = _transform(frame_from_map, item.pose)
            response.objects.append(item)
    found = sum(bool(result.answers) for result in results)
    notes = [f"{result.text!r}: {result.note}" for result in results if result.note]
    response.message = "; ".join([f"{found} of {len(results)} texts found", *notes])
    return response


def _parse_region(request: QueryText.Request, map_from_frame: NDArray[np.float64]) -> Region:
    size = (request.region_size.x, request.region_size.y, request.region_size.z)
    if not all(np.isfinite(size)) or min(size) <= 0:
        raise UserError(f"expected a region_size of three positive numbers in metres, got {size}")
    try:
        pose = _matrix(request.region_pose)
    except FrameDropped as error:
        raise UserError(
            f"expected region_pose with a position and a unit quaternion: {error.detail}"
        ) from error
    return Region(pose=map_from_frame @ pose, size=np.array(size))


def _matrix(pose: Pose) -> NDArray[np.float64]:
    p, q = pose.position, pose.orientation
    return make_pose((p.x, p.y, p.z), (q.x, q.y, q.z, q.w))


def _transform(matrix: NDArray[np.float64], pose: Pose) -> Pose:
    moved = matrix @ _matrix(pose)
    x, y, z = moved[:3, 3].tolist()
    qx, qy, qz, qw = matrix_to_quaternion(moved[:3, :3]).tolist()
    return Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw))
