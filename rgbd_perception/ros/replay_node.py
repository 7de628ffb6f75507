"""The node ``replay``: plays recorded frames as the topics of a camera and its pose, in time.

Stamps follow the play, not the recording: the first frame is stamped with the time it is sent, and the
distances of the recorded stamps are divided by ``rate``. So a consumer sees a live camera at every play.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Bool

from rgbd_perception.bookkeeping import FrameLedger, StepTimer
from rgbd_perception.errors import UserError
from rgbd_perception.ros import diagnostics
from rgbd_perception.ros.parameters import declare, parameter
from rgbd_perception.ros.prefetch import Prefetch
from rgbd_perception.ros.qos import LATCHED, REPLAY_OUTPUT
from rgbd_perception.ros.replay_messages import ReplayFrame, make_replay_frame
from rgbd_perception.ros.runtime import spin_node
from rgbd_perception.ros.timeline import timeline
from rgbd_perception.sources.base import Source
from rgbd_perception.sources.opening import open_source
from rgbd_perception.sources.options import DEPTH_ENCODINGS, UP_CHOICES, SourceOptions

_SETTLE_S = 0.3
_MAX_LATE_S = 0.5


@dataclass(frozen=True)
class ReplayParameters:
    """Read once at the start."""

    source: str = parameter("synthetic", "what to play: synthetic[:SEED], or a folder or a bag")
    rate: float = parameter(1.0, "factor of the speed", minimum=0.001, maximum=1000.0)
    fps: float = parameter(0.0, "frames per second at rate 1; 0: as recorded", unit="Hz", minimum=0.0)
    loop: bool = parameter(False, "start again at the end; stamps go on")
    frames: int = parameter(0, "stop after so many frames; 0: all", minimum=0)
    prefetch: int = parameter(60, "frames decoded ahead; the play starts when they are ready", minimum=1)
    wait_for_subscribers: float = parameter(
        30.0, "longest wait for a subscriber on each topic of wait_for_topics", unit="s", minimum=0.0
    )
    wait_for_topics: tuple[str, ...] = parameter(
        ("color/image", "depth/image", "color/camera_info"), "topics that need a subscriber before the start"
    )
    camera_frame: str = parameter("camera_color_optical_frame", "name of the camera's optical frame")
    map_frame: str = parameter("map", "name of the frame the poses are in")
    odometry: bool = parameter(False, "publish the pose as nav_msgs/Odometry on the topic odometry too")
    intrinsics: tuple[float, ...] = parameter((), "fx fy cx cy of the recording where it has none", unit="px")
    max_depth: float = parameter(6.0, "depth beyond it is none", unit="m", minimum=0.1)
    up: str = parameter("auto", "axis of the recording's world that points up", choices=UP_CHOICES)
    recorded_rate: float = parameter(10.0, "frames per second where the recording has no stamps", unit="Hz")
    depth_encoding: str = parameter("auto", "of depth files", choices=DEPTH_ENCODINGS)
    color_topic: str = parameter("", "of a bag; empty: found by type and name")
    depth_topic: str = parameter("", "of a bag; empty: found by type and name")
    camera_info_topic: str = parameter("", "of a bag; empty: found by type and name")
    pose_topic: str = parameter("", "of a bag: /tf, or a topic of poses or odometry; empty: found")
    tf_root: str = parameter("", "fixed frame of the /tf in a bag; empty: map, or the root of the tree")
    camera_in_child: tuple[float, ...] = parameter(
        (), "x y z qx qy qz qw of the optical frame in the odometry's child frame; empty: from /tf_static"
    )
    slop: float = parameter(0.02, "largest distance in time of color and depth in a bag", unit="s")
    max_pose_gap: float = parameter(1.0, "between poses further apart nothing is interpolated", unit="s")


class ReplayNode(Node):
    """See the module. ``finished`` is set when the last frame has been sent.

    source  what to play instead of the parameter ``source``

    Raises UserError where the source cannot be opened.
    """

    _is_built = False
    """A context that shuts down destroys half-made nodes too, such as those whose source was refused."""

    def __init__(self, node_name: str = "replay", *, source: Source | None = None, **kwargs: Any) -> None:
        super().__init__(node_name, **kwargs)
        self.parameters = declare(self, ReplayParameters)
        self.ledger = FrameLedger()
        self.timer = StepTimer()
        self.rate = diagnostics.FrameRate(warm_up=0)
        self.finished = threading.Event()
        self._source = (
            open_source(self.parameters.source, _options(self.parameters)) if source is None else source
        )
        self._problem = ""
        self._stopped = threading.Event()
        self._create_publishers()
        self._diagnostics = diagnostics.DiagnosticsPublisher(
            self, self.ledger, self.timer, rate=self.rate, state=self._state, extra=self._details
        )
        self._finished_publisher.publish(Bool(data=False))
        self._prefetch = Prefetch(self._frames, self.parameters.prefetch)
        self._thread = threading.Thread(target=self._play, name="replay", daemon=True)
        self._is_built = True
        self._thread.start()

    def destroy_node(self) -> None:
        """Stop playing, end the threads, then the node."""
        if self._is_built:
            self._stopped.set()
            self._prefetch.close()
            self._thread.join(10.0)
        super().destroy_node()

    def _create_publishers(self) -> None:
        self._color = self.create_publisher(Image, "color/image", REPLAY_OUTPUT)
        self._depth = self.create_publisher(Image, "depth/image", REPLAY_OUTPUT)
        self._info = self.create_publisher(CameraInfo, "color/camera_info", REPLAY_OUTPUT)
        self._pose = self.create_publisher(PoseStamped, "pose", REPLAY_OUTPUT)
        self._odometry = (
            self.create_publisher(Odometry, "odometry", REPLAY_OUTPUT) if self.parameters.odometry else None
        )
        self._finished_publisher = self.create_publisher(Bool, "~/finished", LATCHED)

    def _frames(self) -> Iterator[tuple[int, ReplayFrame]]:
        """Prefetch thread: when a frame is due (ns after the start), and its messages."""
        asked = self.parameters
        for due_ns, frame in timeline(
            self._source, rate=asked.rate, fps=asked.fps, loop=asked.loop, limit=asked.frames
        ):
            yield due_ns, make_replay_frame(frame, asked.camera_frame, asked.map_frame)

    def _play(self) -> None:
        """Replay thread: wait for listeners, then send every frame when it is due."""
        try:
            self._prefetch.wait_until_full()
            self._wait_for_subscribers()
            self._send_all()
        except Exception as error:  # noqa: BLE001 - said in diagnostics; the end is published all the same
            kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
            self._problem = f"cannot play {self._source.name}: {kind}{error}"
            if not self._stopped.is_set():  # else the context went away under us, as it may
                self.get_logger().error(self._problem)
        if not self._stopped.is_set() and self.context.ok():
            self.finished.set()
            self._diagnostics.publish()
            self._finished_publisher.publish(Bool(data=True))
            self.get_logger().info(f"played {self.ledger.counts().frames_processed} frames")

    def _wait_for_subscribers(self) -> None:
        names = [self.resolve_topic_name(name) for name in self.parameters.wait_for_topics]
        deadline = time.monotonic() + self.parameters.wait_for_subscribers
        missing = names
        while missing and time.monotonic() < deadline and not self._stopped.wait(0.02):
            missing = [name for name in names if self.count_subscribers(name) == 0]
        if missing and not self._stopped.is_set():
            self.get_logger().warning(f"nobody subscribes to {', '.join(missing)}: playing all the same")
        # Discovery tells the two sides of a connection one after the other: the last reader may not be ready.
        self._stopped.wait(_SETTLE_S)

    def _send_all(self) -> None:
        start = time.monotonic()
        start_ns = self.get_clock().now().nanoseconds
        for due_ns, frame in self._prefetch:
            late = time.monotonic() - start - due_ns * 1e-9
            if late > _MAX_LATE_S:
                # Decoding cannot keep up: play slower instead of sending a burst with old stamps.
                start += late
                start_ns += round(late * 1e9)
            if self._stopped.wait(max(0.0, -late)):
                return
            self.timer.add("late", max(0.0, late) * 1e3)
            frame.set_stamp(start_ns + due_ns)
            self._send(frame)

    def _send(self, frame: ReplayFrame) -> None:
        self.ledger.enter()
        with self.timer.measure("publish"):
            self._info.publish(frame.info)
            if frame.pose is not None:
                self._pose.publish(frame.pose)
            if frame.odometry is not None and self._odometry is not None:
                self._odometry.publish(frame.odometry)
            self._depth.publish(frame.depth)
            self._color.publish(frame.color)
        self.ledger.processed()
        self.rate.mark()

    def _state(self) -> tuple[bytes, str]:
        if self._problem:
            return diagnostics.ERROR, self._problem
        if self.finished.is_set():
            return diagnostics.OK, "finished"
        return diagnostics.OK, "playing" if self._prefetch.is_full else "reading ahead"

    def _details(self) -> dict[str, object]:
        details: dict[str, object] = {
            "source": self._source.name,
            "frames_read": self._prefetch.made,
            "frames_sent": self.ledger.counts().frames_processed,
            "finished": self.finished.is_set(),
        }
        return details | {
            f"skipped/{reason}": count for reason, count in sorted(self._source.skipped.items())
        }


def _options(asked: ReplayParameters) -> SourceOptions:
    """How to read the source. Raises UserError."""
    if len(asked.intrinsics) not in (0, 4):
        raise UserError(f"expected parameter intrinsics as [fx, fy, cx, cy], got {list(asked.intrinsics)}")
    intrinsics = None
    if asked.intrinsics:
        fx, fy, cx, cy = asked.intrinsics
        intrinsics = (fx, fy, cx, cy)
    return SourceOptions(
        intrinsics=intrinsics,
        max_depth=asked.max_depth,
        up=asked.up,
        rate=asked.recorded_rate,
        depth_encoding=asked.depth_encoding,
        color_topic=asked.color_topic,
        depth_topic=asked.depth_topic,
        camera_info_topic=asked.camera_info_topic,
        pose_topic=asked.pose_topic,
        map_frame=asked.tf_root,
        camera_in_child=asked.camera_in_child or None,
        slop=asked.slop,
        max_pose_gap=asked.max_pose_gap,
    )


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM."""
    return spin_node(ReplayNode, args)


if __name__ == "__main__":
    sys.exit(main())
