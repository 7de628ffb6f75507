"""Raw images: row padding, byte order, channel order, units, and buffers that are too small."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rgbd_perception.encodings import (
    decode_color,
    decode_depth,
    image_to_array,
    metres_to_millimetres,
    millimetres_to_metres,
)
from rgbd_perception.errors import FrameDropped


def _buffer(pixels: NDArray[np.generic], padding: int) -> tuple[int, bytes]:
    """(step, data) of a message whose rows are followed by ``padding`` bytes of something else."""
    rows = np.ascontiguousarray(pixels).reshape(len(pixels), -1).view(np.uint8)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=170)
    return padded.shape[1], padded.tobytes()


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 9), st.booleans(), st.integers(0, 2**32 - 1))
def test_any_padding_and_byte_order(height: int, width: int, padding: int, big: bool, seed: int) -> None:
    raw = np.random.default_rng(seed).integers(0, 65536, (height, width)).astype(np.uint16)
    step, data = _buffer(raw.astype(">u2" if big else "<u2"), padding)
    decoded = image_to_array(height, width, "16UC1", step, big, data)
    np.testing.assert_array_equal(decoded, raw)
    assert decoded.dtype.isnative
    cut = data[: (height - 1) * step + 2 * width]  # a last row without its padding is complete
    np.testing.assert_array_equal(image_to_array(height, width, "16UC1", step, big, cut), raw)
    with pytest.raises(FrameDropped, match="image_truncated"):
        image_to_array(height, width, "16UC1", step, big, cut[:-1])


@pytest.mark.parametrize(
    ("encoding", "pixel"),
    [
        ("rgb8", [1, 2, 3]),
        ("bgr8", [3, 2, 1]),
        ("rgba8", [1, 2, 3, 99]),
        ("bgra8", [3, 2, 1, 99]),
        ("8UC3", [3, 2, 1]),
    ],
)
@pytest.mark.parametrize("padding", [0, 5])
def test_color_becomes_rgb(encoding: str, pixel: list[int], padding: int) -> None:
    pixels = np.tile(np.array(pixel, dtype=np.uint8), (4, 6, 1))
    color = decode_color(4, 6, encoding, *_flags(*_buffer(pixels, padding)))
    assert color.flags.c_contiguous and color.dtype == np.uint8
    np.testing.assert_array_equal(color, np.broadcast_to([1, 2, 3], (4, 6, 3)))


@pytest.mark.parametrize(
    ("encoding", "dtype", "value"), [("mono8", np.uint8, 200), ("mono16", np.uint16, 200 * 256)]
)
def test_grey_becomes_rgb(encoding: str, dtype: type, value: int) -> None:
    step, data = _buffer(np.full((2, 3), value, dtype), 0)
    assert (decode_color(2, 3, encoding, step, False, data) == 200).all()


def test_depth_in_metres_by_its_encoding() -> None:
    step, data = _buffer(np.array([[0, 1500, 65535]], dtype=np.uint16), 0)
    np.testing.assert_allclose(decode_depth(1, 3, "16UC1", step, False, data), [[0, 1.5, 0]])
    metres = np.array([[1.5, np.nan, np.inf, -np.inf, -2, 0]], dtype=np.float32)
    step, data = _buffer(metres, 0)
    np.testing.assert_array_equal(decode_depth(1, 6, "32FC1", step, False, data), [[1.5, 0, 0, 0, 0, 0]])


@given(st.lists(st.integers(0, 65534), min_size=1, max_size=20))
def test_millimetres_survive_metres(values: list[int]) -> None:
    stored = np.array([values], dtype=np.uint16)
    np.testing.assert_array_equal(metres_to_millimetres(millimetres_to_metres(stored)), stored)


def test_what_does_not_fit_into_millimetres_is_none() -> None:
    depth = np.array([[np.nan, np.inf, -1, 65.535, 70, 65.534]], dtype=np.float32)
    np.testing.assert_array_equal(metres_to_millimetres(depth), [[0, 0, 0, 0, 0, 65534]])


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((2, 2, "bayer_rggb8", 2, False, bytes(4)), "encoding_unsupported"),
        ((0, 2, "rgb8", 6, False, b""), "image_empty"),
        ((2, 2, "rgb8", 5, False, bytes(100)), "image_truncated"),
        ((2, 2, "rgb8", 6, False, b""), "image_truncated"),
        ((2, 2, "16UC1", 4, False, bytes(8)), "encoding_unsupported"),
    ],
)
def test_what_cannot_be_color_is_dropped_with_its_reason(
    arguments: tuple[int, int, str, int, bool, bytes], reason: str
) -> None:
    with pytest.raises(FrameDropped) as dropped:
        decode_color(*arguments)
    assert dropped.value.reason == reason


def test_color_is_no_depth() -> None:
    with pytest.raises(FrameDropped, match="expected depth as one of 16UC1"):
        decode_depth(2, 2, "rgb8", 6, False, bytes(12))


def _flags(step: int, data: bytes) -> tuple[int, bool, bytes]:
    return step, False, data
