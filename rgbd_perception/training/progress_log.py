"""How a training run tells how it is going: a line now and then, and the same as JSON lines."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rgbd_perception.training.clock import TrainingClock

FILE_NAME = "log.jsonl"


@dataclass(frozen=True)
class StepReport:
    """Losses of one step, length of the gradient before clipping, learning rate, samples of all members."""

    distillation: float
    contrast: float
    gradient: float
    rate: float
    samples: int


class ProgressLog:
    """Collects step reports; every ``seconds`` prints their means and appends them to ``log.jsonl``."""

    def __init__(self, folder: Path, clock: TrainingClock, seconds: float = 10.0) -> None:
        self._path, self._clock, self._seconds = folder / FILE_NAME, clock, seconds
        self._reports: list[StepReport] = []
        self._since = time.monotonic()

    def add(self, report: StepReport) -> None:
        """One step is done."""
        self._reports.append(report)
        now = time.monotonic()
        if now - self._since >= self._seconds:
            self._write(now - self._since)
            self._reports, self._since = [], now

    def _write(self, seconds: float) -> None:
        entry = {
            "progress": round(self._clock.progress(), 4),
            "step": self._clock.step,
            "distillation": self._mean("distillation"),
            "contrast": self._mean("contrast"),
            "gradient": self._mean("gradient"),
            "rate": self._reports[-1].rate,
            "samples_per_s": round(sum(report.samples for report in self._reports) / seconds, 2),
            "left_minutes": round(self._clock.left_s / 60.0, 1),
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        print(
            "{progress:6.1%}  step {step}  distillation {distillation:.3f}  contrast {contrast:.3f}  "
            "{samples_per_s:.1f} samples/s  {left_minutes:.0f} min left".format(**entry),
            flush=True,
        )

    def _mean(self, name: str) -> float:
        return round(float(np.mean([getattr(report, name) for report in self._reports])), 4)
