"""Counting frames and timing steps, so that nothing is lost silently."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LedgerCounts:
    """A consistent snapshot: ``frames_in == frames_processed + sum(drops.values()) + in_flight``."""

    frames_in: int
    frames_processed: int
    drops: dict[str, int]

    @property
    def in_flight(self) -> int:
        """Frames that came in and have neither been processed nor dropped yet."""
        return self.frames_in - self.frames_processed - sum(self.drops.values())


class FrameLedger:
    """Counts every frame once on entry and once on its end: processed, or dropped for a named reason."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in = 0
        self._processed = 0
        self._drops: Counter[str] = Counter()

    def enter(self, count: int = 1) -> None:
        with self._lock:
            self._in += count

    def processed(self, count: int = 1) -> None:
        with self._lock:
            self._processed += count

    def drop(self, reason: str, count: int = 1) -> None:
        with self._lock:
            self._drops[reason] += count

    def counts(self) -> LedgerCounts:
        with self._lock:
            return LedgerCounts(self._in, self._processed, dict(self._drops))


class StepTimer:
    """Durations of named steps over the last ``window`` frames."""

    def __init__(self, window: int = 1000) -> None:
        self._lock = threading.Lock()
        self._window = window
        self._ms: dict[str, deque[float]] = {}

    def add(self, step: str, milliseconds: float) -> None:
        with self._lock:
            self._ms.setdefault(step, deque(maxlen=self._window)).append(milliseconds)

    @contextmanager
    def measure(self, step: str) -> Iterator[None]:
        """Time the body of a ``with`` statement and add it to ``step``."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(step, (time.perf_counter() - start) * 1e3)

    def percentiles(self) -> dict[str, dict[str, float]]:
        """Per step ``{"p50": ms, "p95": ms}``."""
        with self._lock:
            return {
                step: {f"p{q}": round(float(np.percentile(list(values), q)), 3) for q in (50, 95)}
                for step, values in self._ms.items()
                if values
            }
