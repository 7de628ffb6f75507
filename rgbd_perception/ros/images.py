"""``sensor_msgs/Image`` to numpy and back, without cv_bridge (fails with NumPy 2, is not on PyPI)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from rgbd_perception.encodings import COLOR_ENCODINGS, decode_color, decode_depth, image_to_array
from rgbd_perception.errors import FrameDropped
from rgbd_perception.ros.messages import make_header, to_bytes
from rgbd_perception.vocabulary import UNKNOWN_LABEL, Vocabulary

_WRITABLE = {
    "rgb8": (np.uint8, 3),
    "bgr8": (np.uint8, 3),
    "mono8": (np.uint8, 1),
    "mono16": (np.uint16, 1),
    "16UC1": (np.uint16, 1),
    "32FC1": (np.float32, 1),
}


def image_to_numpy(message: Image) -> NDArray[Any]:
    """The pixels of ``message`` in its own type, (H, W) or (H, W, C), sharing its memory where possible.

    Raises FrameDropped: ``encoding_unsupported``, ``image_empty``, ``image_truncated``.
    """
    return image_to_array(*_fields(message))


def color_from_message(message: Image) -> NDArray[np.uint8]:
    """Color as (H, W, 3) uint8 rgb.

    Encodings that this package does not know (Bayer, YUV ...) go to cv_bridge where that is installed.
    Raises FrameDropped: ``encoding_unsupported`` (naming the encoding), ``image_empty``, ``image_truncated``.
    """
    try:
        return decode_color(*_fields(message))
    except FrameDropped as error:
        if error.reason != "encoding_unsupported":
            raise
    return _color_by_cv_bridge(message)


def depth_from_message(message: Image) -> NDArray[np.float32]:
    """Depth as (H, W) float32 metres, 0 where there is none. The encoding alone says the unit (REP 118).

    No cv_bridge here: of another encoding nobody knows the unit. Raises FrameDropped like
    :func:`color_from_message`.
    """
    return decode_depth(*_fields(message))


def numpy_to_image(pixels: NDArray[Any], encoding: str, stamp_ns: int = 0, frame_id: str = "") -> Image:
    """An image message of ``pixels``: (H, W, 3) for rgb8 and bgr8, (H, W) for the others.

    Raises ValueError where type or shape do not belong to ``encoding``.
    """
    dtype, channels = _WRITABLE[encoding]
    expected = pixels.shape[:2] if channels == 1 else (*pixels.shape[:2], channels)
    if pixels.dtype != dtype or pixels.shape != expected:
        raise ValueError(f"{encoding} takes {np.dtype(dtype)} {expected}, got {pixels.dtype} {pixels.shape}")
    little_endian = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False)
    message = Image(header=make_header(stamp_ns, frame_id), encoding=encoding, is_bigendian=0)
    message.height, message.width = pixels.shape[:2]
    message.step = message.width * channels * pixels.dtype.itemsize
    message.data = to_bytes(little_endian)
    return message


def labels_to_image(
    labels: NDArray[np.uint16], vocabulary: Vocabulary, stamp_ns: int = 0, frame_id: str = ""
) -> Image:
    """Class ids: mono8 with 255 for unknown up to 255 classes, else mono16 with 65535."""
    if len(vocabulary) > 255:
        return numpy_to_image(labels, "mono16", stamp_ns, frame_id)
    # 65535 & 255 is 255: the unknown label of 16 bits becomes that of 8 bits.
    return numpy_to_image(labels.astype(np.uint8), "mono8", stamp_ns, frame_id)


def labels_to_color_image(
    labels: NDArray[np.uint16], vocabulary: Vocabulary, stamp_ns: int = 0, frame_id: str = ""
) -> Image:
    """Class colours for people, rgb8; unknown is black."""
    table = np.zeros((len(vocabulary) + 1, 3), dtype=np.uint8)
    table[:-1] = vocabulary.colors
    rows = np.where(labels == UNKNOWN_LABEL, len(vocabulary), labels)
    return numpy_to_image(np.take(table, rows, axis=0), "rgb8", stamp_ns, frame_id)


def _fields(message: Image) -> tuple[int, int, str, int, bool, Any]:
    big = bool(message.is_bigendian)
    return message.height, message.width, message.encoding, message.step, big, message.data


def _color_by_cv_bridge(message: Image) -> NDArray[np.uint8]:
    known = ", ".join(COLOR_ENCODINGS)
    try:
        from cv_bridge import CvBridge
    except Exception as error:  # an old build fails under NumPy 2 with something else than ImportError
        raise FrameDropped(
            "encoding_unsupported",
            f"got '{message.encoding}', expected one of {known}; others need cv_bridge ({error})",
        ) from error
    try:
        pixels = CvBridge().imgmsg_to_cv2(message, "rgb8")
    except Exception as error:
        raise FrameDropped(
            "encoding_unsupported", f"cv_bridge refused '{message.encoding}': {error}"
        ) from error
    return np.ascontiguousarray(pixels, dtype=np.uint8)
