"""Poses from real topics: PoseStamped, Odometry with a camera fixed in the child frame, and a missing tf2."""

from __future__ import annotations

import importlib.util
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import PoseStamped, TransformStamped
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile

from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.geometry import make_pose
from rgbd_perception.ros.messages import to_stamp
from rgbd_perception.ros.pose_source import make_pose_source
from rgbd_perception.ros.waiting_room import NotYet

QOS = QoSProfile(depth=10)
TURN_LEFT = (0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5))


@pytest.fixture
def graph():
    """A node under test, a node that sends, and ``deliver(condition)`` that spins both."""
    context = rclpy.Context()
    rclpy.init(context=context)
    nodes = [rclpy.create_node(name, context=context) for name in ("under_test", "sender")]
    executor = SingleThreadedExecutor(context=context)
    for node in nodes:
        executor.add_node(node)

    def deliver(condition):
        end = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < end, "nothing arrived within 10 s"
            executor.spin_once(timeout_sec=0.05)

    yield (*nodes, deliver)
    for node in nodes:
        node.destroy_node()
    context.try_shutdown()


def start(node, sender, deliver, kind, message_type, arrivals, camera_in_child=(0, 0, 0, 0, 0, 0, 1)):
    poses = make_pose_source(
        node,
        kind,
        map_frame="map",
        camera_in_child=camera_in_child,
        qos=QOS,
        on_arrival=lambda: arrivals.append(1),
    )
    publisher = sender.create_publisher(message_type, kind, QOS)
    deliver(lambda: publisher.get_subscription_count() == 1)
    return poses, publisher


def fill(pose, position, quaternion):
    pose.position.x, pose.position.y, pose.position.z = map(float, position)
    pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w = map(float, quaternion)


def test_pose_topic_is_the_camera_and_is_interpolated(graph):
    node, sender, deliver = graph
    arrivals = []
    poses, publisher = start(node, sender, deliver, "pose", PoseStamped, arrivals)
    with pytest.raises(NotYet, match="pose_missing"):
        poses.lookup("camera", 0)
    for second, x in ((1, 1.0), (2, 3.0)):
        message = PoseStamped()
        message.header.frame_id = "map"
        message.header.stamp = to_stamp(second * 10**9 // 2)
        fill(message.pose, (x, 0, 0), (0, 0, 0, 1))
        publisher.publish(message)
    deliver(lambda: len(arrivals) == 2)
    np.testing.assert_allclose(poses.lookup("camera", 750_000_000), make_pose((2, 0, 0), (0, 0, 0, 1)))
    with pytest.raises(NotYet, match="pose_extrapolation"):
        poses.lookup("camera", 1_000_000_001)


def test_odometry_carries_the_camera_along(graph):
    """A robot at (10, 0) turned left by 90 degrees: a camera 1 m ahead is at (10, 1), not at (11, 0)."""
    node, sender, deliver = graph
    arrivals = []
    camera = (1.0, 0.0, 0.5, 0.0, 0.0, 0.0, 1.0)
    poses, publisher = start(node, sender, deliver, "odometry", Odometry, arrivals, camera_in_child=camera)
    message = Odometry(child_frame_id="base_link")
    message.header.frame_id = "map"
    fill(message.pose.pose, (10, 0, 0), TURN_LEFT)
    publisher.publish(message)
    deliver(lambda: arrivals)
    np.testing.assert_allclose(poses.lookup("camera", 0), make_pose((10, 1, 0.5), TURN_LEFT), atol=1e-12)


@pytest.mark.parametrize(
    ("frame_id", "quaternion", "reason"),
    [
        ("odom", (0, 0, 0, 1), "pose_frame_mismatch"),
        ("map", (0, 0, 0, 0), "pose_invalid"),
        ("map", (np.nan, 0, 0, 1), "pose_invalid"),
    ],
)
def test_bad_pose_is_named_and_the_next_good_one_helps(graph, frame_id, quaternion, reason):
    node, sender, deliver = graph
    arrivals = []
    poses, publisher = start(node, sender, deliver, "pose", PoseStamped, arrivals)
    message = PoseStamped()
    message.header.frame_id = frame_id
    fill(message.pose, (0, 0, 0), quaternion)
    publisher.publish(message)
    deliver(lambda: len(arrivals) == 1)
    with pytest.raises(FrameDropped) as dropped:
        poses.lookup("camera", 0)
    assert dropped.value.reason == reason
    message.header.frame_id = "map"
    fill(message.pose, (1, 2, 3), (0, 0, 0, 1))
    publisher.publish(message)
    deliver(lambda: len(arrivals) == 2)
    np.testing.assert_array_equal(poses.lookup("camera", 0)[:3, 3], (1, 2, 3))


def test_region_in_another_frame_needs_tf(graph):
    node, sender, deliver = graph
    poses, _ = start(node, sender, deliver, "pose", PoseStamped, [])
    with pytest.raises(UserError, match=r"expected a region or point in frame 'map', got 'kitchen'"):
        poses.frame_in_map("kitchen")


@pytest.mark.parametrize(
    ("kind", "camera", "message"),
    [
        ("gps", (0, 0, 0, 0, 0, 0, 1), "one of tf, pose, odometry, got 'gps'"),
        ("odometry", (1, 2, 3), "x y z qx qy qz qw, got \\[1, 2, 3\\]"),
        ("odometry", (0, 0, 0, 0, 0, 0, 0), "not zero"),
    ],
)
def test_wrong_parameters_are_explained(graph, kind, camera, message):
    with pytest.raises(UserError, match=message):
        make_pose_source(
            graph[0], kind, map_frame="map", camera_in_child=camera, qos=QOS, on_arrival=lambda: None
        )


@pytest.mark.skipif(importlib.util.find_spec("tf2_ros") is not None, reason="tf2_ros is installed")
def test_tf_without_tf2_says_what_to_install(graph):
    with pytest.raises(UserError, match="tf2_ros, which is not installed"):
        make_pose_source(
            graph[0], "tf", map_frame="map", camera_in_child=(), qos=QOS, on_arrival=lambda: None
        )


def _tf_standin():
    """tf2_ros as far as it is asked: the camera is at x = 9 now, and was at x = 1 at any other time."""
    names = ("TransformException", "ExtrapolationException", "LookupException", "ConnectivityException")
    failures = {name: type(name, (Exception,), {}) for name in names}

    class Buffer:
        def lookup_transform(self, target, source, when):
            transform = TransformStamped()
            transform.transform.translation.x = 1.0 if when.nanoseconds else 9.0
            return transform

    return SimpleNamespace(Buffer=Buffer, TransformListener=lambda buffer, node: None, **failures)


@pytest.mark.parametrize("stamp_ns", [0, -1_500_000_000])
def test_a_frame_without_a_stamp_does_not_get_the_newest_transform(graph, monkeypatch, stamp_ns):
    monkeypatch.setitem(sys.modules, "tf2_ros", _tf_standin())
    poses = make_pose_source(
        graph[0], "tf", map_frame="map", camera_in_child=(), qos=QOS, on_arrival=lambda: None
    )
    assert poses.lookup("camera", 10**9)[0, 3] == 1
    assert poses.frame_in_map("kitchen")[0, 3] == 9
    with pytest.raises(FrameDropped, match="stamp_zero"):
        poses.lookup("camera", stamp_ns)
