"""A client of the running graph: waits for it, watches its diagnostics, asks the map, has it saved."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.client import Client
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import Bool

from rgbd_perception.errors import UserError
from rgbd_perception.ros.diagnostics import ERROR, OK, counts_of, values_of
from rgbd_perception.ros.qos import DIAGNOSTICS, LATCHED
from rgbd_perception.ros.type_errors import forget_type_errors
from rgbd_perception.srv import MapFile, QueryText

START_TOPIC = "demo_client/start"
"""Nothing is sent on it: a subscriber tells replay to begin (see its parameter ``wait_for_topics``)."""

_SETTLED_STATUSES = 3
"""Equal reports in a row after which no frame is on its way any more (a report a second)."""


class GraphClient:
    """One node that only listens and asks. All waiting is done by ``wait_for``, which also watches the graph.

    check  called while waiting; raises when waiting has become pointless (a process died)
    """

    def __init__(self, check: Callable[[], None], context: Context | None = None) -> None:
        self._check = check
        self._node = Node("demo_client", context=context)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self._node)
        self._statuses: dict[str, list[DiagnosticStatus]] = {}
        self._finished = False
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, DIAGNOSTICS)
        self._node.create_subscription(Bool, "replay/finished", self._on_finished, LATCHED)
        self._query: Client = self._node.create_client(QueryText, "mapping/query_text")
        self._save: Client = self._node.create_client(MapFile, "mapping/save_map")
        forget_type_errors()

    def close(self) -> None:
        """Leave the graph."""
        self._executor.remove_node(self._node)
        self._node.destroy_node()

    def status(self, name: str) -> DiagnosticStatus:
        """The newest diagnostic status of a node. Raises UserError where it never reported."""
        if name not in self._statuses:
            raise UserError(f"no diagnostics of the node '{name}' arrived: see its log above")
        return self._statuses[name][-1]

    def wait_for(
        self,
        condition: Callable[[], bool],
        timeout_s: float,
        what: str,
        progress: Callable[[], object] = lambda: None,
    ) -> None:
        """Serve callbacks until ``condition`` holds.

        progress  the time starts anew whenever its value changes

        Raises UserError with ``what`` was missing after ``timeout_s`` seconds without progress.
        """
        last, end = progress(), time.monotonic() + timeout_s
        while not condition():
            self._check()
            if (now := progress()) != last:
                last, end = now, time.monotonic() + timeout_s
            if time.monotonic() > end:
                raise UserError(f"waited {timeout_s:.0f} s for {what}, in vain: {self._states()}")
            self._executor.spin_once(timeout_sec=0.1)

    def wait_ready(self, names: Sequence[str], stall_s: float = 300.0) -> None:
        """Wait until these nodes report that they run (models are loaded) and the services are there.

        Raises UserError where one of them says that it cannot.
        """

        def ready() -> bool:
            for name in names:
                self._require_hope(name)
            services = (self._query, self._save)
            return all(self._is_running(name) for name in names) and all(
                client.service_is_ready() for client in services
            )

        self.wait_for(ready, stall_s, "the nodes to be ready", progress=self._states)

    def open_gate(self) -> None:
        """Let replay begin: it waits for a subscriber of START_TOPIC, which this makes."""
        self._node.create_subscription(Bool, START_TOPIC, lambda message: None, LATCHED)

    def wait_finished(self, show: Callable[[str, int], None], stall_s: float = 120.0) -> None:
        """Wait until replay has sent its last frame.

        show  told what replay does ("reading ahead" or "playing") and for how many frames it did so
        """

        def progress() -> tuple[str, int]:
            sent, read = self.frames_sent(), int(values_of(self.status("replay"))["frames_read"])
            done = ("playing", sent) if sent else ("reading ahead", read)
            show(*done)
            return done

        self.wait_for(lambda: self._finished, stall_s, "the end of the sequence", progress)

    def wait_drained(self, names: Sequence[str], timeout_s: float = 60.0) -> None:
        """Wait until no frame is on its way: the books of these nodes are closed and stay so."""
        for history in self._statuses.values():
            del history[:-1]

        def settled() -> bool:
            return all(self._is_settled(name) for name in names)

        self.wait_for(settled, timeout_s, "the last frames to be processed")

    def frames_sent(self) -> int:
        """Frames that replay has published."""
        return counts_of(self.status("replay")).frames_processed

    def query(
        self, texts: Sequence[str], negatives: Sequence[str] = (), top_k: int = 0, timeout_s: float = 60.0
    ) -> QueryText.Response:
        """Call ``~/query_text``; a refusal comes back as ``success`` false."""
        request = QueryText.Request(texts=list(texts), negatives=list(negatives), top_k=top_k)
        return self._call(self._query, request, timeout_s)

    def save_map(self, path: Path, timeout_s: float = 120.0) -> str:
        """Call ``~/save_map``; returns its message. Raises UserError where it refuses."""
        response = self._call(self._save, MapFile.Request(path=str(path)), timeout_s)
        if not response.success:
            raise UserError(response.message)
        return str(response.message)

    def _call(self, client: Any, request: Any, timeout_s: float) -> Any:
        future = client.call_async(request)
        self.wait_for(future.done, timeout_s, f"an answer of {client.srv_name}")
        return future.result()

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            history = self._statuses.setdefault(status.name, [])
            history.append(status)
            del history[:-_SETTLED_STATUSES]

    def _on_finished(self, message: Bool) -> None:
        self._finished = self._finished or message.data

    def _is_running(self, name: str) -> bool:
        return name in self._statuses and self._statuses[name][-1].level == OK

    def _require_hope(self, name: str) -> None:
        """A node that goes on reporting an error while it starts (no such model, no weights) will not run."""
        history = self._statuses.get(name, [])
        if len(history) == _SETTLED_STATUSES and all(status.level == ERROR for status in history):
            raise UserError(f"the node '{name}' cannot run: {history[-1].message}")

    def _is_settled(self, name: str) -> bool:
        counts = [counts_of(status) for status in self._statuses.get(name, ())]
        return len(counts) == _SETTLED_STATUSES and counts[0] == counts[-1] and counts[-1].in_flight == 0

    def _states(self) -> str:
        states = [f"{name}: {history[-1].message}" for name, history in sorted(self._statuses.items())]
        return "; ".join(states) or "no node reports diagnostics"
