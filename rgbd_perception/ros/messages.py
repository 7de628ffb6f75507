"""Values to messages of this package and back: PerceptionFrame, EmbeddingGrid, LabelList."""

from __future__ import annotations

import math
from array import array
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from std_msgs.msg import ColorRGBA, Header

from rgbd_perception.encodings import metres_to_millimetres, millimetres_to_metres
from rgbd_perception.errors import FrameDropped
from rgbd_perception.frame import CameraIntrinsics, Prediction, RgbdFrame
from rgbd_perception.msg import EmbeddingGrid, LabelList, PerceptionFrame
from rgbd_perception.vocabulary import Vocabulary

_NS = 1_000_000_000


def to_nanoseconds(stamp: Time) -> int:
    """A ROS stamp as nanoseconds."""
    return int(stamp.sec) * _NS + int(stamp.nanosec)


def to_stamp(nanoseconds: int) -> Time:
    """Nanoseconds as a ROS stamp."""
    return Time(sec=nanoseconds // _NS, nanosec=nanoseconds % _NS)


def make_header(stamp_ns: int, frame_id: str) -> Header:
    """A header of time (nanoseconds) and coordinate frame."""
    return Header(stamp=to_stamp(stamp_ns), frame_id=frame_id)


def to_bytes(values: NDArray[Any]) -> array[int]:
    """The memory of an array for a ``uint8[]`` field.

    Only ``array('B')`` is taken over by rclpy as it is; anything else is checked element by element
    (300 ms instead of 1.4 ms for 7 MB).
    """
    data = array("B")
    data.frombytes(np.ascontiguousarray(values).data.cast("B") if values.size else b"")
    return data


def from_bytes(data: Any, dtype: str, shape: tuple[int, ...], what: str) -> NDArray[Any]:
    """A ``uint8[]`` field as an array that shares its memory.

    Raises FrameDropped ``message_invalid`` where the field has another length than ``shape`` needs.
    """
    needed = math.prod(shape) * np.dtype(dtype).itemsize  # not by numpy: sizes of a broken message overflow
    if len(data) != needed:
        raise FrameDropped("message_invalid", f"{what}: expected {needed} bytes for {shape}, got {len(data)}")
    return np.frombuffer(data, dtype=dtype).reshape(shape)


def pack_embeddings(header: Header, prediction: Prediction) -> EmbeddingGrid:
    """The embedding grid of ``prediction`` as float16; an empty message where there is none."""
    message = EmbeddingGrid(
        header=header,
        stride=prediction.stride,
        model_id=prediction.model_id,
        text_space=prediction.text_space,
    )
    message.encoding = "float16"
    message.scale = 1.0
    if prediction.embedding is not None:
        message.height, message.width, message.dim = prediction.embedding.shape
        message.data = to_bytes(prediction.embedding.astype("<f2", copy=False))
    return message


def unpack_embeddings(message: EmbeddingGrid) -> NDArray[np.floating] | None:
    """(h, w, D) float16, or float32 from the int8 encoding (``value = scale * integer``); None where empty.

    Raises FrameDropped ``message_invalid`` for another encoding or a wrong length.
    """
    shape = (message.height, message.width, message.dim)
    if not len(message.data) and 0 in shape:
        return None
    if message.encoding == "float16":
        return from_bytes(message.data, "<f2", shape, "embeddings")
    if message.encoding == "int8":
        return from_bytes(message.data, "i1", shape, "embeddings") * np.float32(message.scale)
    raise FrameDropped("message_invalid", f"expected embeddings as float16 or int8, got '{message.encoding}'")


def pack_frame(frame: RgbdFrame, prediction: Prediction, *, with_color: bool = True) -> PerceptionFrame:
    """Everything mapping needs of one instant. Depth is rounded to millimetres, confidence to 1/255.

    with_color  False leaves the color out: less to transport, and a map without colors

    The pose is not in it: mapping has its own source of poses.
    """
    header = make_header(frame.stamp_ns, frame.frame_id)
    camera = frame.intrinsics
    message = PerceptionFrame(header=header, height=camera.height, width=camera.width)
    message.intrinsics = [camera.fx, camera.fy, camera.cx, camera.cy]
    if with_color:
        message.color = to_bytes(frame.color)
    message.depth = to_bytes(metres_to_millimetres(frame.depth).astype("<u2", copy=False))
    message.stride = prediction.stride
    message.grid_height, message.grid_width = prediction.cell_labels.shape
    message.labels = to_bytes(prediction.cell_labels.astype("<u2", copy=False))
    message.confidence = to_bytes(np.rint(prediction.cell_confidence * 255).clip(0, 255).astype(np.uint8))
    message.embeddings = pack_embeddings(header, prediction)
    message.model_id = prediction.model_id
    message.vocabulary_id = prediction.vocabulary_id
    return message


def unpack_frame(message: PerceptionFrame) -> tuple[RgbdFrame, Prediction]:
    """The frame (without pose; black where the sender left the color out) and the grid of its prediction.

    Color and embeddings share the memory of the message. Raises FrameDropped: ``message_invalid`` where a
    field has the wrong length, and whatever the values themselves refuse (``camera_info_invalid`` ...).
    """
    size = (message.height, message.width)
    grid = (message.grid_height, message.grid_width)
    fx, fy, cx, cy = message.intrinsics
    depth_mm = from_bytes(message.depth, "<u2", size, "depth")
    frame = RgbdFrame(
        color=_unpack_color(message, size),
        depth=millimetres_to_metres(depth_mm),
        intrinsics=CameraIntrinsics(fx, fy, cx, cy, message.width, message.height),
        stamp_ns=to_nanoseconds(message.header.stamp),
        frame_id=message.header.frame_id,
    )
    return frame, _unpack_prediction(message, grid)


def _unpack_color(message: PerceptionFrame, size: tuple[int, int]) -> NDArray[np.uint8]:
    if len(message.color) == 0:
        return np.broadcast_to(np.uint8(0), (*size, 3))
    return from_bytes(message.color, "u1", (*size, 3), "color")


def _unpack_prediction(message: PerceptionFrame, grid: tuple[int, int]) -> Prediction:
    embedding = unpack_embeddings(message.embeddings)
    covered = (-(-message.height // max(message.stride, 1)), -(-message.width // max(message.stride, 1)))
    if message.stride < 1 or grid != covered or (embedding is not None and embedding.shape[:2] != grid):
        raise FrameDropped(
            "message_invalid",
            f"{grid} cells of stride {message.stride} do not cover {message.height}x{message.width} pixels",
        )
    confidence = from_bytes(message.confidence, "u1", grid, "confidence")
    return Prediction(
        cell_labels=from_bytes(message.labels, "<u2", grid, "labels"),
        cell_confidence=confidence * np.float32(1 / 255),
        stride=message.stride,
        embedding=embedding,
        model_id=message.model_id,
        text_space=message.embeddings.text_space,
        vocabulary_id=message.vocabulary_id,
    )


def pack_vocabulary(vocabulary: Vocabulary, stamp_ns: int = 0) -> LabelList:
    """Ids, names and colours of a vocabulary."""
    colors = [
        ColorRGBA(r=red / 255, g=green / 255, b=blue / 255, a=1.0)
        for red, green, blue in vocabulary.colors.tolist()
    ]
    return LabelList(
        header=make_header(stamp_ns, ""),
        vocabulary_id=vocabulary.id,
        text_space=vocabulary.text_space,
        ids=list(range(len(vocabulary))),
        names=list(vocabulary.names),
        colors=colors,
    )


def unpack_vocabulary(message: LabelList) -> Vocabulary:
    """The vocabulary of a LabelList.

    Raises FrameDropped ``message_invalid`` where ids are not 0, 1, 2 ... or the sender's vocabulary id is not
    that of the names: labels would then mean something else than they say. UserError: no names.
    """
    vocabulary = Vocabulary(list(message.names), message.text_space)
    if list(message.ids) != list(range(len(message.names))):
        raise FrameDropped("message_invalid", "expected label ids 0, 1, 2 ... in the order of the names")
    if message.vocabulary_id != vocabulary.id:
        raise FrameDropped(
            "message_invalid",
            f"vocabulary id {message.vocabulary_id} is not that of its names ({vocabulary.id}): "
            "both sides must run the same version of rgbd_perception",
        )
    return vocabulary
