"""What queries note of the shared rows: the same scores as without, and nothing old."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rgbd_perception.bench.embeddings import CLASS_NAMES, ClusteredEmbeddings, MadeUpTexts
from rgbd_perception.bench.scenes import Scene, bench_map
from rgbd_perception.mapping import MapConfig, VoxelMap
from rgbd_perception.mapping.features import SharedFeatures
from rgbd_perception.mapping.nearest_classes import MOST_CLASSES, NearestClasses
from rgbd_perception.mapping.query import QueryResult
from rgbd_perception.mapping.scoring import (
    QueryVectors,
    ScoreCalibration,
    query_vectors,
    score_vectors,
    scores_of_at_least,
)
from rgbd_perception.mapping.shared_rows import SharedRows
from rgbd_perception.vocabulary import Vocabulary
from test.mapping.scored import joined

_SHARP = ScoreCalibration(scale=20.0, offset=0.2, kinship=0.3, sharpness=15.0)
_DIM = 64


def _vectors(rng: np.random.Generator, classes: np.ndarray, count: int) -> np.ndarray:
    """Somewhere between two classes each, so that many are undecided by their nearest two."""
    mixed = classes[rng.integers(0, len(classes), (2, count))].sum(axis=0)
    vectors = mixed + rng.uniform(0, 1.5) * rng.standard_normal((count, classes.shape[1]))
    return np.rint(127 * vectors / np.abs(vectors).max(axis=1, keepdims=True)).astype(np.int8)


@settings(max_examples=60)
@given(
    st.integers(0, 2**31),
    st.integers(1, 12),
    st.integers(1, 11),
    st.integers(0, 2),
    st.sampled_from([8, 24, 64, 70]),
    st.sampled_from([0.001, 0.3, 0.6]),
)
def test_scores_are_those_of_the_plain_rule(seed, classes, texts, negatives, dim, least):
    rng = np.random.default_rng(seed)
    names, against = rng.standard_normal((classes, dim)), rng.standard_normal((negatives, dim))
    asked = names[rng.integers(0, classes, texts)] + rng.uniform(0, 1) * rng.standard_normal((texts, dim))
    query = query_vectors(asked, against, names, _SHARP)
    vectors = _vectors(rng, names, 300)
    vectors[rng.integers(0, 300, 5)] = 0
    every = score_vectors(vectors, query, _SHARP)
    pairs = np.zeros(300, np.uint32)
    for _ in range(2):  # first notes are made, then they are used
        numbers, scores = joined(scores_of_at_least(vectors, query, _SHARP, least, pairs=pairs))
        kept = np.where(every >= least, every, 0)
        sure = np.abs(every - least).min(axis=1) > 1e-5
        assert np.array_equal(numbers[sure[numbers]], np.flatnonzero((kept.max(axis=1) > 0) & sure))
        np.testing.assert_allclose(scores[sure[numbers]], kept[numbers[sure[numbers]]], atol=1e-5)


def _query(classes: np.ndarray) -> QueryVectors:
    return query_vectors(classes[:3], classes[:0], classes, _SHARP)


def _related_by_hand(related: list[bool]) -> QueryVectors:
    """One text on the first axis, three classes on the axes, related as given."""
    axes = np.eye(3, 8, dtype=np.float32)
    return QueryVectors(axes[:1], axes[:0], axes, np.array([related]), np.zeros(1, np.float32))


@pytest.mark.parametrize("related", [[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
@pytest.mark.parametrize("row", [(90, 80, 70), (70, 90, 80), (80, 70, 90), (60, 90, 89), (89, 90, 30)])
def test_whichever_classes_are_related(related, row):
    query = _related_by_hand([bool(value) for value in related])
    vectors = np.zeros((1, 8), np.int8)
    vectors[0, :3] = row
    expected = score_vectors(vectors, query, _SHARP)
    pairs = np.zeros(1, np.uint32)
    for _ in range(2):
        numbers, scores = joined(scores_of_at_least(vectors, query, _SHARP, 0.3, pairs=pairs))
        reached = expected[expected >= 0.3]
        np.testing.assert_allclose(scores.ravel(), reached, atol=1e-6)
        assert numbers.size == reached.size


def test_only_what_is_near_and_not_yet_noted_is_worked_out():
    classes = np.eye(6, _DIM, dtype=np.float32)
    vectors = np.zeros((3, _DIM), np.int8)
    vectors[0, :2], vectors[1, 5], vectors[2, 1:3] = (90, 80), 100, (80, 90)
    pairs = np.zeros(3, np.uint32)
    scores_of_at_least(vectors, _query(classes), _SHARP, 0.3, pairs=pairs)
    assert pairs.tolist() == [1 + (2 << 16), 0, 3 + (2 << 16)]  # the second row is near to no text


def test_the_only_class_has_no_rival():
    classes = np.eye(1, _DIM, dtype=np.float32)
    vectors, pairs = np.full((1, _DIM), 60, np.int8) * np.eye(1, _DIM, dtype=np.int8), np.zeros(1, np.uint32)
    first, second = (
        joined(scores_of_at_least(vectors, _query(classes), _SHARP, 0.3, pairs=pairs))[1] for _ in range(2)
    )
    assert pairs.tolist() == [1]
    assert first[0, 0] > 0.99
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_notes_are_for_one_vocabulary():
    nearest, classes = NearestClasses(10), np.eye(4, 8, dtype=np.float32)
    notes = nearest.to(classes)
    notes[:] = 7
    assert nearest.to(classes.copy()) is notes
    others = nearest.to(classes[::-1])
    assert not others.any() and notes.all()  # a query for the others may still be reading
    assert not nearest.to(classes).any()
    assert nearest.to(classes[:0]) is None
    assert nearest.to(np.zeros((MOST_CLASSES + 1, 1), np.float32)) is None
    assert nearest.to(classes[:0]) is None and nearest.to(np.zeros((4, 9), np.float32)) is not None


def test_a_row_that_is_given_out_anew_has_nothing_noted():
    nearest, classes = NearestClasses(10), np.eye(4, 8, dtype=np.float32)
    nearest.forget(np.arange(3, dtype=np.int32))  # before anything was asked
    nearest.to(classes)[:] = 7
    nearest.forget(np.array([2, 5], np.int32))
    assert np.flatnonzero(nearest.to(classes) == 0).tolist() == [2, 5]


def _answers(voxel_map: VoxelMap) -> list[QueryResult]:
    return voxel_map.query(CLASS_NAMES, encoder=MadeUpTexts(_DIM), threshold=0.1)


def _shared(voxel_map: VoxelMap) -> SharedRows:
    features = voxel_map._layers.features
    assert isinstance(features, SharedFeatures)
    return features.shared


def _assert_answers_as_if_first_asked(voxel_map: VoxelMap) -> int:
    """Return how many answers there are."""
    found, shared = _answers(voxel_map), _shared(voxel_map)
    kept, shared.nearest = shared.nearest, NearestClasses(shared.users.size)
    first = _answers(voxel_map)
    shared.nearest = kept
    for result, other in zip(found, first, strict=True):
        assert result.message == other.message
        assert [answer.voxels for answer in result.answers] == [answer.voxels for answer in other.answers]
        scores = [[answer.score for answer in each.answers] for each in (result, other)]
        np.testing.assert_allclose(*scores, atol=1e-4)
    return sum(len(result.answers) for result in found)


def test_a_map_answers_the_same_whatever_was_noted_before():
    """Rows are left and given out anew between the questions, and classes change places."""
    config = MapConfig(hot_voxels=4096, max_voxels=20_000, evict=True, voxel_size=0.04, min_weight=0.0)
    voxel_map, scene = bench_map(_DIM, config), Scene(ClusteredEmbeddings(_DIM))
    before, reused, found = np.zeros((1, 1), np.int8), 0, 0
    for frame, prediction in chain(scene.survey(0), scene.survey(1)):
        voxel_map.integrate(frame, prediction)
        rows = _shared(voxel_map).vector.copy()
        reused += np.count_nonzero(before.any(axis=-1) & (before != rows).any(axis=-1))
        before = rows
        found += _assert_answers_as_if_first_asked(voxel_map)
    assert reused > 1000 and found > 100
    names = tuple(reversed(CLASS_NAMES))
    voxel_map.set_vocabulary(Vocabulary(names, voxel_map.text_space), MadeUpTexts(_DIM).encode(names))
    assert _assert_answers_as_if_first_asked(voxel_map) > 0
    voxel_map.close()
