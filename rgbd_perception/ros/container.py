"""Several nodes in one process: perception hands its frames to mapping by reference, without a message.

    python -m rgbd_perception.ros.container [--nodes perception mapping] [--ros-args ...]

Parameters go to a node by its name: ``--ros-args -p mapping:pose_source:=pose``, or by a parameter file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rgbd_perception.errors import UserError
from rgbd_perception.ros.quiet_start import QuietStart, end_process

if TYPE_CHECKING:
    from rclpy.node import Node

NODES = ("perception", "mapping", "replay")


def make_nodes(names: Sequence[str]) -> list[Node]:
    """The nodes of these names, perception connected to mapping where both are asked for.

    Raises UserError for another name, and what the nodes raise.
    """
    unknown = [name for name in names if name not in NODES]
    if unknown or not names:
        raise UserError(f"expected nodes out of {', '.join(NODES)}, got {', '.join(unknown) or 'none'}")
    nodes: list[Node] = []
    try:
        mapping = perception = None
        if "mapping" in names:
            from rgbd_perception.ros.mapping_node import MappingNode

            mapping = MappingNode(take_frames=False) if "perception" in names else MappingNode()
            nodes.append(mapping)
        if "perception" in names:
            from rgbd_perception.ros.perception_node import PerceptionNode

            perception = PerceptionNode(frame_sink=None if mapping is None else mapping.accept)
            nodes.append(perception)
        if "replay" in names:
            from rgbd_perception.ros.replay_node import ReplayNode

            nodes.append(ReplayNode())
    except BaseException:
        for node in nodes:
            node.destroy_node()
        raise
    return nodes


def main(args: Sequence[str] | None = None) -> int:
    """Run the container until SIGINT or SIGTERM.

    args  as on the command line; None: those of this process, which then ends in here
    """
    starting = QuietStart()
    from rgbd_perception.ros.runtime import spin_nodes

    own, ros_args = split_arguments(sys.argv[1:] if args is None else args)
    parser = argparse.ArgumentParser(prog="rgbd-perception container", description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", nargs="+", choices=NODES, default=["perception", "mapping"])
    names = parser.parse_args(own).nodes

    def factory() -> list[Node]:
        starting.over()
        return make_nodes(names)

    status = spin_nodes(factory, ros_args)
    if args is None:
        end_process(status)
    return status


def split_arguments(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Our own arguments, and those from ``--ros-args`` on (which `ros2 run` and launch files append)."""
    arguments = list(arguments)
    start = arguments.index("--ros-args") if "--ros-args" in arguments else len(arguments)
    return arguments[:start], arguments[start:]


if __name__ == "__main__":
    sys.exit(main())
