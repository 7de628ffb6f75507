"""How a recording is to be read: one set of options for every layout, and its command line arguments."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

from rgbd_perception.errors import UserError

UP_CHOICES = ("x", "-x", "y", "-y", "z", "-z", "auto")
DEPTH_ENCODINGS = ("auto", "mm", "tum", "sunrgbd")


@dataclass(frozen=True)
class SourceOptions:
    """Options of ``open_source``. Raises UserError for values that cannot be meant.

    intrinsics          fx, fy, cx, cy in pixels of the color image; None: from the recording
    max_depth           metres; what is farther counts as no measurement
    up                  axis of the recording's world that points up, or "auto"
    rate                frames a second where the recording has no stamps
    depth_encoding      of depth files: "mm", "tum" (5000 units a metre), "sunrgbd" (millimetres rotated left
                        by three bits), "auto": as usual for the layout
    color_topic, depth_topic, camera_info_topic, pose_topic    of bags; empty: found by type and name
    map_frame           of bags with a pose from /tf; empty: "map" where it exists, else the root of the tree
    camera_in_child     pose x y z qx qy qz qw of the optical frame in the child frame of an odometry topic;
                        None: from /tf and /tf_static
    slop                seconds that a depth image may differ from its color image
    max_pose_gap        seconds between two poses above which nothing is interpolated
    """

    intrinsics: tuple[float, float, float, float] | None = None
    max_depth: float = 6.0
    up: str = "auto"
    rate: float = 10.0
    depth_encoding: str = "auto"
    color_topic: str = ""
    depth_topic: str = ""
    camera_info_topic: str = ""
    pose_topic: str = ""
    map_frame: str = ""
    camera_in_child: tuple[float, ...] | None = None
    slop: float = 0.02
    max_pose_gap: float = 1.0

    def __post_init__(self) -> None:
        if self.up not in UP_CHOICES:
            raise UserError(f"expected --up as one of {', '.join(UP_CHOICES)}, got '{self.up}'")
        if self.depth_encoding not in DEPTH_ENCODINGS:
            raise UserError(
                f"expected --depth-encoding as one of {', '.join(DEPTH_ENCODINGS)}, "
                f"got '{self.depth_encoding}'"
            )
        for name in ("max_depth", "rate", "slop", "max_pose_gap"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise UserError(f"expected --{name.replace('_', '-')} as a positive number, got {value}")
        if self.intrinsics is not None:
            _check_numbers("--intrinsics", "fx,fy,cx,cy", self.intrinsics, 4)
            if self.intrinsics[0] <= 0 or self.intrinsics[1] <= 0:
                raise UserError(f"expected positive fx and fy in --intrinsics, got {self.intrinsics[:2]}")
        if self.camera_in_child is not None:
            _check_numbers("--camera-in-child", "x,y,z,qx,qy,qz,qw", self.camera_in_child, 7)


def _check_numbers(option: str, form: str, numbers: tuple[float, ...], count: int) -> None:
    if len(numbers) != count or not all(math.isfinite(number) for number in numbers):
        raise UserError(f"expected {option} {form} ({count} finite numbers), got {numbers}")


def _parse_numbers(text: str) -> tuple[float, ...]:
    """Numbers separated by commas or spaces."""
    try:
        return tuple(float(part) for part in text.replace(",", " ").split())
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected numbers separated by commas, got '{text}'") from None


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of SourceOptions to a sub-command; read them back with ``options_from_arguments``."""
    default = SourceOptions()
    group = parser.add_argument_group("reading the source")
    group.add_argument(
        "--intrinsics",
        type=_parse_numbers,
        metavar="FX,FY,CX,CY",
        help="of the color image in pixels, instead of those of the recording",
    )
    group.add_argument(
        "--max-depth",
        type=float,
        default=default.max_depth,
        metavar="M",
        help="metres; what is farther is no measurement (default %(default)s)",
    )
    group.add_argument(
        "--up",
        choices=UP_CHOICES,
        default=default.up,
        help="axis of the recording's world that points up (default %(default)s: from the depth images)",
    )
    group.add_argument(
        "--rate",
        type=float,
        default=default.rate,
        metavar="HZ",
        help="frames a second where the recording has no stamps (default %(default)s)",
    )
    group.add_argument(
        "--depth-encoding",
        choices=DEPTH_ENCODINGS,
        default=default.depth_encoding,
        help="of depth files (default %(default)s: millimetres, 5000 units a metre for TUM)",
    )
    _add_bag_arguments(parser, default)


def _add_bag_arguments(parser: argparse.ArgumentParser, default: SourceOptions) -> None:
    group = parser.add_argument_group("reading rosbag2 files")
    for name, what in (
        ("color", "color images"),
        ("depth", "depth images registered to color"),
        ("camera-info", "camera info of the color image"),
        ("pose", "/tf, or a PoseStamped (of the optical frame) or Odometry topic"),
    ):
        group.add_argument(f"--{name}-topic", default="", metavar="TOPIC", help=f"{what} (default: found)")
    group.add_argument("--map-frame", default="", help="fixed frame of /tf (default: map or the root)")
    group.add_argument(
        "--camera-in-child",
        type=_parse_numbers,
        metavar="X,Y,Z,QX,QY,QZ,QW",
        help="optical frame in the odometry's child frame (default: from /tf_static)",
    )
    group.add_argument(
        "--slop",
        type=float,
        default=default.slop,
        metavar="S",
        help="seconds between a color image and its depth image (default %(default)s)",
    )
    group.add_argument(
        "--max-pose-gap",
        type=float,
        default=default.max_pose_gap,
        metavar="S",
        help="seconds between poses above which nothing is interpolated (default %(default)s)",
    )


def options_from_arguments(arguments: argparse.Namespace) -> SourceOptions:
    """The options that ``add_source_arguments`` put into ``arguments``. Raises UserError."""
    return SourceOptions(**{name: getattr(arguments, name) for name in SourceOptions.__dataclass_fields__})
