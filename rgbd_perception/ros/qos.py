"""Quality of service of every topic of the graph, in one place."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from rgbd_perception.errors import UserError

RELIABILITIES = ("best_effort", "reliable")


def _profile(reliability: ReliabilityPolicy, depth: int, *, latched: bool = False) -> QoSProfile:
    durability = DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=reliability, durability=durability
    )


SENSOR_DATA = _profile(ReliabilityPolicy.BEST_EFFORT, 5)
"""Images for people and for whoever wants them: a slow reader loses frames and slows nobody down."""

FRAME = _profile(ReliabilityPolicy.RELIABLE, 2)
"""``~/frame``: everything of one instant; few in the queue, because each holds megabytes."""

LATCHED = _profile(ReliabilityPolicy.RELIABLE, 1, latched=True)
"""The last message reaches whoever subscribes later: ``~/labels``, ``~/finished``."""

MAP_OUTPUT = _profile(ReliabilityPolicy.RELIABLE, 2)
"""What the map publishes: RViz and the like subscribe reliably by default."""

DIAGNOSTICS = _profile(ReliabilityPolicy.RELIABLE, 10)
"""``/diagnostics`` as every ROS tool expects it."""

REPLAY_OUTPUT = _profile(ReliabilityPolicy.RELIABLE, 30)
"""Camera topics and pose of ``replay``: a reliable publisher serves best-effort subscribers too. A second of
frames is kept for a reader that is slow to take them."""


def sensor_input(reliability: str, depth: int = 10) -> QoSProfile:
    """Profile of an input topic; ``reliability`` is ``best_effort`` or ``reliable``.

    Best effort also hears reliable publishers; a reliable subscriber hears no best-effort camera at all.

    Raises UserError for another name.
    """
    if reliability not in RELIABILITIES:
        raise UserError(
            f"expected a reliability out of {', '.join(RELIABILITIES)}, got {reliability!r}: "
            "most cameras publish best_effort"
        )
    return _profile(ReliabilityPolicy[reliability.upper()], depth)
