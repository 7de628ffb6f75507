"""Frames and predictions refuse what does not fit together, with the reason under which it is counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.errors import FrameDropped
from rgbd_perception.frame import CameraIntrinsics, Prediction, RgbdFrame

INTRINSICS = CameraIntrinsics(fx=290.0, fy=291.0, cx=159.5, cy=119.5, width=320, height=240)


def make_frame(**changes: object) -> RgbdFrame:
    values: dict[str, object] = {
        "color": np.zeros((240, 320, 3), np.uint8),
        "depth": np.ones((240, 320), np.float32),
        "intrinsics": INTRINSICS,
    }
    return RgbdFrame(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"color": np.zeros((240, 320), np.uint8)}, "color_invalid"),
        ({"color": np.zeros((240, 320, 3), np.float32)}, "color_invalid"),
        ({"depth": np.ones((240, 320), np.uint16)}, "depth_invalid"),
        ({"depth": np.ones((120, 160), np.float32)}, "depth_not_registered"),
        ({"intrinsics": INTRINSICS.strided(2)}, "camera_info_mismatch"),
        ({"pose": np.full((4, 4), np.nan)}, "pose_invalid"),
        ({"pose": np.diag([1.0, 1.0, -1.0, 1.0])}, "pose_invalid"),
        ({"pose": np.diag([2.0, 2.0, 2.0, 1.0])}, "pose_invalid"),
    ],
)
def test_a_frame_that_does_not_fit_names_its_reason(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(FrameDropped) as caught:
        make_frame(**changes)
    assert caught.value.reason == reason


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_a_focal_length_that_is_not_positive_and_finite_is_refused(value: float) -> None:
    with pytest.raises(FrameDropped, match="camera_info_invalid"):
        CameraIntrinsics(fx=value, fy=1.0, cx=0.0, cy=0.0, width=4, height=4)


@given(
    stride=st.integers(1, 16),
    row=st.integers(0, 100),
    column=st.integers(0, 100),
    depth=st.floats(0.1, 10.0),
)
def test_a_cell_is_seen_where_the_middle_of_its_pixels_is(
    stride: int, row: int, column: int, depth: float
) -> None:
    """The ray of a grid cell is the ray of the centre of the pixels that it covers."""
    grid = INTRINSICS.strided(stride)
    u, v = column * stride + (stride - 1) / 2, row * stride + (stride - 1) / 2
    assert (column - grid.cx) / grid.fx * depth == pytest.approx((u - INTRINSICS.cx) / INTRINSICS.fx * depth)
    assert (row - grid.cy) / grid.fy * depth == pytest.approx((v - INTRINSICS.cy) / INTRINSICS.fy * depth)


@given(width=st.integers(1, 700), height=st.integers(1, 700), stride=st.integers(1, 32))
def test_the_grid_covers_the_whole_image(width: int, height: int, stride: int) -> None:
    grid = CameraIntrinsics(500.0, 500.0, width / 2, height / 2, width, height).strided(stride)
    assert (grid.width - 1) * stride < width <= grid.width * stride
    assert (grid.height - 1) * stride < height <= grid.height * stride


def test_a_prediction_must_agree_with_itself() -> None:
    labels, confidence = np.zeros((3, 4), np.uint16), np.ones((3, 4), np.float32)
    Prediction(labels, confidence, stride=4, embedding=np.zeros((3, 4, 8), np.float16))
    with pytest.raises(ValueError, match="confidence"):
        Prediction(labels, confidence[:2], stride=4)
    with pytest.raises(ValueError, match="embedding"):
        Prediction(labels, confidence, stride=4, embedding=np.zeros((4, 3, 8), np.float16))
