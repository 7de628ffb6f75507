"""The temperature that turns cosines into honest probabilities (Guo et al. 2017, arXiv:1706.04599)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

RANGE = (0.005, 0.5)


def fit_temperature(cosines: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """The temperature T that minimises the negative log likelihood of ``softmax(cosines / T)``.

    cosines (N, C), labels (N,) class ids. ValueError without samples.
    """
    if not len(labels):
        raise ValueError("expected at least one labelled sample to fit the temperature on, got none")

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(cosines, labels, float(np.exp(log_temperature)))

    found = minimize_scalar(loss, bounds=tuple(np.log(RANGE)), method="bounded")
    return float(np.exp(found.x))


def negative_log_likelihood(
    cosines: NDArray[np.floating], labels: NDArray[np.integer], temperature: float
) -> float:
    """Mean of ``-log softmax(cosines / temperature)[label]``."""
    logits = cosines.astype(np.float64) / temperature
    logits -= logits.max(axis=1, keepdims=True)
    chosen = logits[np.arange(len(labels)), labels]
    return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - chosen))
