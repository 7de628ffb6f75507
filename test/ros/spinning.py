"""Running rclpy nodes inside a test."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node


class Spinner:
    """One context and one executor; ``until`` serves callbacks while a test waits."""

    def __init__(self) -> None:
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._nodes: list[Node] = []

    def add(self, node: Node) -> Node:
        self._nodes.append(node)
        self._executor.add_node(node)
        return node

    def remove(self, node: Node) -> None:
        self._executor.remove_node(node)
        self._nodes.remove(node)

    def node(self, name: str) -> Node:
        """A plain node, served with the others."""
        return self.add(rclpy.create_node(name, context=self.context))

    def until(self, condition: Callable[[], bool], timeout_s: float = 20.0, what: str = "it") -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, f"waited {timeout_s} s for {what}"
            self._executor.spin_once(timeout_sec=0.02)

    def for_seconds(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._executor.spin_once(timeout_sec=0.02)

    def call(self, client, request, timeout_s: float = 30.0):
        """The response of a service."""
        self.until(client.service_is_ready, what=client.srv_name)
        future = client.call_async(request)
        self.until(future.done, timeout_s, what=f"an answer of {client.srv_name}")
        return future.result()

    def close(self) -> None:
        for node in list(self._nodes):
            self.remove(node)
            node.destroy_node()
        self.context.try_shutdown()


@contextmanager
def spinner() -> Iterator[Spinner]:
    served = Spinner()
    try:
        yield served
    finally:
        served.close()
