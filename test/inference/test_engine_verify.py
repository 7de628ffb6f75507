"""The comparison behind ``engine verify``: what it counts, and when it says no."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.frame import CameraIntrinsics, Prediction, RgbdFrame
from rgbd_perception.inference.engine_verify import Agreement, compare, shortfalls

GRID, DIM = (6, 8), 16


def frames(count: int) -> list[RgbdFrame]:
    """The brightness of a frame is its number."""
    camera = CameraIntrinsics(40, 40, 31.5, 23.5, 64, 48)
    return [
        RgbdFrame(np.full((48, 64, 3), index, np.uint8), np.ones((48, 64), np.float32), camera)
        for index in range(count)
    ]


def predict(frame: RgbdFrame, noise: float = 0.0, flips: int = 0) -> Prediction:
    """Random, but the same for the same frame; ``flips`` of the labels are changed."""
    random = np.random.default_rng(int(frame.color[0, 0, 0]))
    labels = random.integers(0, 4, GRID).astype(np.uint16)
    rows = random.standard_normal((*GRID, DIM)) + noise * random.standard_normal((*GRID, DIM))
    labels.ravel()[:flips] += 1
    unit = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    return Prediction(labels, np.full(GRID, 0.5 + noise, np.float32), 8, unit.astype(np.float16))


def test_the_same_is_good() -> None:
    agreement = compare(frames(3), predict, predict)
    assert (agreement.frames, agreement.cells, agreement.not_finite) == (3, 3 * 48, 0)
    assert agreement.label_agreement == 1.0
    assert agreement.cosine == pytest.approx(1.0, abs=1e-4)
    assert agreement.confidence == 0.0
    assert shortfalls(agreement) == []


def test_labels_that_differ_are_counted() -> None:
    agreement = compare(frames(2), predict, lambda frame: predict(frame, flips=12))
    assert agreement.label_agreement == 0.75
    assert shortfalls(agreement) == ["same label in 75.00% of the cells, not 99%"]


@given(st.floats(0.01, 0.5))
def test_noise_is_measured(noise: float) -> None:
    agreement = compare(frames(2), predict, lambda frame: predict(frame, noise))
    assert agreement.cosine is not None and agreement.cosine_lowest is not None
    assert agreement.cosine == pytest.approx(1 / np.sqrt(1 + noise**2), abs=0.05)
    assert agreement.cosine_lowest <= agreement.cosine
    assert agreement.confidence == pytest.approx(noise, abs=1e-6)


def test_nan_is_a_reason_of_its_own() -> None:
    def sometimes_nan(frame: RgbdFrame) -> Prediction:
        if frame.color[0, 0, 0] == 1:
            raise FrameDropped("prediction_not_finite")
        return predict(frame)

    agreement = compare(frames(3), predict, sometimes_nan)
    assert (agreement.frames, agreement.not_finite) == (2, 1)
    assert shortfalls(agreement) == ["NaN or infinite values in 1 frames"]


def test_only_nan_is_no_agreement() -> None:
    def always_nan(frame: RgbdFrame) -> Prediction:
        raise FrameDropped("prediction_not_finite")

    agreement = compare(frames(2), predict, always_nan)
    assert agreement.label_agreement == 0.0
    assert shortfalls(agreement)


def test_frames_that_fp32_cannot_use_are_left_out() -> None:
    def picky(frame: RgbdFrame) -> Prediction:
        raise FrameDropped("prediction_not_finite")

    with pytest.raises(UserError, match="other frames"):
        compare(frames(2), picky, predict)


def test_a_candidate_that_cannot_take_a_frame_is_no_verdict() -> None:
    def refuse(frame: RgbdFrame) -> Prediction:
        raise FrameDropped("size_mismatch")

    with pytest.raises(FrameDropped, match="size_mismatch"):
        compare(frames(2), predict, refuse)


def test_networks_with_classes_only() -> None:
    def bare(frame: RgbdFrame) -> Prediction:
        return dataclasses.replace(predict(frame), embedding=None)

    agreement = compare(frames(2), bare, bare)
    assert agreement.cosine is None and agreement.cosine_lowest is None
    assert shortfalls(agreement) == []


def test_a_cosine_that_is_no_number_is_not_good() -> None:
    agreement = Agreement(1, 48, 0, 1.0, float("nan"), float("nan"), 0.0)
    assert len(shortfalls(agreement)) == 2


def half_precision(rows: NDArray[np.floating]) -> NDArray[np.floating]:
    return rows.astype(np.float16).astype(np.float32)


def test_rounding_to_fp16_is_good_enough() -> None:
    def rounded(frame: RgbdFrame) -> Prediction:
        prediction = predict(frame)
        assert prediction.embedding is not None
        return dataclasses.replace(prediction, embedding=half_precision(prediction.embedding))

    assert shortfalls(compare(frames(3), predict, rounded)) == []
