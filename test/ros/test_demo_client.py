"""The client of the demo: what it makes of the diagnostics of the graph."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from rgbd_perception.errors import UserError
from rgbd_perception.ros.demo_client import GraphClient


@pytest.fixture
def client() -> Iterator[GraphClient]:
    context = rclpy.Context()
    rclpy.init(context=context)
    client = GraphClient(lambda: None, context)
    yield client
    client.close()
    context.try_shutdown()


def report(client: GraphClient, level: bytes, message: str) -> None:
    status = DiagnosticStatus(name="perception", level=level, message=message)
    client._on_diagnostics(DiagnosticArray(status=[status]))


def test_a_node_that_goes_on_failing_ends_the_waiting(client: GraphClient) -> None:
    for _ in range(3):
        report(client, DiagnosticStatus.ERROR, "cannot load model no_model")
    with pytest.raises(UserError, match="'perception' cannot run: cannot load model no_model"):
        client.wait_ready(("perception",), stall_s=1.0)


def test_one_error_is_no_end(client: GraphClient) -> None:
    report(client, DiagnosticStatus.WARN, "loading")
    report(client, DiagnosticStatus.ERROR, "not yet")
    report(client, DiagnosticStatus.WARN, "loading")
    with pytest.raises(UserError, match=r"waited 0 s for the nodes to be ready"):
        client.wait_ready(("perception",), stall_s=0.1)
