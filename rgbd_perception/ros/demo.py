"""The demo: a recording through the whole ROS graph, then questions to the map."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rgbd_perception.bookkeeping import LedgerCounts
from rgbd_perception.mapping import Answer, QueryResult
from rgbd_perception.ros.chain import chain_counts
from rgbd_perception.ros.demo_client import START_TOPIC, GraphClient
from rgbd_perception.ros.diagnostics import counts_of, latencies_of, values_of
from rgbd_perception.ros.environment import private_graph_environment
from rgbd_perception.ros.graph import Graph, GraphPlan
from rgbd_perception.ros.map_messages import yaw_of
from rgbd_perception.srv import QueryText

MAP_FRAME = "map"
CAMERA_TOPICS = ("color/image", "depth/image", "color/camera_info", "pose")

_GATE_S = 3600.0


@dataclass(frozen=True)
class Query:
    """One question of the demo; ``negatives`` say what is not meant."""

    text: str
    negatives: tuple[str, ...] = ()


DEFAULT_QUERIES = (
    Query("a chair"),
    Query("somewhere to sleep"),
    Query("a table"),
    Query("the way out of the room"),
    Query("a lamp"),
    Query("something to sit on", negatives=("sofa",)),
    Query("an elephant"),
)


@dataclass(frozen=True)
class DemoPlan:
    """What to run.

    replay      parameters of the node replay; ``source`` among them
    map_file    where the map is saved, an absolute path
    processes   one process for each node instead of one container
    """

    replay: dict[str, object]
    map_file: Path
    queries: tuple[Query, ...] = DEFAULT_QUERIES
    model: str = "rgbd_mini"
    processes: bool = False

    def parameters(self) -> dict[str, dict[str, object]]:
        """Node -> parameters."""
        replay = {
            **self.replay,
            "map_frame": MAP_FRAME,
            "wait_for_topics": [*CAMERA_TOPICS, START_TOPIC],
            "wait_for_subscribers": _GATE_S,
        }
        reliable = {"reliability": "reliable"}
        return {
            "replay": replay,
            "perception": {"model": self.model, **reliable},
            "mapping": {"pose_source": "pose", "pose_reliability": "reliable", "map_frame": MAP_FRAME},
        }


@dataclass(frozen=True)
class AnsweredQuery:
    """A question and what the map said to it."""

    query: Query
    result: QueryResult

    def to_json(self) -> dict[str, Any]:
        """One entry of ``queries``; ``negatives`` only where there were some."""
        fields = ("score", "position", "size", "yaw", "frame_id", "voxels", "label")
        answers = [{name: getattr(answer, name) for name in fields} for answer in self.result.answers]
        entry: dict[str, Any] = {"text": self.query.text, "message": self.result.message, "answers": answers}
        return entry | ({"negatives": list(self.query.negatives)} if self.query.negatives else {})


@dataclass(frozen=True)
class DemoResult:
    """What came out.

    counts      the books of the whole chain
    fps         processed frames per second, the first 20 not counted; None for fewer than two frames
    latency_ms  "node/step" -> {"p50": ms, "p95": ms}
    exit_statuses  process -> exit status, 0 where it ended cleanly
    """

    counts: LedgerCounts
    fps: float | None
    latency_ms: dict[str, dict[str, float]]
    voxels: int
    bytes_per_voxel: float
    map_bytes: int
    answers: tuple[AnsweredQuery, ...]
    map_file: Path
    exit_statuses: dict[str, int] = field(default_factory=dict)

    def to_json(self, map_from_source: Sequence[Sequence[float]]) -> dict[str, Any]:
        """The object that ``--json`` writes."""
        return {
            "frames_in": self.counts.frames_in,
            "frames_processed": self.counts.frames_processed,
            "drops": self.counts.drops,
            "fps": self.fps,
            "latency_ms": self.latency_ms,
            "voxels": self.voxels,
            "bytes_per_voxel": self.bytes_per_voxel,
            "map_bytes": self.map_bytes,
            "queries": [answer.to_json() for answer in self.answers],
            "map_from_source": map_from_source,
        }


def run_demo(plan: DemoPlan, say: Callable[[str], None], show: Callable[[str, int], None]) -> DemoResult:
    """Start the graph, play, ask, save, end the graph.

    say   told in words what happens
    show  told the number of frames that were read ahead, then of those sent

    Raises UserError where a process fails or the graph stalls, KeyboardInterrupt for SIGINT and SIGTERM.
    """
    environment = private_graph_environment()
    os.environ.update(environment)  # the client is part of the graph
    graph = Graph(GraphPlan(plan.parameters(), plan.processes, environment))
    with _terminable(), graph, _client(graph.check) as client:
        say("starting the graph: network and text encoder; the first time compiling, a minute or two")
        client.wait_ready(("replay", "perception", "mapping"))
        client.open_gate()
        client.wait_finished(show)
        client.wait_drained(("replay", "perception", "mapping"))
        result = _ask_and_save(client, plan)
        say("ending the graph")
    return replace(result, exit_statuses=graph.stop())


def _ask_and_save(client: GraphClient, plan: DemoPlan) -> DemoResult:
    answers = tuple(
        read_answers(query, client.query([query.text], query.negatives)) for query in plan.queries
    )
    client.save_map(plan.map_file)
    mapping, perception = client.status("mapping"), client.status("perception")
    values = values_of(mapping)
    latency = {
        f"{status.name}/{step}": quantiles
        for status in (perception, mapping)
        for step, quantiles in latencies_of(status).items()
    }
    return DemoResult(
        counts=chain_counts(client.frames_sent(), counts_of(perception), counts_of(mapping)),
        fps=float(values["fps_overall"]) or None,
        latency_ms=latency,
        voxels=int(values["voxels"]),
        bytes_per_voxel=float(values["bytes_per_voxel"]),
        map_bytes=int(values["map_bytes"]),
        answers=answers,
        map_file=plan.map_file,
    )


def read_answers(query: Query, response: QueryText.Response) -> AnsweredQuery:
    """What the map said. A refused query has no answers, and the refusal as its message."""
    answers = tuple(
        Answer(
            score=round(float(item.score), 4),
            position=(item.pose.position.x, item.pose.position.y, item.pose.position.z),
            size=(item.size.x, item.size.y, item.size.z),
            yaw=round(yaw_of(item.pose), 4),
            frame_id=MAP_FRAME,
            voxels=int(item.voxels),
            label=item.label,
        )
        for item in response.objects
    )
    message = response.reasons[0] if response.success else response.message
    return AnsweredQuery(query, QueryResult(query.text, message, answers))


@contextmanager
def _client(check: Callable[[], None]) -> Iterator[GraphClient]:
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    # With rclpy's own handlers Ctrl-C would shut the client down before it has ended the other processes.
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    client = GraphClient(check)
    try:
        yield client
    finally:
        client.close()
        rclpy.try_shutdown()


@contextmanager
def _terminable() -> Iterator[None]:
    """Within this, SIGTERM ends the program as Ctrl-C does: through the clean-up."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
