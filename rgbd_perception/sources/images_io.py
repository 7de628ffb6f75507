"""Color and depth images from files and from compressed messages (PNG, JPEG)."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rgbd_perception.encodings import NO_DEPTH_MM, millimetres_to_metres
from rgbd_perception.errors import FrameDropped

_TUM_UNITS_PER_METRE = 5000
_PNG_COLOR_TYPE, _PNG_PALETTE = 25, b"\x03"
"""Where a PNG file says how its pixels are written, and what it says for indices into a palette."""
_COMPRESSED_DEPTH_HEADER = struct.Struct("<iff")
"""``ConfigHeader`` of compressed_depth_image_transport: format, then the two quantisation parameters."""


def read_color(path: Path) -> NDArray[np.uint8]:
    """The image file as (H, W, 3) uint8 rgb. Raises FrameDropped ``color_missing``, ``color_unreadable``."""
    return decode_color_file(_read(path, "color"), str(path))


def read_depth(path: Path, encoding: str = "mm") -> NDArray[np.float32]:
    """The 16 bit PNG file as (H, W) float32 metres, 0 = no measurement.

    encoding    "mm", "tum" (5000 units a metre) or "sunrgbd" (millimetres rotated left by three bits)

    Raises FrameDropped ``depth_missing``, ``depth_unreadable``, ``depth_invalid``.
    """
    raw = read_depth_counts(path)
    if encoding == "tum":
        depth: NDArray[np.float32] = np.divide(raw, np.float32(_TUM_UNITS_PER_METRE), dtype=np.float32)
        depth[raw == NO_DEPTH_MM] = 0
        return depth
    if encoding == "sunrgbd":
        raw = np.bitwise_or(raw >> 3, raw << 13, dtype=np.uint16)
    return millimetres_to_metres(raw)


def read_depth_counts(path: Path) -> NDArray[np.uint16]:
    """The values (H, W) of a 16 bit depth PNG as they are. Raises FrameDropped as ``read_depth``."""
    return _decode_16_bit(_read(path, "depth"), "depth", str(path))


def read_pixels(path: Path, what: str) -> NDArray[np.integer]:
    """An image file as it is: (H, W) or (H, W, channels) in OpenCV's order bgr(a), 8 or 16 bits.

    ``what`` it is meant to be begins the reasons of FrameDropped: ``missing`` and ``unreadable``.
    """
    return _decode(_read(path, what), cv2.IMREAD_UNCHANGED, what, str(path))


def read_ids(path: Path) -> NDArray[np.uint16]:
    """A label or instance PNG of 8 or 16 bits, or of indices into a palette, as (H, W) uint16.

    Raises FrameDropped ``label_missing``, ``label_unreadable``, ``label_invalid``.
    """
    data = _read(path, "label")
    if data[:4] == b"\x89PNG" and data[_PNG_COLOR_TYPE : _PNG_COLOR_TYPE + 1] == _PNG_PALETTE:
        return _decode_palette(data, str(path))
    return _decode_16_bit(data, "label", str(path))


def limit_depth(depth: NDArray[np.float32], max_depth: float) -> NDArray[np.float32]:
    """Replace, in place, what is farther than ``max_depth`` metres by 0 (no measurement)."""
    depth[depth > max_depth] = 0
    return depth


def decode_color_file(data: bytes, name: str) -> NDArray[np.uint8]:
    """The bytes of a PNG or JPEG file as (H, W, 3) uint8 rgb. Raises FrameDropped ``color_unreadable``."""
    # A turned color image would no longer lie over its depth image, whatever a camera wrote into the header.
    pixels = _decode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION, "color", name)
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def decode_compressed_depth(data: bytes, image_format: str) -> NDArray[np.float32]:
    """A ``CompressedImage`` with depth as (H, W) float32 metres, 0 = no measurement.

    Takes plain PNG of 16UC1 and the PNG forms of ``compressedDepth``: 16UC1 in millimetres, and 32FC1 as
    quantised inverse depth, ``depth = a / (value - b)`` with a, b from the 12 bytes before the PNG
    (compressed_depth_image_transport). Raises FrameDropped ``depth_unreadable``, ``encoding_unsupported``.
    """
    encoding = image_format.split(";", maxsplit=1)[0].strip()
    if encoding not in ("16UC1", "mono16", "32FC1", "png"):
        raise FrameDropped(
            "encoding_unsupported",
            f"expected compressed depth of 16UC1 or 32FC1, got the format '{image_format}'",
        )
    if "compressedDepth" not in image_format:
        return millimetres_to_metres(_decode_16_bit(data, "depth", image_format))
    if len(data) < _COMPRESSED_DEPTH_HEADER.size:
        raise FrameDropped("depth_unreadable", f"{len(data)} bytes are too few for compressed depth")
    if "rvl" in image_format:
        raise FrameDropped("encoding_unsupported", "compressed depth in RVL: record it as PNG or raw")
    _, a, b = _COMPRESSED_DEPTH_HEADER.unpack_from(data)
    raw = _decode_16_bit(data[_COMPRESSED_DEPTH_HEADER.size :], "depth", image_format)
    if encoding != "32FC1":
        return millimetres_to_metres(raw)
    depth = np.zeros(raw.shape, dtype=np.float32)
    valid = (raw > 0) & (raw != b)
    depth[valid] = np.float32(a) / (raw[valid] - np.float32(b))
    depth[~(np.isfinite(depth) & (depth > 0))] = 0
    return depth


def _decode_palette(data: bytes, name: str) -> NDArray[np.uint16]:
    """The indices; OpenCV would give the colors."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image, dtype=np.uint16)
    except (OSError, SyntaxError) as error:
        raise FrameDropped("label_unreadable", f"{name} is not a whole PNG image: {error}") from None


def _decode_16_bit(data: bytes, what: str, name: str) -> NDArray[np.uint16]:
    pixels = _decode(data, cv2.IMREAD_UNCHANGED, what, name)
    if pixels.ndim != 2 or (pixels.dtype != np.uint16 and what == "depth"):
        raise FrameDropped(
            f"{what}_invalid",
            f"expected one channel of {'8 or 16' if what == 'label' else '16'} bits, "
            f"got {pixels.shape} {pixels.dtype} in {name}",
        )
    return pixels.astype(np.uint16, copy=False)


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise FrameDropped(f"{what}_missing", f"{path} does not exist") from None
    except OSError as error:
        raise FrameDropped(f"{what}_unreadable", f"{path}: {error.strerror}") from error


def _decode(data: bytes, flags: int, what: str, name: str) -> NDArray[np.integer]:
    """Decode, refusing files that were cut: OpenCV 4 would fill the rest of a cut JPEG with grey."""
    if not data:
        raise FrameDropped(f"{what}_unreadable", f"{name} is empty")
    cut = data[:2] == b"\xff\xd8" and b"\xff\xd9" not in data[-1024:]
    pixels: Any = None if cut else cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    if pixels is None:
        raise FrameDropped(f"{what}_unreadable", f"{name} is not a whole PNG or JPEG image")
    decoded: NDArray[np.integer] = pixels
    return decoded
