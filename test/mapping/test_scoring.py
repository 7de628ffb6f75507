"""The scoring rule against its definition."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from rgbd_perception.mapping.scoring import (
    ScoreCalibration,
    query_vectors,
    score_vectors,
    scores_of_at_least,
    write_scores,
)
from test.mapping.scored import joined

CALIBRATION = ScoreCalibration(scale=20.0, offset=0.4, kinship=0.1, sharpness=15.0)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _by_definition(vectors, texts, negatives, classes):
    v, q, n, t = (_unit(rows.astype(np.float64)) for rows in (vectors, texts, negatives, classes))
    scores = np.zeros((len(v), len(q)))
    for j, text in enumerate(q):
        likeness = t @ text
        related = likeness >= likeness.max() - CALIBRATION.kinship
        for i, voxel in enumerate(v):
            own = max(voxel @ text, (t[related] @ voxel).max())
            other = (t[~related] @ voxel).max() if (~related).any() else -2
            absolute = CALIBRATION.scale * (voxel @ text - CALIBRATION.offset)
            logit = min(absolute, CALIBRATION.sharpness * (own - other))
            lost = len(n) and (n @ voxel).max() >= voxel @ text
            scores[i, j] = 0 if lost else 1 / (1 + np.exp(-logit))
    return scores


@pytest.mark.parametrize("negatives", [0, 2])
def test_scores_follow_the_definition(negatives):
    rng = np.random.default_rng(4)
    classes = rng.standard_normal((6, 32))
    texts = classes[:3] + 0.7 * rng.standard_normal((3, 32))
    against = rng.standard_normal((negatives, 32))
    vectors = (classes[rng.integers(0, 6, 200)] + 0.5 * rng.standard_normal((200, 32))) * 0.1
    vectors = vectors.astype(np.float16)
    ours = score_vectors(vectors, query_vectors(texts, against, classes, CALIBRATION), CALIBRATION)
    expected = _by_definition(vectors, texts, against, classes)
    sure = expected > 0.02  # below that a score is only an upper bound
    np.testing.assert_allclose(ours[sure], expected[sure], atol=2e-3)
    assert sure.sum() > 20
    assert np.all(ours[~sure] >= expected[~sure] - 1e-3)
    assert np.all(ours[(expected == 0)] == 0)


@pytest.mark.parametrize("kind", [np.int8, np.float32])
@pytest.mark.parametrize(
    "count", [1, 5, 4099]
)  # four vectors go together, and many are shared by two threads
def test_low_scores_and_unused_vectors_are_left_out(kind, count):
    rng = np.random.default_rng(count)
    classes, negatives = rng.standard_normal((5, 24)), rng.standard_normal((1, 24))
    query = query_vectors(classes[:3], negatives, classes, CALIBRATION)
    vectors = (40 * _unit(classes[rng.integers(0, 5, count)] + rng.standard_normal((count, 24)))).astype(kind)
    used = rng.random(count) < 0.8
    every = score_vectors(vectors, query, CALIBRATION)
    scores = np.full((count, 3), np.nan, np.float32)
    with ThreadPoolExecutor(2) as pool:

        def in_two(work, size, least):
            list(pool.map(lambda part: work(*part), [(0, size // 3), (size // 3, size)]))

        write_scores(vectors, query, CALIBRATION, scores, in_two, least=0.3, in_use=used)
        reaching, their_scores = joined(scores_of_at_least(vectors, query, CALIBRATION, 0.3, in_two, used))
    kept = np.where(used[:, None] & (every >= 0.3), every, 0)
    np.testing.assert_allclose(scores, kept, atol=1e-6)
    assert reaching.tolist() == np.flatnonzero(kept.max(axis=1) > 0).tolist()
    np.testing.assert_allclose(their_scores, kept[reaching], atol=1e-6)
    assert count == 1 or 0 < reaching.size < count


def test_vectors_of_8_bits_score_like_others():
    rng = np.random.default_rng(6)
    classes, negatives = rng.standard_normal((40, 64)), rng.standard_normal((2, 64))
    query = query_vectors(classes[:8], negatives, classes, CALIBRATION)
    vectors = 20 * (classes[rng.integers(0, 40, 500)] + rng.standard_normal((500, 64)))
    vectors = np.clip(np.rint(vectors), -127, 127)
    whole, wide = (score_vectors(vectors.astype(kind), query, CALIBRATION) for kind in (np.int8, np.float32))
    np.testing.assert_allclose(whole, wide, atol=1e-5)
    assert (wide > 0.5).any() and (wide == 0).any() and ((wide > 0) & (wide < 0.02)).any()


def test_a_zero_vector_scores_nothing():
    query = query_vectors(np.eye(2, 8), np.empty((0, 8)), np.eye(3, 8), CALIBRATION)
    assert score_vectors(np.zeros((2, 8), np.float16), query, CALIBRATION).tolist() == [[0, 0], [0, 0]]


def test_without_a_vocabulary_only_the_absolute_test_counts():
    query = query_vectors(np.eye(1, 8), np.empty((0, 8)), np.empty((0, 8)), CALIBRATION)
    score = score_vectors(np.eye(1, 8).astype(np.float16), query, CALIBRATION)
    assert score[0, 0] == pytest.approx(1 / (1 + np.exp(-20 * 0.6)), abs=1e-3)


def test_what_a_text_shares_with_all_classes_is_taken_off():
    generic, thing = np.eye(4, dtype=np.float32)[:2]
    classes = np.array([generic + np.eye(4)[index] for index in (1, 2, 3)], np.float32)
    vectors = np.array([generic + thing], np.float16)
    texts = np.stack([generic + 0.1 * thing, 0.1 * generic + thing])
    plain, centred = (
        score_vectors(vectors, query_vectors(texts, texts[:0], classes, calibration), calibration)
        for calibration in (CALIBRATION, dataclasses.replace(CALIBRATION, centring=1.0, usual=0.0))
    )
    assert plain[0, 0] == pytest.approx(plain[0, 1], abs=1e-3)  # the same cosine
    assert centred[0, 1] > centred[0, 0] + 0.01
