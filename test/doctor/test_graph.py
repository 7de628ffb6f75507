"""Every trouble of a graph is named, and a healthy graph has none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from rgbd_perception.doctor.finding import FAIL, OK, WARN, Finding
from rgbd_perception.doctor.graph import graph_findings
from rgbd_perception.doctor.observation import (
    CAMERA_INFO,
    IMAGE,
    Arrival,
    CameraForm,
    Endpoint,
    GraphObservation,
    ImageForm,
    NodeReport,
    Stream,
)

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def stream(topic: str, type_name: str, form: ImageForm | CameraForm) -> Stream:
    """30 Hz for a second, 10 ms old, from /camera to /perception."""
    stamps = [START + index * SECOND // 30 for index in range(30)]
    return Stream(
        topic,
        type_name,
        publishers=(Endpoint("/camera", type_name, reliable=False, transient_local=False),),
        subscribers=(Endpoint("/perception", type_name, reliable=False, transient_local=False),),
        arrivals=[Arrival(stamp, stamp + 10_000_000, "camera_optical") for stamp in stamps],
        form=form,
    )


@pytest.fixture
def healthy() -> GraphObservation:
    return GraphObservation(
        seconds=1.0,
        nodes=("/camera", "/mapping", "/perception"),
        topics={
            "/color/image": (IMAGE,),
            "/depth/image": (IMAGE,),
            "/color/camera_info": (CAMERA_INFO,),
            "/tf": ("tf2_msgs/msg/TFMessage",),
        },
        color=stream("/color/image", IMAGE, ImageForm(480, 640, "rgb8")),
        depth=stream("/depth/image", IMAGE, ImageForm(480, 640, "16UC1")),
        camera_info=stream("/color/camera_info", CAMERA_INFO, CameraForm(480, 640, 525.0, 525.0, False)),
        reports={
            "perception": NodeReport("running", 100, {"superseded": 7}),
            "mapping": NodeReport("running", 100, {}),
        },
    )


def troubles(seen: GraphObservation) -> list[Finding]:
    return [finding for finding in graph_findings(seen) if finding.status != OK]


def test_a_healthy_graph_has_no_trouble(healthy: GraphObservation) -> None:
    assert troubles(healthy) == []


def nobody_publishes(seen: GraphObservation) -> None:
    seen.color = Stream("/color/image", IMAGE)
    seen.topics["/camera/rgb"] = (IMAGE,)


def wrong_type(seen: GraphObservation) -> None:
    compressed = replace(seen.color.publishers[0], type_name="sensor_msgs/msg/CompressedImage")
    seen.color = Stream("/color/image", IMAGE, publishers=(compressed,))


def nothing_arrives(seen: GraphObservation) -> None:
    seen.depth.arrivals.clear()
    seen.depth.form = None


def reliability_differs(seen: GraphObservation) -> None:
    seen.color.subscribers = (replace(seen.color.subscribers[0], reliable=True),)


def durability_differs(seen: GraphObservation) -> None:
    seen.color.subscribers = (replace(seen.color.subscribers[0], transient_local=True),)


def zero_stamps(seen: GraphObservation) -> None:
    seen.depth.arrivals = [replace(arrival, stamp_ns=0) for arrival in seen.depth.arrivals]


def backward_stamps(seen: GraphObservation) -> None:
    seen.color.arrivals.append(seen.color.arrivals[0])


def other_clock(seen: GraphObservation) -> None:
    for one in seen.streams:
        one.arrivals = [
            replace(arrival, received_ns=arrival.received_ns + 3600 * SECOND) for arrival in one.arrivals
        ]


def not_synchronised(seen: GraphObservation) -> None:
    # Half a period of 15 Hz away from every color image.
    seen.depth.arrivals = [
        replace(arrival, stamp_ns=arrival.stamp_ns + SECOND // 30) for arrival in seen.depth.arrivals[::2]
    ]
    seen.color.arrivals = seen.color.arrivals[::2]


def depth_is_smaller(seen: GraphObservation) -> None:
    seen.depth.form = ImageForm(240, 320, "16UC1")


def depth_in_another_frame(seen: GraphObservation) -> None:
    seen.depth.arrivals = [replace(arrival, frame_id="camera_depth") for arrival in seen.depth.arrivals]


def strange_depth_encoding(seen: GraphObservation) -> None:
    seen.depth.form = ImageForm(480, 640, "64FC1")


def not_calibrated(seen: GraphObservation) -> None:
    seen.camera_info.form = CameraForm(480, 640, 0.0, 0.0, False)


def distortion(seen: GraphObservation) -> None:
    seen.camera_info.form = CameraForm(480, 640, 525.0, 525.0, True)


def camera_info_of_another_stream(seen: GraphObservation) -> None:
    seen.camera_info.form = CameraForm(720, 1280, 525.0, 525.0, False)


def no_pose(seen: GraphObservation) -> None:
    del seen.topics["/tf"]


def only_static_tf(seen: GraphObservation) -> None:
    seen.topics["/tf_static"] = seen.topics.pop("/tf")


def mapping_not_running(seen: GraphObservation) -> None:
    seen.nodes = ("/camera", "/perception")


def two_perceptions(seen: GraphObservation) -> None:
    seen.nodes = (*seen.nodes, "/robot/perception")


def perception_is_silent(seen: GraphObservation) -> None:
    del seen.reports["perception"]


def all_dropped(seen: GraphObservation) -> None:
    seen.reports["mapping"] = NodeReport("running", 0, {"pose_missing": 90, "depth_empty": 2})


@pytest.mark.parametrize(
    ("spoil", "status", "named"),
    [
        (nobody_publishes, FAIL, "topic /color/image: nobody publishes it (topics of that type: /camera/rgb"),
        (wrong_type, FAIL, "topic /color/image: its type is sensor_msgs/msg/CompressedImage"),
        (nothing_arrives, FAIL, "topic /depth/image: /camera publishes it, but nothing arrived"),
        (
            reliability_differs,
            FAIL,
            "topic /color/image: /perception wants reliable, /camera offers best effort",
        ),
        (durability_differs, FAIL, "topic /color/image: /perception wants transient local"),
        (zero_stamps, FAIL, "stamps of /depth/image: messages have the stamp 0"),
        (backward_stamps, FAIL, "stamps of /color/image: 1 of 31 stamps do not increase"),
        (other_clock, WARN, "stamps of /color/image: 3600.0 s behind"),
        (not_synchronised, FAIL, "synchrony: color and depth are 33 ms apart"),
        (depth_is_smaller, FAIL, "color and depth: color is 480x640, depth 240x320"),
        (depth_in_another_frame, WARN, "color and depth: are in different frames"),
        (strange_depth_encoding, FAIL, "encoding of /depth/image: '64FC1'"),
        (not_calibrated, FAIL, "camera of /color/camera_info: K is zero"),
        (distortion, WARN, "camera of /color/camera_info: declares distortion"),
        (
            camera_info_of_another_stream,
            FAIL,
            "color and camera info: color is 480x640, camera info is for 720x1280",
        ),
        (no_pose, FAIL, "pose: no topic of poses"),
        (only_static_tf, FAIL, "pose: no topic of poses"),
        (mapping_not_running, WARN, "node mapping: not running"),
        (two_perceptions, FAIL, "node perception: 2 are running"),
        (perception_is_silent, WARN, "node perception: /perception sends no diagnostics"),
        (all_dropped, WARN, "drops of mapping: 92 dropped, 0 processed: pose_missing 90, depth_empty 2"),
    ],
)
def test_a_trouble_is_named(
    healthy: GraphObservation, spoil: Callable[[GraphObservation], None], status: str, named: str
) -> None:
    spoil(healthy)
    found = troubles(healthy)
    fitting = [finding for finding in found if f"{finding.check}: {finding.detail}".startswith(named)]
    assert fitting, found
    assert fitting[0].status == status
    assert all(finding.advice for finding in found), "every trouble comes with advice"


def test_an_empty_graph_is_the_only_trouble() -> None:
    empty = Stream("/color/image", IMAGE)
    seen = GraphObservation(2.0, (), {}, color=empty, depth=empty, camera_info=empty)
    found = list(graph_findings(seen))
    assert [finding.check for finding in found] == ["graph"]
    assert "ROS_DOMAIN_ID" in found[0].advice
