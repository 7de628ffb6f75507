"""Listening to a running graph for a few seconds, for ``rgbd-perception doctor --graph``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from rclpy.topic_endpoint_info import TopicEndpointInfo
from sensor_msgs.msg import CameraInfo, Image

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
from rgbd_perception.ros.diagnostics import counts_of
from rgbd_perception.ros.qos import DIAGNOSTICS, SENSOR_DATA

DEFAULT_TOPICS = ("/color/image", "/depth/image", "/color/camera_info")
"""Of color, depth and camera info, where perception is not running and nothing else was asked for."""

_DISCOVERY_S = 2.0
_OWN_NAME = "rgbd_perception_doctor"


def observe_graph(seconds: float, topics: Sequence[str | None] = (None, None, None)) -> GraphObservation:
    """Listen for ``seconds``.

    topics  color, depth and camera info; None: those that perception subscribes to, or the default names
    """
    rclpy.init(args=[])
    node = rclpy.create_node(_OWN_NAME)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        _spin(executor, _DISCOVERY_S)
        chosen = [
            given or found or default
            for given, found, default in zip(topics, _inputs_of_perception(node), DEFAULT_TOPICS, strict=True)
        ]
        observer = _Observer(node, chosen)
        _spin(executor, seconds)
        return observer.observation(seconds)
    finally:
        executor.shutdown(timeout_sec=0)
        node.destroy_node()
        rclpy.try_shutdown()


def _spin(executor: SingleThreadedExecutor, seconds: float) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        executor.spin_once(timeout_sec=left)


def _inputs_of_perception(node: Node) -> tuple[str | None, str | None, str | None]:
    """Where the inputs of a running perception node are remapped to: color, depth, camera info."""
    for name, namespace in node.get_node_names_and_namespaces():
        if name != "perception":
            continue
        subscribed = dict(node.get_subscriber_names_and_types_by_node(name, namespace))
        images = sorted(topic for topic, types in subscribed.items() if IMAGE in types)
        infos = sorted(topic for topic, types in subscribed.items() if CAMERA_INFO in types)
        depth = next((topic for topic in images if "depth" in topic), None)
        color = next((topic for topic in images if topic != depth), None)
        return color, depth, infos[0] if infos else None
    return None, None, None


class _Observer:
    """Subscriptions to the three topics and to /diagnostics, and what came."""

    def __init__(self, node: Node, topics: Sequence[str]) -> None:
        self._node = node
        self._reports: dict[str, NodeReport] = {}
        self._streams = [
            Stream(topic, type_name)
            for topic, type_name in zip(topics, (IMAGE, IMAGE, CAMERA_INFO), strict=True)
        ]
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, DIAGNOSTICS)
        for stream in self._streams:
            message_type: type[Any] = CameraInfo if stream.type_name == CAMERA_INFO else Image
            # Best effort hears every publisher.
            node.create_subscription(message_type, stream.topic, self._recorder(stream), SENSOR_DATA)

    @staticmethod
    def _recorder(stream: Stream) -> Any:
        def record(message: Any) -> None:
            stamp = message.header.stamp
            stamp_ns = stamp.sec * 1_000_000_000 + stamp.nanosec
            stream.arrivals.append(Arrival(stamp_ns, time.time_ns(), message.header.frame_id))
            stream.form = _form(message)

        return record

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.hardware_id == "rgbd_perception":
                counts = counts_of(status)
                self._reports[status.name] = NodeReport(status.message, counts.frames_processed, counts.drops)

    def observation(self, seconds: float) -> GraphObservation:
        """All that was seen until now; our own node and its subscriptions are left out."""
        node = self._node
        names = (
            f"{namespace.rstrip('/')}/{name}"
            for name, namespace in node.get_node_names_and_namespaces()
            if name != _OWN_NAME
        )
        for stream in self._streams:
            stream.publishers = _endpoints(node.get_publishers_info_by_topic(stream.topic))
            stream.subscribers = _endpoints(node.get_subscriptions_info_by_topic(stream.topic))
        published = {topic: tuple(types) for topic, types in node.get_topic_names_and_types()}
        return GraphObservation(
            seconds=seconds,
            nodes=tuple(sorted(names)),
            topics={topic: types for topic, types in published.items() if node.count_publishers(topic)},
            color=self._streams[0],
            depth=self._streams[1],
            camera_info=self._streams[2],
            reports=self._reports,
        )


def _form(message: Image | CameraInfo) -> ImageForm | CameraForm:
    if isinstance(message, Image):
        return ImageForm(message.height, message.width, message.encoding)
    return CameraForm(
        height=message.height,
        width=message.width,
        fx=float(message.k[0]),
        fy=float(message.k[4]),
        distorted=bool(np.any(np.abs(np.asarray(message.d, dtype=np.float64)) > 1e-9)),
    )


def _endpoints(found: Sequence[TopicEndpointInfo]) -> tuple[Endpoint, ...]:
    return tuple(
        Endpoint(
            node=f"{info.node_namespace.rstrip('/')}/{info.node_name}",
            type_name=info.topic_type,
            reliable=info.qos_profile.reliability == ReliabilityPolicy.RELIABLE,
            transient_local=info.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL,
        )
        for info in found
        if info.node_name != _OWN_NAME
    )
