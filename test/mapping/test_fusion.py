"""Weights, colors, embeddings and class evidence against straightforward numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.mapping.evidence import EvidenceStore, from_cosines, gain, labels_of, posterior
from rgbd_perception.mapping.exact_features import ExactFeatures
from rgbd_perception.mapping.fusion import VoxelGroups
from rgbd_perception.mapping.jit import to_half
from rgbd_perception.mapping.keys import pack
from rgbd_perception.mapping.store import VoxelStore
from rgbd_perception.mapping.threads import Threads, run_in_turn


def _groups(cells_of_voxel: list[list[int]], weights: np.ndarray) -> VoxelGroups:
    keys = pack(np.array([[index, 0, 0] for index in range(len(cells_of_voxel))]))
    starts = np.cumsum([0, *map(len, cells_of_voxel)]).astype(np.int32)
    return VoxelGroups(keys, starts, np.concatenate(cells_of_voxel).astype(np.int32), weights)


def test_embeddings_are_the_weighted_mean_of_all_frames():
    rng = np.random.default_rng(1)
    store = VoxelStore(100)
    features = ExactFeatures(store, 24, "space")
    total, weight = np.zeros((2, 24)), np.zeros(2)
    for _ in range(20):
        cells = rng.standard_normal((5, 24)).astype(np.float32)
        weights = rng.uniform(0.1, 1, 5).astype(np.float32)
        groups = _groups([[0, 3], [1, 2, 4]], weights)
        rows, _ = store.insert(groups.keys)
        features.blend(rows, features.pool(rows, groups, to_half(cells), run_in_turn), 0.0)
        for voxel, members in enumerate([[0, 3], [1, 2, 4]]):
            total[voxel] += (cells[members] * weights[members, None]).sum(axis=0)
            weight[voxel] += weights[members].sum()
    np.testing.assert_allclose(store.columns["feature"][:2], total / weight[:, None], atol=5e-3)
    np.testing.assert_allclose(store.columns["feature_weight"][:2], weight, rtol=1e-5)


def test_threads_do_not_change_the_result():
    rng = np.random.default_rng(2)
    cells = to_half(rng.standard_normal((6000, 8)).astype(np.float16))
    groups = _groups([[index] for index in range(6000)], np.ones(6000, np.float32))
    results = []
    for run in (run_in_turn, Threads(3)):
        store = VoxelStore(6000)
        features = ExactFeatures(store, 8, "space")
        rows, _ = store.insert(groups.keys)
        features.blend(rows, features.pool(rows, groups, cells, run), 100.0)
        results.append(features.feature.copy())
    assert np.array_equal(*results)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(0.3, 0.95)), min_size=1, max_size=12),
    st.permutations(range(12)),
)
def test_evidence_is_bayes_rule_in_any_order(observations, order):
    classes = 4
    log_likelihood = np.zeros(classes)
    for label, confidence in observations:
        likelihood = np.full(classes, (1 - confidence) / (classes - 1))
        likelihood[label] = confidence
        log_likelihood += np.log(likelihood)
    expected = np.exp(log_likelihood - log_likelihood.max())
    expected /= expected.sum()
    for sequence in (observations, [observations[i] for i in order if i < len(observations)]):
        store = VoxelStore(10)
        evidence = EvidenceStore(store, classes, slots=4)
        groups = _groups([[0]], np.ones(1, np.float32))
        for label, confidence in sequence:
            evidence.fuse(
                store.insert(groups.keys)[0],
                groups,
                np.array([label], np.uint16),
                np.array([confidence], np.float32),
                0.0,
                1,
            )
        probability = posterior(evidence.class_slot[:1], evidence.evidence[:1], classes)[0]
        ours = np.zeros(classes)
        for slot, value in zip(evidence.class_slot[0], probability, strict=True):
            if slot:
                ours[slot - 1] = value
        seen = sorted({label for label, _ in observations})
        np.testing.assert_allclose(ours[seen], expected[seen], atol=1e-4)
        assert ours[labels_of(evidence.class_slot[:1])[0]] >= ours.max() - 1e-5  # ties may go either way


def test_evidence_follows_a_change_once_the_limit_is_reached():
    store = VoxelStore(10)
    evidence = EvidenceStore(store, 5, slots=2)
    groups = _groups([[0]], np.ones(1, np.float32))
    rows = store.insert(groups.keys)[0]
    sure = np.array([0.9], np.float32)
    for label, times in ((1, 200), (2, 8)):
        for _ in range(times):
            evidence.fuse(rows, groups, np.array([label], np.uint16), sure, 20.0, 1)
    assert labels_of(evidence.class_slot[:1])[0] == 2


def test_unknown_cells_are_no_evidence():
    store = VoxelStore(10)
    evidence = EvidenceStore(store, 5, slots=2)
    groups = _groups([[0]], np.ones(1, np.float32))
    evidence.fuse(
        store.insert(groups.keys)[0], groups, np.array([65535], np.uint16), np.ones(1, np.float32), 0.0, 1
    )
    assert labels_of(evidence.class_slot[:1])[0] == 65535


@pytest.mark.parametrize("classes", [1, 2, 38])
def test_gain_is_never_negative_and_zero_at_chance(classes):
    values = gain(np.array([0.0, 1.0 / classes, 1.0], np.float32), classes)
    assert np.all(np.isfinite(values))
    assert values[0] == pytest.approx(0, abs=1e-6)
    assert values[2] >= values[1]


def test_evidence_from_cosines_is_their_softmax():
    rng = np.random.default_rng(3)
    cosines = rng.uniform(-0.2, 0.9, (20, 7)).astype(np.float32)
    slots, evidence = from_cosines(cosines, 20.0, 3)
    expected = np.exp(20 * cosines)
    expected /= expected.sum(axis=1, keepdims=True)
    probability = posterior(slots, evidence, 7)
    np.testing.assert_allclose(
        probability, np.take_along_axis(expected, slots.astype(int) - 1, axis=1), rtol=1e-3
    )
    assert np.array_equal(labels_of(slots), cosines.argmax(axis=1))
