"""Parameters from dataclasses: defaults, overrides from a command line, clear errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import rclpy
from rclpy.node import Node

from rgbd_perception.errors import UserError
from rgbd_perception.ros.parameters import declare, describe, parameter
from rgbd_perception.ros.perception_node import PerceptionParameters
from rgbd_perception.ros.replay_node import ReplayParameters


@dataclass(frozen=True)
class Example:
    slop: float = parameter(0.02, "distance in time", unit="s", minimum=0.0, maximum=1.0)
    count: int = parameter(3, "how many", minimum=0)
    model: str = parameter("small", "which", choices=("small", "big"))
    labels: tuple[str, ...] = parameter((), "names")
    pose: tuple[float, ...] = parameter((0.0, 1.0), "numbers")
    loop: bool = parameter(False, "again")


@pytest.fixture(scope="module")
def context() -> Iterator[rclpy.Context]:
    context = rclpy.Context()
    rclpy.init(context=context)
    yield context
    rclpy.shutdown(context=context)


def declared(context: rclpy.Context, *arguments: str) -> Example:
    pairs = [part for argument in arguments for part in ("-p", argument)]
    node = Node("example", context=context, cli_args=["--ros-args", *pairs])
    try:
        return declare(node, Example)
    finally:
        node.destroy_node()


def test_defaults(context: rclpy.Context) -> None:
    assert declared(context) == Example()


def test_overrides_from_the_command_line(context: rclpy.Context) -> None:
    values = declared(
        context, "slop:=1", "count:=7", "model:=big", "labels:=[a, b]", "pose:=[1, 2]", "loop:=true"
    )
    assert values == Example(1.0, 7, "big", ("a", "b"), (1.0, 2.0), True)
    assert isinstance(values.slop, float)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("slop:=fast", r"parameter slop to be a float in s \(at least 0, at most 1\), got 'fast'"),
        ("slop:=2.0", r"parameter slop .* got 2\.0: set it as -p slop:=0\.02"),
        ("count:=1.5", "parameter count to be a int"),
        ("count:=-1", "at least 0"),
        ("model:=medium", "one of small, big"),
        ("labels:=[1, 2]", "parameter labels to be a list of strings"),
        ("pose:=[a]", "parameter pose to be a list of floats"),
        ("loop:=1", "parameter loop to be a bool"),
    ],
)
def test_wrong_values_are_explained(context: rclpy.Context, argument: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        declared(context, argument)


def test_descriptions_reach_ros(context: rclpy.Context) -> None:
    node = Node("described", context=context)
    try:
        declare(node, Example)
        descriptor = node.describe_parameter("slop")
        assert descriptor.description == "distance in time [s]"
        assert descriptor.additional_constraints == "at least 0, at most 1"
        assert descriptor.read_only
    finally:
        node.destroy_node()


@pytest.mark.parametrize("config", [PerceptionParameters, ReplayParameters])
def test_the_parameters_of_the_nodes_are_described(config: type) -> None:
    rows = describe(config)
    assert all(row.description for row in rows)
    assert config() == config(**{row.name: row.default for row in rows})
