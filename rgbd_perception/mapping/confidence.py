"""From the score of the scoring rule to the probability that an answer is right.

The scoring rule (scoring.py) ranks well but promises nothing: of answers that it scores 0.5, a third are
right. With x the logit of that raw score, the probability is

    logit(p) = offset + above * max(x, 0) + below * min(x, 0)

Platt's sigmoid (Platt 1999) with a slope of its own on either side of 1/2. It rises strictly, so that the
order of answers and what a threshold lets through stay as they were; only the scale changes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from rgbd_perception.mapping.scoring import ScoreCalibration, calibration_for

_LARGEST_LOGIT = 30.0
"""Logits beyond it are cut: 1 - p is then below the rounding of any score."""


@dataclass(frozen=True)
class Confidence:
    """Numbers of the map from raw scores to probabilities for one text space; both slopes are positive."""

    offset: float = 0.0
    above: float = 1.0
    below: float = 1.0

    def probability(self, raw: float) -> float:
        """A raw score (cut to 0..1) as the probability that such an answer is right; 0 and 1 stay."""
        if not 0 < raw < 1:
            return min(max(raw, 0.0), 1.0)
        x = _logit(raw)
        return _sigmoid(self.offset + (self.above if x > 0 else self.below) * x)

    def raw(self, probability: float) -> float:
        """The inverse: the raw score that has this probability."""
        if not 0 < probability < 1:
            return min(max(probability, 0.0), 1.0)
        x = _logit(probability) - self.offset
        return _sigmoid(x / (self.above if x > 0 else self.below))


AS_IT_IS = Confidence()
"""Scores of the scoring rule, unchanged."""
CONFIDENCES: dict[str, Confidence] = {
    "all-MiniLM-L6-v2": Confidence(offset=-0.67, above=0.54, below=1.64),
}
"""By text space; fitted by benchmarks/score_reliability.py on apartments neither trained nor tested on."""


@dataclass(frozen=True)
class ScoreScale:
    """How a query turns raw scores into answers: the scoring rule, its probabilities, and the least raw score
    of an answer."""

    rule: ScoreCalibration
    confidence: Confidence
    least: float

    @property
    def extent(self) -> float:
        """Raw score down to which voxels still belong to the thing that an answer describes."""
        return self.least * self.rule.extent

    def shown(self, raw: float) -> float:
        """The score that users see for a raw one."""
        return round(self.confidence.probability(raw), 4)


def score_scale(text_space: str, calibration: ScoreCalibration | None, threshold: float | None) -> ScoreScale:
    """The scale of a text space; ``threshold`` is a probability (None: that of the calibration).

    Scores stay raw where nothing was fitted: other text spaces, a ``calibration`` of the caller's own.
    """
    rule = calibration_for(text_space) if calibration is None else calibration
    is_fitted = rule == calibration_for(text_space)
    confidence = CONFIDENCES.get(text_space, AS_IT_IS) if is_fitted else AS_IT_IS
    return ScoreScale(rule, confidence, rule.threshold if threshold is None else confidence.raw(threshold))


def _logit(p: float) -> float:
    return math.log(p) - math.log1p(-p)


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-min(max(x, -_LARGEST_LOGIT), _LARGEST_LOGIT)))
