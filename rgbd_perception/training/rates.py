"""Published schedules of the learning rate, as factors of the peak; all of them can be read from YAML."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol


class Moment(NamedTuple):
    """Where a training is: ``step`` of ``steps`` (0: not known), ``progress`` 0..1, steps of one epoch."""

    step: int
    steps: int
    progress: float
    epoch_steps: int


class Schedule(Protocol):
    """The learning rate over time."""

    def factor(self, moment: Moment) -> float:
        """Learning rate of the step that begins at ``moment``, as a factor of the peak."""

    def stage(self, moment: Moment) -> int:
        """Number of the stage; optimizers begin anew with each."""


@dataclass(frozen=True)
class Constant:
    """Always the peak."""

    kind: ClassVar[str] = "constant"

    def factor(self, moment: Moment) -> float:
        return 1.0

    def stage(self, moment: Moment) -> int:
        return 0


@dataclass(frozen=True)
class OneCycle:
    """One cycle, stepped per epoch (DVEFormer, arXiv:2601.00359): cosine up, cosine down.

    From ``1 / start_divisor`` of the peak over the fraction ``warmup`` of the epochs, then down to
    ``1 / (start_divisor * end_divisor)``, which the last epoch has. Momentum is not cycled.
    """

    kind: ClassVar[str] = "one_cycle"
    warmup: float = 0.1
    start_divisor: float = 25.0
    end_divisor: float = 1e4

    def factor(self, moment: Moment) -> float:
        epochs = max(moment.steps // moment.epoch_steps, 1)
        epoch = min(moment.step // moment.epoch_steps, epochs - 1)
        top = self.warmup * epochs - 1.0
        start = 1.0 / self.start_divisor
        if epoch <= top:
            return _cosine(start, 1.0, epoch / top if top > 0 else 1.0)
        share = (epoch - top) / max(epochs - 1.0 - top, 1e-9)
        return _cosine(1.0, start / self.end_divisor, share)

    def stage(self, moment: Moment) -> int:
        return 0


@dataclass(frozen=True)
class Stages:
    """Stages of equal length with rates of their own (TokenFusion, GeminiFusion, DiffPixelFormer).

    Each begins with new optimizers: linear from ``start`` over ``warmup_steps``, then
    ``(1 - t / decay_steps) ** power`` with t counted from the stage's beginning; from ``decay_steps`` on the
    rate stays what it was last.
    """

    kind: ClassVar[str] = "stages"
    factors: tuple[float, ...] = (1.0, 0.5, 0.25)
    epochs: tuple[int, ...] = (100, 100, 100)
    warmup_steps: int = 1500
    start: float = 1e-6
    decay_steps: int = 40_000
    power: float = 1.0

    def factor(self, moment: Moment) -> float:
        stage = self.stage(moment)
        step = moment.step - sum(self.epochs[:stage]) * moment.epoch_steps
        if step < self.warmup_steps:
            ramp = self.start + (1.0 - self.start) * step / self.warmup_steps
            return self.factors[stage] * ramp
        left = 1.0 - min(step, self.decay_steps - 1) / self.decay_steps
        return self.factors[stage] * left**self.power

    def stage(self, moment: Moment) -> int:
        epoch = moment.step // moment.epoch_steps
        ends = [sum(self.epochs[: index + 1]) for index in range(len(self.factors))]
        return min(sum(end <= epoch for end in ends), len(self.factors) - 1)


@dataclass(frozen=True)
class WarmupPoly:
    """Per step: linear from ``start`` over ``warmup_epochs``, then ``(1 - p) ** power``.

    As GeminiFusion is trained on DeLiVER. p runs from 0 there to 1 one epoch after the last: the last steps
    still learn.
    """

    kind: ClassVar[str] = "warmup_poly"
    warmup_epochs: int = 10
    start: float = 0.1
    power: float = 0.9

    def factor(self, moment: Moment) -> float:
        warmup = self.warmup_epochs * moment.epoch_steps
        if moment.step < warmup:
            return self.start + (1.0 - self.start) * moment.step / warmup
        end = moment.steps + moment.epoch_steps
        return max(1.0 - (moment.step - warmup) / max(end - warmup, 1), 0.0) ** self.power

    def stage(self, moment: Moment) -> int:
        return 0


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * share))
