"""What was seen of a running graph, as plain values: so that judging it needs no ROS and can be tested."""

from __future__ import annotations

from dataclasses import dataclass, field

IMAGE = "sensor_msgs/msg/Image"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"


@dataclass(frozen=True)
class Endpoint:
    """One publisher or subscription of a topic."""

    node: str
    type_name: str
    reliable: bool
    transient_local: bool


@dataclass(frozen=True)
class Arrival:
    """One received message: its stamp and when it came, both in nanoseconds since 1970, and its frame."""

    stamp_ns: int
    received_ns: int
    frame_id: str


@dataclass(frozen=True)
class ImageForm:
    """Size in pixels and encoding of an image."""

    height: int
    width: int
    encoding: str


@dataclass(frozen=True)
class CameraForm:
    """Size, fx and fy in pixels, and whether distortion is declared."""

    height: int
    width: int
    fx: float
    fy: float
    distorted: bool


@dataclass
class Stream:
    """A topic that was listened to; ``form`` is that of the last message."""

    topic: str
    type_name: str
    publishers: tuple[Endpoint, ...] = ()
    subscribers: tuple[Endpoint, ...] = ()
    arrivals: list[Arrival] = field(default_factory=list)
    form: ImageForm | CameraForm | None = None


@dataclass
class NodeReport:
    """What a node said on /diagnostics last: its state in words, and drops by reason."""

    state: str
    processed: int
    drops: dict[str, int]


@dataclass
class GraphObservation:
    """Everything that was seen in ``seconds``.

    nodes     fully qualified names
    topics    name -> types
    color, depth, camera_info   the streams perception needs
    reports   node -> its last diagnostics
    """

    seconds: float
    nodes: tuple[str, ...]
    topics: dict[str, tuple[str, ...]]
    color: Stream
    depth: Stream
    camera_info: Stream
    reports: dict[str, NodeReport] = field(default_factory=dict)

    @property
    def streams(self) -> tuple[Stream, Stream, Stream]:
        """Color, depth, camera info."""
        return self.color, self.depth, self.camera_info
