"""Camera info: region, binning, distortion; a rectified image has straight lines where the world has them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_msgs.msg import CameraInfo

from rgbd_perception.camera_model import CameraModels, camera_model
from rgbd_perception.errors import FrameDropped


def make_info(**changes: object) -> CameraInfo:
    info = CameraInfo(width=64, height=48, distortion_model="plumb_bob")
    info.k = [60.0, 0.0, 31.0, 0.0, 61.0, 23.0, 0.0, 0.0, 1.0]
    info.p = [50.0, 0.0, 30.0, 0.0, 0.0, 51.0, 22.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    for name, value in changes.items():
        setattr(info, name, value)
    return info


def reason_of(info: CameraInfo, policy: str = "rectify") -> str:
    with pytest.raises(FrameDropped) as dropped:
        camera_model(info, policy)
    return dropped.value.reason


def test_a_pinhole_camera_is_k() -> None:
    model = camera_model(make_info(d=[0.0] * 5))
    assert (model.intrinsics.fx, model.intrinsics.fy) == (60.0, 61.0)
    assert (model.intrinsics.cx, model.intrinsics.cy) == (31.0, 23.0)
    assert model.maps is None
    color, depth = np.zeros((48, 64, 3), np.uint8), np.zeros((48, 64), np.float32)
    assert model.rectify(color, depth) == (color, depth)


def test_zeros_are_refused() -> None:
    assert reason_of(make_info(k=[0.0] * 9)) == "camera_info_invalid"
    assert reason_of(make_info(width=0)) == "camera_info_invalid"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none_are_refused(value: float) -> None:
    """NaN would pass for a lens that does not distort, infinity would leave black images without depth."""
    assert reason_of(make_info(d=[value] * 5)) == "camera_info_invalid"
    assert reason_of(make_info(d=[0.1, 0.0, value, 0.0, 0.0]), "refuse") == "camera_info_invalid"
    assert reason_of(make_info(k=[value] * 9)) == "camera_info_invalid"
    assert camera_model(make_info(d=[value] * 5), "ignore").maps is None


@given(
    binning=st.integers(1, 4),
    x_offset=st.integers(0, 20),
    y_offset=st.integers(0, 20),
    u=st.floats(0, 40),
    v=st.floats(0, 25),
)
def test_region_and_binning_keep_the_ray_of_a_pixel(
    binning: int, x_offset: int, y_offset: int, u: float, v: float
) -> None:
    """A delivered pixel looks along the ray through the centre of the sensor pixels it is made of."""
    info = make_info(binning_x=binning, binning_y=binning)
    info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height = x_offset, y_offset, 40, 24
    camera = camera_model(info).intrinsics
    assert (camera.width, camera.height) == (40 // binning, 24 // binning)
    sensor_u = x_offset + (u + 0.5) * binning - 0.5
    sensor_v = y_offset + (v + 0.5) * binning - 0.5
    np.testing.assert_allclose((u - camera.cx) / camera.fx, (sensor_u - 31.0) / 60.0, atol=1e-9)
    np.testing.assert_allclose((v - camera.cy) / camera.fy, (sensor_v - 23.0) / 61.0, atol=1e-9)


def test_a_region_outside_of_the_sensor_is_refused() -> None:
    info = make_info()
    info.roi.x_offset, info.roi.width, info.roi.height = 40, 40, 10
    assert reason_of(info) == "camera_info_invalid"


def test_policies_for_distortion() -> None:
    distorted = make_info(d=[-0.3, 0.1, 0.0, 0.0, 0.0])
    assert camera_model(distorted).maps is not None
    assert reason_of(distorted, "refuse") == "distorted"
    ignored = camera_model(distorted, "ignore")
    assert ignored.maps is None and ignored.intrinsics.fx == 50.0
    assert camera_model(make_info(d=[1e-12] * 5), "refuse").maps is None


def test_unknown_distortion_is_named() -> None:
    assert reason_of(make_info(d=[0.1] * 5, distortion_model="mei")) == "distortion_unsupported"
    assert reason_of(make_info(d=[0.1] * 3)) == "distortion_unsupported"


@pytest.mark.parametrize(
    ("model", "d"),
    [
        ("plumb_bob", [-0.28, 0.07, 0.0002, 0.00002, 0.0]),
        ("rational_polynomial", [-0.2, 0.05, 0.001, -0.001, 0.01, 0.02, 0.01, 0.0]),
        ("equidistant", [-0.02, 0.01, 0.0, 0.0]),
    ],
)
def test_rectification_puts_a_point_where_the_pinhole_sees_it(model: str, d: list[float]) -> None:
    info = make_info(width=640, height=480, distortion_model=model, d=d)
    info.k = [500.0, 0.0, 320.0, 0.0, 500.0, 240.0, 0.0, 0.0, 1.0]
    matrix = np.array(info.k).reshape(3, 3)
    points = np.array([[[-0.4, -0.3, 1.0]], [[0.3, 0.2, 1.0]], [[0.0, 0.35, 1.0]]])
    project = cv2.fisheye.projectPoints if model == "equidistant" else cv2.projectPoints
    seen = project(points, np.zeros(3), np.zeros(3), matrix, np.array(d))[0].reshape(-1, 2)
    color = np.zeros((480, 640, 3), np.uint8)
    depth = np.full((480, 640), 9.0, np.float32)
    for index, (u, v) in enumerate(np.rint(seen).astype(int)):
        color[v - 2 : v + 3, u - 2 : u + 3, index] = 255
        depth[v - 2 : v + 3, u - 2 : u + 3] = index + 1
    camera = camera_model(info)
    straight_color, straight_depth = camera.rectify(color, depth)
    for index, (x, y, _) in enumerate(points.reshape(-1, 3)):
        u, v = round(x * 500 + 320), round(y * 500 + 240)
        assert straight_color[v, u, index] > 200
        assert straight_depth[v, u] == index + 1
    # Sampled, never mixed: no depth that was not there; 0 where the lens saw nothing.
    assert set(np.unique(straight_depth)) <= {0.0, 1.0, 2.0, 3.0, 9.0}


def test_maps_are_made_once_for_a_camera() -> None:
    models = CameraModels()
    info = make_info(d=[-0.3, 0.1, 0.0, 0.0, 0.0])
    first = models.model(info)
    info.header.stamp.sec = 5
    assert models.model(info) is first
    assert models.model(make_info(d=[-0.2, 0.1, 0.0, 0.0, 0.0])) is not first


def test_images_of_another_size_are_left_for_the_frame_to_refuse() -> None:
    model = camera_model(make_info(d=[-0.3, 0.1, 0.0, 0.0, 0.0]))
    color, depth = np.zeros((10, 10, 3), np.uint8), np.zeros((10, 10), np.float32)
    assert model.rectify(color, depth)[0] is color
