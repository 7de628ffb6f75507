"""Judging a running graph: nodes, topics, types, quality of service, poses. "Why is nothing shown?" """

from __future__ import annotations

from collections.abc import Iterator

from rgbd_perception.doctor.finding import Finding, fail, ok, warn
from rgbd_perception.doctor.observation import GraphObservation, Stream
from rgbd_perception.doctor.streams import stream_findings

POSE_TYPES = ("tf2_msgs/msg/TFMessage", "geometry_msgs/msg/PoseStamped", "nav_msgs/msg/Odometry")
STATIC_TF = "/tf_static"


def graph_findings(seen: GraphObservation) -> Iterator[Finding]:
    """From the whole to the detail: a cause comes before what follows from it."""
    if not seen.nodes:
        yield fail(
            "graph",
            f"no other node was found in {seen.seconds:.0f} s",
            "are ROS_DOMAIN_ID, ROS_AUTOMATIC_DISCOVERY_RANGE and RMW_IMPLEMENTATION equal in every shell? "
            "In Docker: --network host --ipc host",
        )
        return
    yield ok("graph", f"{len(seen.nodes)} nodes, {len(seen.topics)} topics")
    for name in ("perception", "mapping"):
        yield _check_node(seen, name)
    for stream in seen.streams:
        yield from _check_connection(seen, stream)
    yield from stream_findings(seen)
    yield _check_pose(seen)
    yield from _check_drops(seen)


def _check_node(seen: GraphObservation, name: str) -> Finding:
    names = [node for node in seen.nodes if node.rsplit("/", 1)[-1] == name]
    check = f"node {name}"
    if not names:
        return warn(check, "not running", f"ros2 run rgbd_perception {name}, or perception.launch.py")
    if len(names) > 1 or len(set(names)) != len(names):
        return fail(check, f"{len(names)} are running: {', '.join(names)}", "stop all but one")
    report = seen.reports.get(names[0].lstrip("/"))
    if report is None:
        return warn(
            check, f"{names[0]} sends no diagnostics", "it may still be starting, or it hangs: see its log"
        )
    return ok(check, f"{names[0]}: {report.state}, {report.processed} frames processed")


def _check_connection(seen: GraphObservation, stream: Stream) -> Iterator[Finding]:
    """Is there a publisher, does its type fit, and can it reach its subscribers?"""
    check = f"topic {stream.topic}"
    fitting = [publisher for publisher in stream.publishers if publisher.type_name == stream.type_name]
    if not stream.publishers:
        others = [topic for topic, types in sorted(seen.topics.items()) if stream.type_name in types]
        found = f"topics of that type: {', '.join(others[:6])}" if others else "no topic has that type"
        yield fail(
            check,
            f"nobody publishes it ({found})",
            f"remap it: --ros-args -r {stream.topic.lstrip('/')}:=<topic>"
            if others
            else "start the camera driver",
        )
    elif not fitting:
        yield fail(
            check,
            f"its type is {stream.publishers[0].type_name}, expected {stream.type_name}",
            "use the raw topic, or decompress it with image_transport republish",
        )
    elif not stream.arrivals:
        yield fail(
            check,
            f"{fitting[0].node} publishes it, but nothing arrived in {seen.seconds:.0f} s",
            "the driver waits for its sensor, or large messages are lost: set the Fast DDS profile there",
        )
    else:
        yield ok(check, f"{_rate(stream):.1f} Hz from {fitting[0].node}")
    yield from _check_quality(check, stream)


def _check_quality(check: str, stream: Stream) -> Iterator[Finding]:
    """A subscription that asks for more than the publisher offers gets nothing, without any error."""
    for publisher in stream.publishers:
        for subscriber in stream.subscribers:
            if subscriber.reliable and not publisher.reliable:
                yield fail(
                    check,
                    f"{subscriber.node} wants reliable, {publisher.node} offers best effort: nothing arrives",
                    f"set reliability: best_effort in {subscriber.node}",
                )
            if subscriber.transient_local and not publisher.transient_local:
                yield fail(
                    check,
                    f"{subscriber.node} wants transient local, {publisher.node} volatile: nothing arrives",
                    f"make the subscription of {subscriber.node} volatile",
                )


def _rate(stream: Stream) -> float:
    """Messages per second between the first and the last that arrived."""
    if len(stream.arrivals) < 2:
        return 0.0
    first, last = stream.arrivals[0].received_ns, stream.arrivals[-1].received_ns
    return (len(stream.arrivals) - 1) / max((last - first) * 1e-9, 1e-9)


def _check_pose(seen: GraphObservation) -> Finding:
    sources = [
        topic
        for topic, types in sorted(seen.topics.items())
        if topic != STATIC_TF and set(types) & set(POSE_TYPES)
    ]
    if not sources:
        return fail(
            "pose",
            "no topic of poses (tf, PoseStamped, Odometry): frames cannot be put into a map",
            "start odometry or SLAM, and set pose_source of mapping to tf, pose or odometry",
        )
    return ok("pose", f"published on {', '.join(sources[:4])}")


def _check_drops(seen: GraphObservation) -> Iterator[Finding]:
    """More frames dropped than processed: the nodes say why."""
    for node, report in sorted(seen.reports.items()):
        dropped = sum(report.drops.values())
        if dropped <= report.processed or dropped == 0:
            continue
        reasons = ", ".join(
            f"{name} {count}" for name, count in sorted(report.drops.items(), key=lambda x: -x[1])
        )
        yield warn(
            f"drops of {node}",
            f"{dropped} dropped, {report.processed} processed: {reasons}",
            "the log of the node has the detail of each reason",
        )
