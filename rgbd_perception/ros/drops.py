"""Counting a dropped frame and telling the user about it, without flooding the log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from rgbd_perception.bookkeeping import FrameLedger

EXPECTED = frozenset({"superseded", "no_subscriber", "rate_limited", "shutdown"})
"""Reasons that are the system working as meant: counted, not logged."""


class DropReporter:
    """Callable ``(reason, detail)``: counts the drop in ``ledger`` and logs the first of each kind.

    A reason is logged again after ``repeat_s`` seconds when it still happens, with how often it did since.
    Of ``internal_error`` every type of exception is a kind; once ``stopping`` it is ``shutdown``, because
    publishers fail then. Thread-safe.
    """

    def __init__(
        self,
        ledger: FrameLedger,
        log: Callable[[str], None],
        *,
        stopping: Callable[[], bool] = lambda: False,
        repeat_s: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._log = log
        self._stopping = stopping
        self._repeat_s = repeat_s
        self._clock = clock
        self._lock = threading.Lock()
        self._logged: dict[str, float] = {}
        self._since: dict[str, int] = {}

    def __call__(self, reason: str, detail: str = "") -> None:
        if reason == "internal_error" and self._stopping():
            reason = "shutdown"
        self._ledger.drop(reason)
        if reason not in EXPECTED:
            text = self._message(reason, detail)
            if text is not None:
                self._log(text)

    def _message(self, reason: str, detail: str) -> str | None:
        kind = f"{reason}: {detail.partition(':')[0]}" if reason == "internal_error" else reason
        now = self._clock()
        with self._lock:
            self._since[kind] = self._since.get(kind, 0) + 1
            if now - self._logged.get(kind, -float("inf")) < self._repeat_s:
                return None
            self._logged[kind] = now
            count = self._since.pop(kind)
        repeated = f" ({count} times since the last line)" if count > 1 else ""
        return (
            f"frame dropped: {reason}{repeated}: {detail}" if detail else f"frame dropped: {reason}{repeated}"
        )
