"""``/diagnostics`` of a node: its state, its frame ledger, its rates and latencies, once a second.

Keys of a status: ``frames_in, frames_processed, drops/<reason>, latency_ms/<step>/p50|p95, fps, fps_overall``
and what the node adds (``backend``, ``model`` ...).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from rgbd_perception.bookkeeping import FrameLedger, LedgerCounts, StepTimer
from rgbd_perception.ros.qos import DIAGNOSTICS

OK = DiagnosticStatus.OK
WARN = DiagnosticStatus.WARN
ERROR = DiagnosticStatus.ERROR


class FrameRate:
    """Frames per second: of the last seconds, and of the whole run without its first (warm-up) frames.

    A run that is no longer than the warm-up counts whole.
    """

    def __init__(self, window_s: float = 5.0, warm_up: int = 20) -> None:
        self._lock = threading.Lock()
        self._window_s = window_s
        self._warm_up = warm_up
        self._recent: deque[float] = deque()
        self._count = 0
        self._start = 0.0
        self._start_count = 1
        self._last = 0.0

    def mark(self) -> None:
        """Say that a frame has just been finished."""
        now = time.monotonic()
        with self._lock:
            self._count += 1
            if self._count == 1:
                self._start, self._start_count = now, 1
            elif self._count == self._warm_up + 2:
                # There is something after the warm-up: count from its last frame on.
                self._start, self._start_count = self._last, self._count - 1
            self._last = now
            self._recent.append(now)
            self._forget(now)

    def recent(self) -> float:
        """Frames per second over the window that ends now; 0 when fewer than two frames were in it."""
        now = time.monotonic()
        with self._lock:
            self._forget(now)
            if len(self._recent) < 2:
                return 0.0
            return (len(self._recent) - 1) / max(self._recent[-1] - self._recent[0], 1e-9)

    def overall(self) -> float:
        """Frames per second from the first frame that counts to the last one; 0 for fewer than two."""
        with self._lock:
            counted = self._count - self._start_count
            return counted / max(self._last - self._start, 1e-9) if counted > 0 else 0.0

    def _forget(self, now: float) -> None:
        while self._recent and now - self._recent[0] > self._window_s:
            self._recent.popleft()


class DiagnosticsPublisher:
    """Publishes one DiagnosticStatus named after the node on ``/diagnostics``.

    state   () -> (level, message), e.g. ``(OK, "running")`` or ``(WARN, "loading model")``
    extra   () -> further key/value pairs
    """

    def __init__(
        self,
        node: Node,
        ledger: FrameLedger,
        timer: StepTimer,
        *,
        rate: FrameRate | None = None,
        state: Callable[[], tuple[bytes, str]] = lambda: (OK, "running"),
        extra: Callable[[], Mapping[str, object]] = dict,
        period_s: float = 1.0,
    ) -> None:
        self._node = node
        self._ledger = ledger
        self._timer = timer
        self._rate = rate
        self._state = state
        self._extra = extra
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", DIAGNOSTICS)
        self._ros_timer = node.create_timer(period_s, self.publish)

    def publish(self) -> None:
        """Publish the present state now (also called by the timer)."""
        message = DiagnosticArray()
        message.header.stamp = self._node.get_clock().now().to_msg()
        message.status = [self.status()]
        self._publisher.publish(message)

    def status(self) -> DiagnosticStatus:
        """The present state as a message."""
        level, text = self._state()
        values = self._values()
        return DiagnosticStatus(
            level=level,
            name=self._node.get_fully_qualified_name().lstrip("/"),
            message=text,
            hardware_id="rgbd_perception",
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )

    def _values(self) -> dict[str, object]:
        counts = self._ledger.counts()
        values: dict[str, object] = {
            "frames_in": counts.frames_in,
            "frames_processed": counts.frames_processed,
        }
        values |= {f"drops/{reason}": count for reason, count in sorted(counts.drops.items())}
        for step, quantiles in self._timer.percentiles().items():
            values |= {f"latency_ms/{step}/{name}": ms for name, ms in quantiles.items()}
        if self._rate is not None:
            values["fps"] = round(self._rate.recent(), 2)
            values["fps_overall"] = round(self._rate.overall(), 2)
        return values | dict(self._extra())


def values_of(status: DiagnosticStatus) -> dict[str, str]:
    """The key/value pairs of a received status."""
    return {pair.key: pair.value for pair in status.values}


def counts_of(status: DiagnosticStatus) -> LedgerCounts:
    """The ledger of a received status."""
    values = values_of(status)
    drops = {
        key.removeprefix("drops/"): int(value) for key, value in values.items() if key.startswith("drops/")
    }
    return LedgerCounts(int(values.get("frames_in", 0)), int(values.get("frames_processed", 0)), drops)


def latencies_of(status: DiagnosticStatus) -> dict[str, dict[str, float]]:
    """``{step: {"p50": ms, "p95": ms}}`` of a received status."""
    steps: dict[str, dict[str, float]] = {}
    for key, value in values_of(status).items():
        if key.startswith("latency_ms/"):
            step, quantile = key.removeprefix("latency_ms/").rsplit("/", 1)
            steps.setdefault(step, {})[quantile] = float(value)
    return steps
