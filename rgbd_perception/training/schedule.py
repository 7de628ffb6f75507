"""What happens when: everything is a function of progress, which runs from 0 to 1 over the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rgbd_perception.training.crops import CropConfig
from rgbd_perception.training.rates import Moment


@dataclass(frozen=True)
class Phase:
    """From progress ``start`` on: batches of ``batch`` windows. Early phases are small and fast."""

    start: float
    batch: int
    crop: CropConfig


@dataclass(frozen=True)
class RateConfig:
    """Linear warm-up to ``peak``, constant, linear down to ``peak * final`` over the fraction ``decay``.

    As good as a cosine (Hägele et al. 2024, arXiv:2405.18392), and a checkpoint from the constant part can go
    on in a run of a longer budget.
    """

    peak: float = 3e-3
    warmup: float = 0.015
    decay: float = 0.4
    final: float = 1e-3

    def factor(self, moment: Moment) -> float:
        """As a ``Schedule``: factor of the peak."""
        return learning_rate(moment.progress, self) / self.peak

    def stage(self, moment: Moment) -> int:
        """As a ``Schedule``: there is one stage only."""
        return 0


def learning_rate(progress: float, config: RateConfig) -> float:
    """Learning rate at ``progress`` (0..1)."""
    if progress < config.warmup:
        return config.peak * (0.04 + 0.96 * progress / config.warmup)
    left = min(max(1.0 - progress, 0.0) / max(config.decay, 1e-9), 1.0)
    return config.peak * (config.final + (1.0 - config.final) * left)


def phase_at(progress: float, phases: Sequence[Phase]) -> Phase:
    """The last phase that has started; the first one before any has."""
    started = [phase for phase in phases if phase.start <= progress]
    return started[-1] if started else phases[0]
