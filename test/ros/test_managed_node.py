"""Whoever destroys one of our lifecycle nodes is rid of it, even while its Python object is still held."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter

from rgbd_perception.ros.mapping_node import MappingNode
from rgbd_perception.ros.perception_node import PerceptionNode
from test.ros.color_predictor import make_color_predictor
from test.ros.node_thread import NodeThread, wait_for


def perception(context: rclpy.Context) -> Node:
    return PerceptionNode("ended", predictor_factory=make_color_predictor, context=context)


def mapping(context: rclpy.Context) -> Node:
    topic = Parameter("pose_source", value="pose")
    return MappingNode("ended", context=context, parameter_overrides=[topic])


@pytest.mark.parametrize("make", [perception, mapping])
def test_a_destroyed_node_leaves_the_graph(make: Callable[[rclpy.Context], Node]) -> None:
    with NodeThread(lambda context: rclpy.create_node("observer", context=context)) as observer:

        def seen() -> set[str]:
            nodes = {name for name, _ in observer.node.get_node_names_and_namespaces()}
            services = {name for name, _ in observer.node.get_service_names_and_types()}
            return (nodes & {"ended"}) | (services & {"/ended/change_state", "/ended/get_state"})

        with NodeThread(make) as ended:
            wait_for(lambda: len(seen()) == 3, 30, "the node and its services are seen")
        wait_for(lambda: not seen(), 10, "the node is gone")
        ended.node.destroy_node()  # once more does no harm
