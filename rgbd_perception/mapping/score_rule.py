"""The numbers of the scoring rule as kernels take them, and its logits as scores."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.jit import kernel, power_of_two

NEVER = -1e4
"""The logit of what is no answer at all."""
NO_COSINE = 2.5
"""Its negative is below every cosine, also after what is generic was taken off."""
_LARGEST_LOGIT = 80.0
"""Beyond are the scores 0 and 1."""
_LOG_2 = math.log(2)
_ABOVE_LOGITS = 128
"""Added, no logit is negative, and cutting off rounds down."""


class ScoreRule(NamedTuple):
    """Numbers of the rule as float32: a centred cosine is ``undecided`` from which on the relative test may
    count; logits below ``least`` need not be right."""

    scale: float
    offset: float
    sharpness: float
    undecided: float
    least: float


def logit(score: float) -> float:
    """Of a score; 0 and 1 have finite ones too."""
    return math.log(score / (1 - score)) if 0 < score < 1 else math.copysign(_LARGEST_LOGIT, score - 0.5)


@kernel(fastmath=True)
def to_scores(values: NDArray[np.float32], least: float) -> None:
    """Logits become scores, 0 for those below ``least``."""
    for i in range(values.size):
        score = _sigmoid(values[i])
        values[i] = score if values[i] >= least and values[i] > NEVER else np.float32(0)


@kernel(fastmath=True)
def _sigmoid(logit: float) -> float:
    """1 / (1 + exp(-logit)) without branches.

    exp(x) is 2**n * exp(r) with the nearest n and a polynomial for |r| <= log(2) / 2; its error is 2e-7.
    """
    x = min(max(-logit, np.float32(-_LARGEST_LOGIT)), np.float32(_LARGEST_LOGIT))
    power = np.int32(x * np.float32(1 / _LOG_2) + np.float32(_ABOVE_LOGITS + 0.5)) - np.int32(_ABOVE_LOGITS)
    r = x - np.float32(power) * np.float32(_LOG_2)
    series = np.float32(1 / 120) + r * np.float32(1 / 720)
    series = np.float32(1 / 24) + r * series
    series = np.float32(1 / 6) + r * series
    series = np.float32(1 / 2) + r * series
    series = np.float32(1) + r * (np.float32(1) + r * series)
    return np.float32(1) / (np.float32(1) + series * power_of_two(np.int32(power)))
