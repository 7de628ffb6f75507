"""Raw image messages to arrays: the encodings of ``sensor_msgs/Image``, with row padding and byte order.

Works on plain values (no ROS import), so that live topics and bag files are read by the same code. Units
follow from the encoding, never from a parameter (REP 118): 16UC1 is millimetres, 32FC1 is metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped

NO_DEPTH_MM = 65535
"""Value of a saturated 16 bit depth pixel, which several sensors write for "no measurement"."""


@dataclass(frozen=True)
class _Layout:
    dtype: str
    channels: int


_LAYOUTS = {
    "rgb8": _Layout("u1", 3),
    "bgr8": _Layout("u1", 3),
    "rgba8": _Layout("u1", 4),
    "bgra8": _Layout("u1", 4),
    "mono8": _Layout("u1", 1),
    "8UC1": _Layout("u1", 1),
    "8UC3": _Layout("u1", 3),
    "mono16": _Layout("u2", 1),
    "16UC1": _Layout("u2", 1),
    "32FC1": _Layout("f4", 1),
}

COLOR_ENCODINGS = ("rgb8", "bgr8", "rgba8", "bgra8", "mono8", "mono16")
DEPTH_ENCODINGS = ("16UC1", "mono16", "32FC1")


def image_to_array(
    height: int, width: int, encoding: str, step: int, is_bigendian: bool, data: Any
) -> NDArray[Any]:
    """The pixels of a raw image as (H, W) or (H, W, channels), in its own type, native byte order.

    data    buffer of at least ``height * step`` bytes; the result shares its memory where it can
    step    bytes of a row; 0 means rows without padding (some drivers leave it unset)

    Raises FrameDropped: ``encoding_unsupported``, ``image_empty``, ``image_truncated`` where the buffer or
    the step is too small for the size.
    """
    layout = _LAYOUTS.get(encoding)
    if layout is None:
        raise FrameDropped("encoding_unsupported", f"expected one of {', '.join(_LAYOUTS)}, got '{encoding}'")
    if height <= 0 or width <= 0:
        raise FrameDropped("image_empty", f"its size is {height}x{width}")
    dtype = np.dtype(layout.dtype).newbyteorder(">" if is_bigendian else "<")
    row_bytes = width * layout.channels * dtype.itemsize
    step = step or row_bytes
    buffer = np.frombuffer(data, dtype=np.uint8)
    # The last row may come without its padding.
    if step < row_bytes or buffer.size < (height - 1) * step + row_bytes:
        raise FrameDropped(
            "image_truncated",
            f"{height}x{width} {encoding} with step {step} does not fit into {buffer.size} bytes",
        )
    pixels = np.ndarray(
        (height, width, layout.channels),
        dtype=dtype,
        buffer=buffer,
        strides=(step, layout.channels * dtype.itemsize, dtype.itemsize),
    )
    native: NDArray[Any] = pixels.astype(dtype.newbyteorder("="), copy=False)
    return native[..., 0] if layout.channels == 1 else native


def decode_color(
    height: int, width: int, encoding: str, step: int, is_bigendian: bool, data: Any
) -> NDArray[np.uint8]:
    """A raw color image as contiguous (H, W, 3) uint8 rgb. Raises FrameDropped like ``image_to_array``."""
    if encoding not in (*COLOR_ENCODINGS, "8UC1", "8UC3"):
        raise FrameDropped(
            "encoding_unsupported", f"expected color as one of {', '.join(COLOR_ENCODINGS)}, got '{encoding}'"
        )
    pixels = image_to_array(height, width, encoding, step, is_bigendian, data)
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    if pixels.ndim == 2:
        pixels = np.broadcast_to(pixels[..., None], (*pixels.shape, 3))
    # OpenCV type names (8UC3) carry no channel order; cv_bridge fills them from bgr images.
    if encoding in ("bgr8", "bgra8", "8UC3"):
        import cv2  # several times as fast as numpy where bytes change places

        turn = cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGB
        return np.asarray(cv2.cvtColor(pixels, turn), np.uint8)
    return np.ascontiguousarray(pixels[..., :3])


def decode_depth(
    height: int, width: int, encoding: str, step: int, is_bigendian: bool, data: Any
) -> NDArray[np.float32]:
    """A raw depth image as contiguous (H, W) float32 metres; 0 where there is no measurement.

    Raises FrameDropped like ``image_to_array``.
    """
    if encoding not in DEPTH_ENCODINGS:
        raise FrameDropped(
            "encoding_unsupported", f"expected depth as one of {', '.join(DEPTH_ENCODINGS)}, got '{encoding}'"
        )
    pixels = image_to_array(height, width, encoding, step, is_bigendian, data)
    if pixels.dtype == np.uint16:
        return millimetres_to_metres(pixels)
    depth = np.array(pixels, dtype=np.float32)
    depth[~(np.isfinite(depth) & (depth > 0))] = 0
    return depth


def millimetres_to_metres(depth_mm: NDArray[np.uint16]) -> NDArray[np.float32]:
    """(H, W) uint16 millimetres to float32 metres; 0 and 65535 mean no measurement and become 0."""
    depth: NDArray[np.float32] = np.multiply(depth_mm, np.float32(0.001), dtype=np.float32)
    depth[depth_mm == NO_DEPTH_MM] = 0
    return depth


def metres_to_millimetres(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """(H, W) float32 metres to uint16 millimetres, rounded; what does not fit or is not finite becomes 0."""
    millimetres = np.rint(depth * np.float32(1000))
    valid = (millimetres > 0) & (millimetres < NO_DEPTH_MM)
    return np.where(valid, millimetres, 0).astype(np.uint16)
