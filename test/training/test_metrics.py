"""Confusion matrices and panoptic quality: cases done by hand, and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rgbd_perception.inference.panoptic import LABEL_DIVISOR as CLASS
from rgbd_perception.training.metrics import Confusion
from rgbd_perception.training.panoptic_quality import PanopticQuality


def test_a_case_done_by_hand() -> None:
    confusion = Confusion(4)
    confusion.add(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]))
    confusion.add(np.array([1, -1]), np.array([2, 0]))
    names = ["a", "b", "c", "d"]
    scores = confusion.scores(names)
    assert scores.iou == {"a": pytest.approx(2 / 3), "b": pytest.approx(1 / 3)}
    assert scores.mean_iou == pytest.approx(0.5)  # c and d do not occur in the truth
    assert scores.accuracy == pytest.approx(3 / 5)
    assert scores.mean_accuracy == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert scores.mistakes[0] == ("b", "c", 0.5)
    assert confusion.scores(names, over="seen").mean_iou == pytest.approx(1 / 3)  # c was predicted
    assert confusion.scores(names, over="all").mean_iou == pytest.approx(1 / 4)


def test_without_any_pixel_the_scores_are_zero() -> None:
    scores = Confusion(2).scores(["a", "b"])
    assert (scores.mean_iou, scores.accuracy, scores.mean_accuracy) == (0.0, 0.0, 0.0)
    assert (scores.iou, scores.mistakes) == ({}, ())


@pytest.mark.parametrize("wrong", [-1, 3, 65535])
def test_a_prediction_that_is_no_class_is_refused(wrong: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 2"):
        Confusion(3).add(np.array([0, 1]), np.array([0, wrong]))


@given(seed=st.integers(0, 10_000), classes=st.integers(2, 6))
def test_equal_to_scikit_learn(seed: int, classes: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    truth, predicted = rng.integers(0, classes, (2, 3, 50))
    confusion = Confusion(classes)
    for row_truth, row in zip(truth, predicted, strict=True):
        confusion.add(row_truth, row)
    truth, predicted = truth.ravel(), predicted.ravel()
    scores = confusion.scores([str(index) for index in range(classes)], over="labelled")
    np.testing.assert_array_equal(
        confusion.matrix, metrics.confusion_matrix(truth, predicted, labels=range(classes))
    )
    labels = np.unique(truth)
    assert scores.mean_iou == pytest.approx(
        metrics.jaccard_score(truth, predicted, labels=labels, average="macro")
    )
    assert scores.accuracy == pytest.approx(metrics.accuracy_score(truth, predicted))
    assert scores.mean_accuracy == pytest.approx(
        metrics.recall_score(truth, predicted, labels=labels, average="macro")
    )


def panoptic(*regions: tuple[int, int, int]) -> NDArray[np.int64]:
    """A row of 100 pixels, void but for (first, last + 1, id)."""
    ids = np.zeros((1, 100), np.int64)
    for first, end, segment in regions:
        ids[0, first:end] = segment
    return ids


def test_panoptic_quality_done_by_hand() -> None:
    quality = PanopticQuality(3)
    wall, chair, table = CLASS, 2 * CLASS, 3 * CLASS
    truth = panoptic((0, 40, wall), (40, 60, chair + 1), (60, 80, chair + 2))
    predicted = panoptic(
        (0, 36, wall),  # IoU 36 / 40
        (36, 55, chair + 1),  # IoU 15 / 24
        (60, 70, chair + 2),  # IoU 1 / 2: not more than a half, so missed and wrong
        (70, 80, table + 1),  # wrong
        (80, 100, chair + 3),  # where the truth is void: does not count
    )
    quality.add(truth, predicted)
    scores = quality.scores(["wall", "chair", "table"])
    assert scores.by_class["wall"] == pytest.approx(36 / 40)
    assert scores.by_class["chair"] == pytest.approx((15 / 24) / (1 + 0.5 + 0.5))
    assert scores.by_class["table"] == 0.0
    assert scores.pq == pytest.approx((0.9 + 0.3125) / 3)
    assert scores.sq == pytest.approx((0.9 + 0.625) / 3)
    assert scores.rq == pytest.approx((1 + 0.5) / 3)


def test_void_pixels_do_not_make_a_segment_worse() -> None:
    quality = PanopticQuality(1)
    quality.add(panoptic((0, 20, CLASS + 1)), panoptic((0, 39, CLASS + 1)))
    assert quality.scores(["chair"]).pq == 1.0


def test_the_quality_of_two_images_is_counted_together() -> None:
    quality = PanopticQuality(2)
    perfect = panoptic((0, 50, CLASS + 1))
    quality.add(perfect, perfect)
    quality.add(perfect, panoptic((0, 50, 2 * CLASS + 1)))
    scores = quality.scores(["a", "b"])
    assert scores.by_class == {"a": pytest.approx(1 / 1.5), "b": 0.0}
    assert PanopticQuality(1).scores(["a"]).pq == 0.0


@given(seed=st.integers(0, 1000))
def test_names_of_instances_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, numbers = rng.integers(1, 4, (2, 6, 8))
    ids = labels * CLASS + numbers
    renamed = labels * CLASS + (4 - numbers)
    quality = PanopticQuality(3)
    quality.add(ids, renamed)
    scores = quality.scores(["a", "b", "c"])
    assert (scores.pq, scores.sq, scores.rq) == (1.0, 1.0, 1.0)
