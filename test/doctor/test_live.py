"""The doctor beside a real camera publisher with the usual mistakes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

rclpy = pytest.importorskip("rclpy", reason="listening to a graph needs ROS 2")

from sensor_msgs.msg import CameraInfo, Image  # noqa: E402

from rgbd_perception.cli.main import main  # noqa: E402
from rgbd_perception.doctor.finding import FAIL, OK  # noqa: E402
from rgbd_perception.doctor.graph import graph_findings  # noqa: E402
from rgbd_perception.ros.graph_observer import observe_graph  # noqa: E402


@pytest.fixture
def camera() -> Iterator[None]:
    """Color 8x12, depth of another size and without stamps, a camera info of zeros, at 20 Hz."""
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("camera", context=context)
    color = node.create_publisher(Image, "/color/image", 5)
    depth = node.create_publisher(Image, "/depth/image", 5)
    info = node.create_publisher(CameraInfo, "/color/camera_info", 5)
    stop = threading.Event()

    def publish() -> None:
        while not stop.wait(0.05):
            stamp = node.get_clock().now().to_msg()
            image = Image(height=8, width=12, encoding="rgb8", step=36, data=bytes(8 * 36))
            image.header.stamp, image.header.frame_id = stamp, "camera_optical"
            color.publish(image)
            depth.publish(Image(height=4, width=6, encoding="16UC1", step=12, data=bytes(48)))
            camera_info = CameraInfo(height=8, width=12)
            camera_info.header = image.header
            info.publish(camera_info)

    thread = threading.Thread(target=publish)
    thread.start()
    yield
    stop.set()
    thread.join()
    node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.mark.usefixtures("camera")
def test_the_mistakes_of_a_camera_are_named() -> None:
    findings = list(graph_findings(observe_graph(seconds=1.5)))
    failed = {finding.check: finding.detail for finding in findings if finding.status == FAIL}
    assert failed["stamps of /depth/image"] == "messages have the stamp 0"
    assert failed["color and depth"] == "color is 8x12, depth 4x6"
    assert failed["camera of /color/camera_info"].startswith("K is zero")
    assert "pose" in failed
    fine = {finding.check: finding.detail for finding in findings if finding.status == OK}
    assert "from /camera" in fine["topic /color/image"]
    assert fine["encoding of /color/image"] == "rgb8, 8x12"


@pytest.mark.usefixtures("camera")
def test_topics_can_be_chosen() -> None:
    seen = observe_graph(seconds=0.5, topics=("/elsewhere", None, None))
    assert [stream.topic for stream in seen.streams] == ["/elsewhere", "/depth/image", "/color/camera_info"]
    named = [finding for finding in graph_findings(seen) if finding.check == "topic /elsewhere"]
    assert "nobody publishes it (topics of that type: /color/image, /depth/image)" in named[0].detail


@pytest.mark.slow
def test_the_report_of_this_machine(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    status = main(["doctor", "--json", str(report)])
    result = json.loads(report.read_text("utf-8"))
    checks = {entry["check"]: entry["status"] for entry in result["findings"]}
    assert {"python", "weights", "open3d", "torch", "text encoder", "rclpy", "messages"} <= set(checks)
    assert status == (1 if FAIL in checks.values() else 0)
    assert checks["messages"] == OK
