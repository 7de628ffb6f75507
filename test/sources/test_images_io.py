"""Image files and compressed messages: exact values, units, and damaged bytes as named drops."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped
from rgbd_perception.sources.images_io import (
    decode_color_file,
    decode_compressed_depth,
    limit_depth,
    read_color,
    read_depth,
    read_ids,
)


def _png(pixels: NDArray[np.generic]) -> bytes:
    return bytes(cv2.imencode(".png", pixels)[1])


@pytest.fixture
def color() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (12, 17, 3), dtype=np.uint8)


def test_color_is_rgb(tmp_path: Path, color: NDArray[np.uint8]) -> None:
    (tmp_path / "c.png").write_bytes(_png(color[..., ::-1]))
    np.testing.assert_array_equal(read_color(tmp_path / "c.png"), color)


@pytest.mark.parametrize(
    ("encoding", "stored", "metres"),
    [
        ("mm", [0, 1, 1234, 65534, 65535], [0, 0.001, 1.234, 65.534, 0]),
        ("tum", [0, 5000, 12345, 65535, 1], [0, 1.0, 2.469, 0, 0.0002]),
        # Three bits to the left, the upper three come in below: 1234 mm = 0x04d2, 9000 mm = 0x2328.
        ("sunrgbd", [0, 0x04D2 << 3, 0x1941, 0x1940, 8], [0, 1.234, 9.0, 0.808, 0.001]),
    ],
)
def test_depth_units(tmp_path: Path, encoding: str, stored: list[int], metres: list[float]) -> None:
    (tmp_path / "d.png").write_bytes(_png(np.array([stored], dtype=np.uint16)))
    np.testing.assert_allclose(read_depth(tmp_path / "d.png", encoding), [metres], rtol=1e-6)


def test_sunrgbd_real_file_is_plausible(shared_data: Path) -> None:
    path = sorted((shared_data / "sunrgbd_kv2_real15" / "depth_raw").glob("*.png"))[0]
    depth = read_depth(path, "sunrgbd")
    assert np.percentile(depth[depth > 0], 1) > 0.4
    assert np.percentile(depth, 99) < 9


def test_far_depth_is_none() -> None:
    depth = np.array([[0.0, 5.9, 6.0, 6.1, np.nan]], dtype=np.float32)
    np.testing.assert_array_equal(limit_depth(depth, 6.0), np.array([[0, 5.9, 6.0, 0, np.nan]], np.float32))


@pytest.mark.parametrize("keep", [0.0, 0.02, 0.5, 0.95])
@pytest.mark.parametrize("ending", [".png", ".jpg"])
def test_cut_color_is_dropped(color: NDArray[np.uint8], ending: str, keep: float) -> None:
    data = bytes(cv2.imencode(ending, cv2.resize(color, (320, 240)))[1])
    with pytest.raises(FrameDropped) as dropped:
        decode_color_file(data[: int(len(data) * keep)], "cut")
    assert dropped.value.reason == "color_unreadable"


def test_what_is_no_depth_image_is_dropped(tmp_path: Path, color: NDArray[np.uint8]) -> None:
    contents = {
        "missing": None,
        "unreadable": b"\x89PNG\r\n\x1a\nnothing",
        "invalid": _png(color),
    }
    for reason, content in contents.items():
        path = tmp_path / f"{reason}.png"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(FrameDropped) as dropped:
            read_depth(path)
        assert dropped.value.reason == f"depth_{reason}"
    (tmp_path / "8bit.png").write_bytes(_png(color[..., 0]))
    with pytest.raises(FrameDropped, match="16 bits"):
        read_depth(tmp_path / "8bit.png")
    assert read_ids(tmp_path / "8bit.png").dtype == np.uint16  # label images may have 8 bits


def test_compressed_depth_of_both_kinds() -> None:
    millimetres = np.array([[0, 500, 65535]], dtype=np.uint16)
    header = struct.pack("<iff", 0, 100.0, 0.5)
    depth = decode_compressed_depth(header + _png(millimetres), "16UC1; compressedDepth png")
    np.testing.assert_allclose(depth, [[0, 0.5, 0]])
    # Quantised inverse depth of compressed_depth_image_transport: value = a / depth + b.
    inverse = np.array([[0, round(100 / 2.0 + 0.5), round(100 / 0.8 + 0.5)]], dtype=np.uint16)
    depth = decode_compressed_depth(header + _png(inverse), "32FC1; compressedDepth png")
    np.testing.assert_allclose(depth, [[0, 2.0, 0.8]], rtol=0.02)
    depth = decode_compressed_depth(_png(millimetres), "16UC1; png compressed ")
    np.testing.assert_allclose(depth, [[0, 0.5, 0]])


@pytest.mark.parametrize(
    ("data", "image_format", "reason"),
    [
        (b"", "16UC1; compressedDepth png", "depth_unreadable"),
        (b"\0" * 40, "16UC1; compressedDepth png", "depth_unreadable"),
        (b"\0" * 40, "16UC1; compressedDepth rvl", "encoding_unsupported"),
        (b"\0" * 40, "rgb8; jpeg compressed bgr8", "encoding_unsupported"),
    ],
)
def test_damaged_compressed_depth_is_dropped(data: bytes, image_format: str, reason: str) -> None:
    with pytest.raises(FrameDropped) as dropped:
        decode_compressed_depth(data, image_format)
    assert dropped.value.reason == reason
