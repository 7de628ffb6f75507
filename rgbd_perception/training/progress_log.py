"""How a training run tells how it is going: a line now and then, the same as JSON lines, and as curves."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rgbd_perception.errors import UserError
from rgbd_perception.training.clock import TrainingClock

FILE_NAME = "log.jsonl"
CURVES = "tensorboard"


@dataclass(frozen=True)
class StepReport:
    """One step: terms of the loss, length of the gradient before clipping, learning rate, samples.

    Of all processes. ``waiting_s`` is how long the first process waited for its batch, ``seconds`` the time
    of the whole step.
    """

    terms: Mapping[str, float]
    gradient: float
    rate: float
    samples: int
    waiting_s: float = 0.0
    seconds: float = 0.0


class ProgressLog:
    """Collects step reports; every ``seconds`` prints their means and appends them to ``log.jsonl``.

    ``curves``: also for TensorBoard. Raises UserError where that is not installed.
    """

    def __init__(
        self, folder: Path, clock: TrainingClock, seconds: float = 10.0, curves: bool = False
    ) -> None:
        self._folder, self._clock, self._seconds = folder, clock, seconds
        self._reports: list[StepReport] = []
        self._since = time.monotonic()
        self._curves = _open_curves(folder / CURVES) if curves else None

    def add(self, report: StepReport) -> None:
        """One step is done."""
        self._reports.append(report)
        now = time.monotonic()
        if now - self._since >= self._seconds:
            self._write(now - self._since)
            self._reports, self._since = [], now

    def note(self, **values: float) -> None:
        """Something that does not happen at every step: scores on validation data."""
        self._append({"step": self._clock.step, **values})
        print("  ".join(f"{name} {value:.4f}" for name, value in values.items()), flush=True)

    def close(self) -> None:
        """Write what has been collected since the last line."""
        if self._reports:
            self._write(time.monotonic() - self._since)
            self._reports = []
        if self._curves is not None:
            self._curves.close()

    def _write(self, seconds: float) -> None:
        terms = {name: self._mean([report.terms[name] for report in self._reports]) for name in self._names()}
        entry = {
            "progress": round(self._clock.progress(), 4),
            "step": self._clock.step,
            **terms,
            "gradient": self._mean([report.gradient for report in self._reports]),
            "rate": self._reports[-1].rate,
            "samples_per_s": round(sum(report.samples for report in self._reports) / seconds, 2),
            "seconds": self._mean([report.seconds for report in self._reports]),
            "waiting_share": round(self._waiting_share(), 4),
            "left_minutes": round(self._clock.left_s / 60.0, 1),
        }
        self._append(entry)
        losses = "  ".join(f"{name} {value:.3f}" for name, value in terms.items())
        print(
            "{progress:6.1%}  step {step}  ".format(**entry)
            + losses
            + "  {samples_per_s:.1f} samples/s  {left_minutes:.0f} min left".format(**entry),
            flush=True,
        )

    def _append(self, entry: Mapping[str, Any]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / FILE_NAME).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        if self._curves is not None:
            for name, value in entry.items():
                if name != "step":
                    self._curves.add_scalar(name, value, entry["step"])

    def _waiting_share(self) -> float:
        waiting = sum(report.waiting_s for report in self._reports)
        return waiting / max(sum(report.seconds for report in self._reports), 1e-9)

    def _names(self) -> list[str]:
        return list(self._reports[-1].terms)

    @staticmethod
    def _mean(values: list[float]) -> float:
        return round(float(np.mean(values)), 6)


def _open_curves(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UserError(
            "tensorboard: the package is not installed: pip install 'rgbd_perception[tensorboard]'"
        ) from error
    return SummaryWriter(str(folder))
