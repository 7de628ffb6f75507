"""The node ``replay``: what it sends, when, and how it says that it is done. Over real Fast DDS."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Bool

from rgbd_perception.camera_model import camera_model
from rgbd_perception.errors import UserError
from rgbd_perception.ros.diagnostics import values_of
from rgbd_perception.ros.environment import fastdds_environment
from rgbd_perception.ros.images import color_from_message, depth_from_message
from rgbd_perception.ros.messages import to_nanoseconds
from rgbd_perception.ros.pose_source import matrix_of
from rgbd_perception.ros.prefetch import Prefetch
from rgbd_perception.ros.qos import DIAGNOSTICS, LATCHED, sensor_input
from rgbd_perception.ros.replay_node import ReplayNode
from rgbd_perception.ros.timeline import timeline
from rgbd_perception.sources.opening import open_source
from test.ros.node_thread import NodeThread, wait_for
from test.ros.tiny_room import CAMERA, RATE, room_frames, write_room

FRAMES = 12
TOPICS: dict[str, type] = {
    "color/image": Image,
    "depth/image": Image,
    "color/camera_info": CameraInfo,
    "pose": PoseStamped,
    "odometry": Odometry,
}


class Listener(Node):
    """Keeps everything that replay sends, with the time of its arrival."""

    def __init__(self, context: rclpy.Context, topics: tuple[str, ...] = tuple(TOPICS)) -> None:
        super().__init__("listener", context=context)
        self.received: dict[str, list[Any]] = {topic: [] for topic in TOPICS}
        self.arrivals: list[float] = []
        self.finished: list[bool] = []
        self.status: DiagnosticStatus | None = None
        for topic in topics:
            self.create_subscription(TOPICS[topic], topic, self._keeper(topic), sensor_input("reliable", 100))
        self.create_subscription(Bool, "replay/finished", lambda m: self.finished.append(m.data), LATCHED)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, DIAGNOSTICS)

    def _keeper(self, topic: str) -> Any:
        def keep(message: Any) -> None:
            self.received[topic].append(message)
            if topic == "color/image":
                self.arrivals.append(time.monotonic())

        return keep

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        self.status = message.status[0]

    def stamps(self, topic: str) -> np.ndarray:
        return np.array([to_nanoseconds(message.header.stamp) for message in self.received[topic]])


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_room(tmp_path_factory.mktemp("room"), FRAMES)


@contextmanager
def playing(room: Path, topics: tuple[str, ...] = tuple(TOPICS), **parameters: object) -> Iterator[Listener]:
    """replay in this process, and somebody who listens."""
    overrides = [Parameter(name, value=value) for name, value in {"source": str(room), **parameters}.items()]
    with (
        NodeThread(lambda context: Listener(context, topics)) as listener,
        NodeThread(lambda context: ReplayNode(context=context, parameter_overrides=overrides)),
    ):
        assert isinstance(listener.node, Listener)
        yield listener.node


def test_every_frame_arrives_exactly(room: Path) -> None:
    with playing(room, odometry=True, rate=4.0) as listener:
        wait_for(lambda: listener.finished and listener.finished[-1], 60, "the end")
        wait_for(lambda: all(len(got) == FRAMES for got in listener.received.values()), 60, "all messages")
        stamps = listener.stamps("color/image")
        for topic in TOPICS:
            assert (listener.stamps(topic) == stamps).all()
        # Stamps follow the speed of the play, and are those of a live camera.
        np.testing.assert_allclose(np.diff(stamps), 1e9 / RATE / 4, atol=2)
        assert abs(stamps[-1] * 1e-9 - time.time()) < 10
        for index, frame in enumerate(room_frames(FRAMES)):
            got = {topic: messages[index] for topic, messages in listener.received.items()}
            np.testing.assert_array_equal(color_from_message(got["color/image"]), frame.color)
            np.testing.assert_allclose(depth_from_message(got["depth/image"]), frame.depth, atol=0.00051)
            assert camera_model(got["color/camera_info"]).intrinsics == CAMERA
            assert got["color/image"].header.frame_id == "camera_color_optical_frame"
            assert frame.pose is not None
            for message, pose in (
                (got["pose"], got["pose"].pose),
                (got["odometry"], got["odometry"].pose.pose),
            ):
                # The optical camera frame in header.frame_id.
                assert message.header.frame_id == "map"
                np.testing.assert_allclose(matrix_of(pose), frame.pose, atol=1e-6)
            assert got["odometry"].child_frame_id == "camera_color_optical_frame"
        wait_for(
            lambda: listener.status is not None and listener.status.message == "finished", 60, "diagnostics"
        )
        values = values_of(listener.status)
        assert (values["frames_sent"], values["frames_in"], values["finished"]) == ("12", "12", "True")


def test_frames_come_in_time(room: Path) -> None:
    with playing(room, fps=30.0) as listener:
        wait_for(lambda: listener.finished and listener.finished[-1], 60, "the end")
        wait_for(lambda: len(listener.arrivals) == FRAMES, 60, "all frames")
        took = listener.arrivals[-1] - listener.arrivals[0]
        assert 0.9 * 11 / 30 < took < 11 / 30 + 2.0
        np.testing.assert_allclose(np.diff(listener.stamps("color/image")), 1e9 / 30, atol=2)


def test_it_waits_for_its_listeners(room: Path) -> None:
    context = rclpy.Context()
    rclpy.init(context=context)
    overrides = [Parameter("source", value=str(room)), Parameter("rate", value=4.0)]
    node = ReplayNode(context=context, parameter_overrides=overrides)
    try:
        assert not node.finished.wait(0.8)
        assert node.ledger.counts().frames_in == 0
        with NodeThread(Listener) as listener:
            assert node.finished.wait(60)
            assert isinstance(listener.node, Listener)
            received = listener.node.received["color/image"]
            wait_for(lambda: len(received) == FRAMES, 60, "all frames")
    finally:
        node.destroy_node()
        context.try_shutdown()


def test_it_plays_without_listeners_when_told_not_to_wait(room: Path) -> None:
    with playing(room, (), rate=100.0, wait_for_subscribers=0.0) as listener:
        wait_for(lambda: listener.finished and listener.finished[-1], 60, "the end")


def test_a_missing_source_is_one_clear_line() -> None:
    command = [sys.executable, "-m", "rgbd_perception.ros.replay_node", "--ros-args"]
    ended = subprocess.run(
        [*command, "-p", "source:=/does/not/exist"], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    assert "/does/not/exist" in ended.stderr and "Traceback" not in ended.stderr


def test_a_signal_in_the_middle_ends_it_cleanly(room: Path) -> None:
    command = [sys.executable, "-m", "rgbd_perception.ros.replay_node", "--ros-args"]
    command += ["-p", f"source:={room}", "-p", "loop:=true", "-p", "fps:=50.0"]
    environment = os.environ | fastdds_environment()
    with NodeThread(Listener) as listener:
        assert isinstance(listener.node, Listener)
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        color = listener.node.received["color/image"]
        wait_for(lambda: len(color) > 2 * FRAMES, 60, "two loops")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 0, errors
        assert "Traceback" not in errors
        assert (np.diff(listener.node.stamps("color/image")) > 0).all()


def test_the_timeline_of_a_source(room: Path) -> None:
    source = open_source(str(room))
    recorded = [due for due, _ in timeline(source)]
    np.testing.assert_allclose(recorded, np.arange(FRAMES) * 1e8, atol=2)
    assert [due for due, _ in timeline(source, rate=2.0)] == pytest.approx([due / 2 for due in recorded])
    assert len(list(timeline(source, limit=5))) == 5
    looped = [due for due, _ in timeline(source, loop=True, limit=3 * FRAMES)]
    assert len(looped) == 3 * FRAMES
    np.testing.assert_allclose(np.diff(looped), 1e8, atol=4)


def test_prefetch_hands_on_items_then_errors() -> None:
    def three_and_an_error() -> Iterator[int]:
        yield from range(3)
        raise UserError("the disk is gone")

    prefetch = Prefetch(three_and_an_error, depth=10)
    assert prefetch.wait_until_full(5) and prefetch.is_full
    assert prefetch.made == 3
    got: list[int] = []
    with pytest.raises(UserError, match="the disk is gone"):
        got.extend(prefetch)
    assert got == [0, 1, 2]
    prefetch.close()


def test_prefetch_is_bounded_and_can_be_closed_at_any_time() -> None:
    made: list[int] = []

    def endless() -> Iterator[int]:
        while True:
            made.append(len(made))
            yield made[-1]

    prefetch = Prefetch(endless, depth=4)
    assert prefetch.wait_until_full(5)
    time.sleep(0.05)
    assert len(made) <= 6
    assert next(iter(prefetch)) == 0
    prefetch.close()
    assert list(prefetch) == []
