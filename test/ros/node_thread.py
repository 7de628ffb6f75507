"""Nodes of a test: spun in a thread in a context of their own, and waiting with a deadline."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import rclpy
from rclpy.client import Client
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

SETTLE_S = 0.25
"""The two ends of a connection learn of each other one after the other; what is sent in between is lost."""


class NodeThread:
    """Spins one node in a thread until the end of a ``with`` block, then destroys it and its context."""

    def __init__(self, make: Callable[[rclpy.Context], Node]) -> None:
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = make(self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, daemon=True)

    def __enter__(self) -> NodeThread:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown()
        self._thread.join(10)
        self.node.destroy_node()
        self.context.try_shutdown()

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):
            self._executor.spin()


def wait_for(condition: Callable[[], object], timeout_s: float = 10.0, what: str = "condition") -> None:
    """Return as soon as ``condition()`` is true; fail the test with ``what`` when it does not become so."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s} s in vain: {what}"
        time.sleep(0.01)


def call(client: Client, request: Any, timeout_s: float = 60.0) -> Any:
    """The response of a service whose client is spun elsewhere."""
    assert client.wait_for_service(timeout_s), f"no service {client.service_name}"
    time.sleep(SETTLE_S)
    future = client.call_async(request)
    wait_for(future.done, timeout_s, f"an answer of {client.service_name}")
    return future.result()
