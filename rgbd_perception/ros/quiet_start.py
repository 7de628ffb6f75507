"""SIGINT and SIGTERM while a process is still importing: it has nothing to save, so it just ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def quiet_start() -> Iterator[None]:
    """Within this, SIGINT and SIGTERM end the process without a trace. For imports before ``rclpy.init``."""

    def leave(number: int, frame: object) -> None:
        del number, frame
        os._exit(0)

    before = {number: signal.signal(number, leave) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
