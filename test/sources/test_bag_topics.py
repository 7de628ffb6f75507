"""Finding the topics of common drivers by type and name, and saying why where that fails."""

from __future__ import annotations

import pytest

from rgbd_perception.errors import UserError
from rgbd_perception.sources import SourceOptions
from rgbd_perception.sources.bag_reader import Topic
from rgbd_perception.sources.bag_topics import (
    CAMERA_INFO,
    COMPRESSED_IMAGE,
    IMAGE,
    choose_camera_topics,
    is_rectified,
)


def _topics(names: str) -> list[Topic]:
    topics = []
    for name in names.split():
        kind = IMAGE
        if name.endswith(("compressed", "compressedDepth")):
            kind = COMPRESSED_IMAGE
        elif name.endswith("info"):
            kind = CAMERA_INFO
        elif name in ("/imu", "/points"):
            kind = "sensor_msgs/msg/Imu"
        topics.append(Topic(name, kind, 5))
    return topics


@pytest.mark.parametrize(
    ("names", "color", "depth", "info"),
    [
        pytest.param(
            "/camera/aligned_depth_to_color/camera_info /camera/aligned_depth_to_color/image_raw "
            "/camera/color/camera_info /camera/color/image_raw /camera/depth/camera_info "
            "/camera/depth/image_rect_raw /camera/infra1/image_rect_raw /imu",
            "/camera/color/image_raw",
            "/camera/aligned_depth_to_color/image_raw",
            "/camera/color/camera_info",
            id="realsense",
        ),
        pytest.param(
            "/camera/rgb/image_raw /camera/rgb/image_rect_color /camera/rgb/camera_info "
            "/camera/depth/image_raw /camera/depth_registered/image_raw /camera/depth/camera_info /points",
            "/camera/rgb/image_rect_color",
            "/camera/depth_registered/image_raw",
            "/camera/rgb/camera_info",
            id="openni",
        ),
        pytest.param(
            "/rgb/image_raw /rgb/camera_info /depth_to_rgb/image_raw /depth_to_rgb/camera_info /ir/image_raw",
            "/rgb/image_raw",
            "/depth_to_rgb/image_raw",
            "/rgb/camera_info",
            id="azure kinect",
        ),
        pytest.param(
            "/color/image /depth/image /color/camera_info",
            "/color/image",
            "/depth/image",
            "/color/camera_info",
            id="our replay",
        ),
        pytest.param(
            "/cam/color/image_raw/compressed /cam/color/camera_info "
            "/cam/aligned_depth_to_color/image_raw/compressedDepth",
            "/cam/color/image_raw/compressed",
            "/cam/aligned_depth_to_color/image_raw/compressedDepth",
            "/cam/color/camera_info",
            id="compressed",
        ),
        pytest.param(
            "/cam/color/image_raw /cam/color/image_raw/compressed /cam/color/camera_info "
            "/cam/depth/image_raw",
            "/cam/color/image_raw",
            "/cam/depth/image_raw",
            "/cam/color/camera_info",
            id="raw before compressed",
        ),
        pytest.param(
            "/image_raw /depth /camera_info", "/image_raw", "/depth", "/camera_info", id="no namespaces"
        ),
    ],
)
def test_topics_of_common_drivers(names: str, color: str, depth: str, info: str) -> None:
    chosen = choose_camera_topics(_topics(names), SourceOptions())
    assert chosen.info is not None
    assert (chosen.color.name, chosen.depth.name, chosen.info.name) == (color, depth, info)


def test_two_cameras_need_a_choice() -> None:
    topics = _topics(
        "/front/color/image_raw /front/color/camera_info /front/depth/image_raw "
        "/rear/color/image_raw /rear/color/camera_info /rear/depth/image_raw"
    )
    with pytest.raises(UserError, match=r"/front/color/image_raw, /rear/color/image_raw.*--color-topic"):
        choose_camera_topics(topics, SourceOptions())
    chosen = choose_camera_topics(
        topics, SourceOptions(color_topic="/rear/color/image_raw", depth_topic="rear/depth/image_raw")
    )
    assert chosen.info is not None and chosen.info.name == "/rear/color/camera_info"


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        ("/cam/depth/image_raw /cam/color/camera_info", "color"),
        ("/cam/color/image_raw /cam/color/camera_info", "depth"),
        ("/cam/color/image_raw /cam/depth/image_raw", "camera-info"),
        ("", "color"),
    ],
)
def test_what_is_missing_is_named_with_what_there_is(names: str, missing: str) -> None:
    with pytest.raises(UserError, match=f"found no {missing} topic: give --{missing}-topic") as error:
        choose_camera_topics(_topics(names), SourceOptions())
    assert all(name in str(error.value) for name in names.split())


def test_a_topic_without_messages_does_not_count() -> None:
    topics = [Topic("/color/image", IMAGE, 0), *_topics("/depth/image /color/camera_info")]
    with pytest.raises(UserError, match="found no color topic"):
        choose_camera_topics(topics, SourceOptions())
    with pytest.raises(UserError, match="on /color/image, it is sensor_msgs/msg/Image with 0 messages"):
        choose_camera_topics(topics, SourceOptions(color_topic="/color/image"))


@pytest.mark.parametrize(
    ("name", "rectified"),
    [
        ("/c/image_rect", True),
        ("/c/image_rect_color/compressed", True),
        ("/c/image_raw", False),
        ("/direct/image", False),
    ],
)
def test_rectified_by_name(name: str, rectified: bool) -> None:
    assert is_rectified(_topics(name)[0]) is rectified
