"""``rgbd-perception doctor``: what is wrong with this machine, graph or camera, and what to do about it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rgbd_perception.cli.output import add_json_argument, text_output, write_json
from rgbd_perception.errors import UserError

if TYPE_CHECKING:
    from rgbd_perception.doctor.finding import Finding

NAME = "doctor"
HELP = "find out what is wrong with this machine, graph or camera"
EPILOG = """examples:
  rgbd-perception doctor                 this machine: Python, ROS 2, messages, Fast DDS, torch, weights
  rgbd-perception doctor --graph 5       and 5 seconds of the running graph: topics, QoS, stamps, sizes, poses
  rgbd-perception doctor --graph 5 --color /camera/color/image_raw \\
      --depth /camera/aligned_depth_to_color/image_raw --camera-info /camera/color/camera_info

exit status: 0 nothing failed, 1 a check failed, 2 bad options
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--graph", type=float, metavar="SECONDS", help="also listen to the running ROS graph")
    parser.add_argument(
        "--color", metavar="TOPIC", help="color image (default: what perception subscribes to)"
    )
    parser.add_argument("--depth", metavar="TOPIC", help="depth image, aligned to color")
    parser.add_argument("--camera-info", metavar="TOPIC", help="camera info of the color image")
    add_json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print every finding as soon as it is known. Returns 1 if a check failed."""
    if args.graph is not None and not 0 < args.graph <= 600:
        raise UserError(f"expected --graph between 0 and 600 seconds, got {args.graph}")
    findings: list[Finding] = []
    with text_output(args.json):
        for finding in _findings(args):
            findings.append(finding)
            print(f"{finding.status:>4}  {finding.check}: {finding.detail}", flush=True)
            if finding.advice:
                print(f"      -> {finding.advice}", flush=True)
        counts = {status: sum(f.status == status for f in findings) for status in ("ok", "warn", "fail")}
        print(", ".join(f"{count} {status}" for status, count in counts.items()))
    write_json(args.json, {"findings": [vars(finding) for finding in findings], "counts": counts})
    return 1 if counts["fail"] else 0


def _findings(args: argparse.Namespace) -> Iterator[Finding]:
    from rgbd_perception.doctor.finding import FAIL
    from rgbd_perception.doctor.machine import machine_findings
    from rgbd_perception.doctor.ros_install import check_environment, ros_findings

    yield from machine_findings()
    yield from ros_findings()
    if args.graph is not None and check_environment(os.environ).status != FAIL:
        from rgbd_perception.doctor.graph import graph_findings

        try:
            from rgbd_perception.ros.graph_observer import observe_graph
        except ImportError as error:
            raise UserError(f"--graph needs ROS 2, which cannot be loaded: {error}") from error
        yield from graph_findings(observe_graph(args.graph, (args.color, args.depth, args.camera_info)))
