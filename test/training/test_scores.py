"""Calibration, class weights and the schedule, by hand-made cases and properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.training.calibration import fit_temperature, negative_log_likelihood
from rgbd_perception.training.class_targets import class_weights
from rgbd_perception.training.config import TrainConfig
from rgbd_perception.training.schedule import RateConfig, learning_rate, phase_at


@given(true_temperature=st.floats(0.02, 0.2), seed=st.integers(0, 100))
def test_the_fitted_temperature_is_the_one_the_labels_were_drawn_with(
    true_temperature: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    cosines = rng.uniform(-0.2, 0.6, (4000, 6))
    scores = np.exp(cosines / true_temperature)
    cumulative = np.cumsum(scores / scores.sum(axis=1, keepdims=True), axis=1)
    labels = np.minimum((rng.random((4000, 1)) > cumulative).sum(axis=1), 5)
    fitted = fit_temperature(cosines, labels)
    assert fitted == pytest.approx(true_temperature, rel=0.2)
    best = negative_log_likelihood(cosines, labels, fitted)
    assert best <= negative_log_likelihood(cosines, labels, true_temperature) + 1e-9


def test_fitting_without_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        fit_temperature(np.zeros((0, 3)), np.zeros(0, np.int64))


def test_rare_classes_weigh_more_and_unseen_ones_do_no_harm() -> None:
    weights = class_weights(np.array([0.9, 0.09, 0.01, 0.0]), 0.5, 4.0)
    assert weights[0] < weights[1] < weights[2] <= 4.0
    assert weights.min() >= 0.25
    assert np.isfinite(weights).all()
    np.testing.assert_array_equal(class_weights(np.array([0.9, 0.1]), 0.0, 4.0), 1.0)


@given(progress=st.floats(0.0, 1.0))
def test_the_rate_stays_between_its_ends(progress: float) -> None:
    config = RateConfig(peak=1e-3, warmup=0.1, final=0.01)
    assert 1e-5 * 0.999 <= learning_rate(progress, config) <= 1e-3


def test_the_rate_rises_stays_and_falls_to_its_end() -> None:
    config = RateConfig(peak=1e-3, warmup=0.1, decay=0.4, final=0.01)
    rates = [learning_rate(progress, config) for progress in np.linspace(0, 1, 101)]
    assert np.all(np.diff(rates[:11]) > 0)
    assert rates[10:61] == pytest.approx([1e-3] * 51)
    assert np.all(np.diff(rates[60:]) < 0)
    assert rates[-1] == pytest.approx(1e-5)


def test_phases_follow_each_other() -> None:
    phases = TrainConfig().phases
    assert phase_at(0.0, phases) is phases[0]
    assert phase_at(phases[1].start, phases) is phases[1]
    assert phase_at(1.0, phases) is phases[-1]
