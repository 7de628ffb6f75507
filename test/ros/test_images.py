"""Image messages to arrays and back: encodings, padded rows, byte order, wrong and cut data."""

from __future__ import annotations

from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_msgs.msg import Image

from rgbd_perception.errors import FrameDropped
from rgbd_perception.ros.images import (
    color_from_message,
    depth_from_message,
    image_to_numpy,
    labels_to_color_image,
    labels_to_image,
    numpy_to_image,
)
from rgbd_perception.vocabulary import UNKNOWN_LABEL, Vocabulary

CHANNELS = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1, "mono16": 1, "16UC1": 1, "32FC1": 1}
TYPES = {"mono16": np.uint16, "16UC1": np.uint16, "32FC1": np.float32}


def padded_message(pixels: np.ndarray, encoding: str, padding: int, big_endian: bool) -> Image:
    """A message as a driver with aligned rows or another byte order makes it; the padding is not zero."""
    height, width = pixels.shape[:2]
    wire = pixels.astype(pixels.dtype.newbyteorder(">" if big_endian else "<"))
    rows = np.frombuffer(wire.tobytes(), dtype=np.uint8).reshape(height, -1)
    rows = np.hstack([rows, np.full((height, padding), 0xAB, dtype=np.uint8)])
    message = Image(height=height, width=width, encoding=encoding, step=rows.shape[1])
    message.is_bigendian = int(big_endian)
    message.data = array("B", rows.tobytes())
    return message


def random_pixels(encoding: str, height: int, width: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    dtype = np.dtype(TYPES.get(encoding, np.uint8))
    shape = (height, width) if CHANNELS[encoding] == 1 else (height, width, CHANNELS[encoding])
    if dtype == np.float32:
        return rng.uniform(0.1, 5.0, shape).astype(np.float32)
    return rng.integers(0, 60000 if dtype == np.uint16 else 256, shape).astype(dtype)


@given(
    encoding=st.sampled_from(sorted(CHANNELS)),
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    padding=st.integers(0, 5),
    big_endian=st.booleans(),
    seed=st.integers(0, 100),
)
def test_every_encoding_is_read_exactly(
    encoding: str, height: int, width: int, padding: int, big_endian: bool, seed: int
) -> None:
    pixels = random_pixels(encoding, height, width, seed)
    read = image_to_numpy(padded_message(pixels, encoding, padding, big_endian))
    assert read.dtype == pixels.dtype
    np.testing.assert_array_equal(read, pixels)


@pytest.mark.parametrize(
    ("encoding", "pixel", "rgb"),
    [
        ("rgb8", [1, 2, 3], [1, 2, 3]),
        ("bgr8", [3, 2, 1], [1, 2, 3]),
        ("rgba8", [1, 2, 3, 9], [1, 2, 3]),
        ("bgra8", [3, 2, 1, 9], [1, 2, 3]),
        ("mono8", 7, [7, 7, 7]),
        ("mono16", 0x1234, [0x12, 0x12, 0x12]),
    ],
)
def test_color_becomes_rgb(encoding: str, pixel: object, rgb: list[int]) -> None:
    dtype = TYPES.get(encoding, np.uint8)
    pixels = np.tile(np.asarray(pixel, dtype=dtype), (2, 3, 1) if isinstance(pixel, list) else (2, 3))
    color = color_from_message(padded_message(pixels, encoding, 3, encoding == "mono16"))
    assert color.shape == (2, 3, 3) and color.flags.c_contiguous
    assert (color == np.array(rgb)).all()


@pytest.mark.parametrize("encoding", ["16UC1", "mono16", "32FC1"])
@pytest.mark.parametrize("big_endian", [False, True])
def test_the_encoding_says_the_unit_of_depth(encoding: str, big_endian: bool) -> None:
    metres = np.array([[0.5, 1.234], [4.0, 0.0]], dtype=np.float32)
    pixels = metres if encoding == "32FC1" else np.rint(metres * 1000).astype(np.uint16)
    depth = depth_from_message(padded_message(pixels, encoding, 4, big_endian))
    np.testing.assert_allclose(depth, metres, atol=1e-6)


def test_depth_that_is_no_measurement_becomes_zero() -> None:
    pixels = np.array([[np.nan, np.inf, -np.inf, -1.0, 0.0, 2.0]], dtype=np.float32)
    assert depth_from_message(numpy_to_image(pixels, "32FC1")).tolist() == [[0, 0, 0, 0, 0, 2.0]]


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "mono8", "mono16", "16UC1", "32FC1"])
def test_what_is_written_is_read_back(encoding: str) -> None:
    pixels = random_pixels(encoding, 5, 6, seed=3)
    message = numpy_to_image(pixels, encoding, stamp_ns=1_500_000_000, frame_id="camera")
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (1, 500_000_000)
    assert message.header.frame_id == "camera"
    np.testing.assert_array_equal(image_to_numpy(message), pixels)


def test_wrong_arrays_are_refused_when_written() -> None:
    with pytest.raises(ValueError, match="rgb8 takes uint8"):
        numpy_to_image(np.zeros((4, 4), dtype=np.uint8), "rgb8")
    with pytest.raises(ValueError, match="16UC1 takes uint16"):
        numpy_to_image(np.zeros((4, 4), dtype=np.float32), "16UC1")


def test_unknown_encodings_are_named() -> None:
    message = Image(height=2, width=2, encoding="yuv422_yuy2", step=4, data=array("B", bytes(8)))
    with pytest.raises(FrameDropped, match="yuv422_yuy2") as dropped:
        color_from_message(message)
    assert dropped.value.reason == "encoding_unsupported"
    with pytest.raises(FrameDropped, match="rgb8") as dropped:
        depth_from_message(numpy_to_image(np.zeros((2, 2, 3), dtype=np.uint8), "rgb8"))
    assert dropped.value.reason == "encoding_unsupported"


def test_cut_and_empty_data_are_dropped() -> None:
    message = numpy_to_image(random_pixels("rgb8", 4, 4, seed=1), "rgb8")
    message.data = message.data[:-1]
    with pytest.raises(FrameDropped) as dropped:
        color_from_message(message)
    assert dropped.value.reason == "image_truncated"
    message.step = 5  # shorter than a row
    with pytest.raises(FrameDropped) as dropped:
        color_from_message(message)
    assert dropped.value.reason == "image_truncated"
    with pytest.raises(FrameDropped) as dropped:
        color_from_message(Image(encoding="rgb8"))
    assert dropped.value.reason == "image_empty"


def test_label_images() -> None:
    labels = np.array([[0, 1, UNKNOWN_LABEL]], dtype=np.uint16)
    few = Vocabulary(["wall", "floor"])
    message = labels_to_image(labels, few)
    assert message.encoding == "mono8"
    assert image_to_numpy(message).tolist() == [[0, 1, 255]]
    colors = image_to_numpy(labels_to_color_image(labels, few))
    assert colors.tolist() == [[*few.colors.tolist(), [0, 0, 0]]]
    many = Vocabulary([str(index) for index in range(256)])
    message = labels_to_image(labels, many)
    assert message.encoding == "mono16"
    np.testing.assert_array_equal(image_to_numpy(message), labels)
