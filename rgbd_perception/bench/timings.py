"""Durations of something done many times, and what is said about them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Timings:
    """Milliseconds of repetitions, at least one."""

    ms: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.ms:
            raise ValueError("expected at least one duration")

    @property
    def p50(self) -> float:
        """Median, milliseconds."""
        return self.percentile(50)

    @property
    def p99(self) -> float:
        """99th percentile, milliseconds; of fewer than 100 repetitions that is nearly the longest."""
        return self.percentile(99)

    @property
    def worst(self) -> float:
        """The longest, milliseconds."""
        return max(self.ms)

    @property
    def best(self) -> float:
        """The shortest, milliseconds."""
        return min(self.ms)

    def percentile(self, percent: float) -> float:
        """Percentile in milliseconds, rounded to a microsecond."""
        return round(float(np.percentile(self.ms, percent)), 3)


def milliseconds_of(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def repeat(work: Callable[[], object], count: int, untimed: int = 1) -> Timings:
    """Wall times of ``count`` calls after ``untimed`` ones that fill caches."""
    for _ in range(untimed):
        work()
    return Timings(tuple(milliseconds_of(work) for _ in range(count)))


def fastest(candidates: Sequence[Timings]) -> int:
    """Index of the candidate with the smallest median: a peer is shown with its best setting."""
    return int(np.argmin([candidate.p50 for candidate in candidates]))
