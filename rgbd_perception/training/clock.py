"""How far a training run is, and when it has to stop."""

from __future__ import annotations

import signal
import time
from types import FrameType

from rgbd_perception.training.run_config import BudgetConfig


class TrainingClock:
    """Counts the steps and the training time of a run, pauses between resumed runs left out."""

    def __init__(self, budget: BudgetConfig, step: int = 0, elapsed_s: float = 0.0) -> None:
        self._budget = budget
        self._began = time.monotonic() - elapsed_s
        self.step = step

    @property
    def elapsed_s(self) -> float:
        """Seconds of training so far."""
        return time.monotonic() - self._began

    def progress(self, step: int | None = None) -> float:
        """0..1; with a budget of steps a function of ``step`` (default: the present one) alone."""
        if self._budget.steps:
            return (self.step if step is None else step) / self._budget.steps
        return self.elapsed_s / (self._budget.minutes * 60.0)

    @property
    def left_s(self) -> float:
        """Estimated seconds until the end."""
        progress = self.progress()
        return self.elapsed_s * (1.0 - progress) / max(progress, 1e-9)


class StopRequest:
    """Within this, SIGINT and SIGTERM only set ``requested``: the loop ends after its step and saves."""

    def __init__(self) -> None:
        self.requested = False

    def __enter__(self) -> StopRequest:
        kinds = (signal.SIGINT, signal.SIGTERM)
        self._previous = {kind: signal.signal(kind, self._handle) for kind in kinds}
        return self

    def __exit__(self, *error: object) -> None:
        for kind, handler in self._previous.items():
            signal.signal(kind, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
