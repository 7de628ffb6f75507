"""Ranked groups against a plain reading of the rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from rgbd_perception.mapping.keys import pack
from rgbd_perception.mapping.ranking import best_groups, ranked_groups, robust_best, robust_best_of


def _expected(occupied: np.ndarray, scores: np.ndarray, least_voxels: int, least_score: float) -> list[tuple]:
    """(score, voxels) of the groups without gaps, best first."""
    labelled, count = ndimage.label(occupied, structure=np.ones((3, 3, 3)))
    found = []
    for group in range(1, count + 1):
        ordered = np.sort(scores[labelled[occupied] == group])[::-1]
        if ordered.size >= least_voxels:
            quarter = max(least_voxels, int(np.ceil(0.25 * ordered.size)))
            found.append((float(ordered[:quarter].mean()), ordered.size))
    chosen = [entry for entry in found if entry[0] >= least_score]
    return sorted(chosen, key=lambda entry: (-round(entry[0], 4), -entry[1]))


@given(hnp.arrays(bool, (7, 6, 5)), st.integers(0, 1000), st.integers(1, 5), st.integers(1, 4))
def test_groups_are_ranked_by_their_best_quarter(occupied, seed, least_voxels, most):
    rng = np.random.default_rng(seed)
    coordinates = np.argwhere(occupied)
    # Levels that four decimals tell apart: sums in another order must not decide the order of groups.
    scores = rng.integers(0, 5, len(coordinates)).astype(np.float32) / 4
    order = rng.permutation(len(coordinates))
    groups = ranked_groups(
        pack(coordinates[order] - 3),
        scores[order],
        gap=0,
        least_voxels=least_voxels,
        least_score=0.3,
        most=most,
    )
    expected = _expected(occupied, scores, least_voxels, 0.3)[:most]
    assert [group.members.size for group in groups] == [size for _, size in expected]
    np.testing.assert_allclose([group.score for group in groups], [score for score, _ in expected], atol=1e-6)
    for group in groups:
        assert robust_best(scores[order][group.members], least_voxels) == pytest.approx(group.score, abs=1e-6)


def test_nothing_makes_no_group():
    assert (
        ranked_groups(
            np.empty(0, np.int64), np.empty(0, np.float32), gap=1, least_voxels=1, least_score=0, most=3
        )
        == []
    )


@given(
    hnp.arrays(np.float32, st.integers(1, 60), elements=st.floats(0.0, 1.0, width=32)),
    st.integers(0, 1000),
    st.integers(1, 8),
)
def test_counted_scores_are_as_good_as_each_alone(scores, seed, least_voxels):
    counts = np.random.default_rng(seed).integers(1, 9, scores.size).astype(np.int32)
    alone = robust_best(np.repeat(scores, counts), least_voxels)
    assert robust_best_of(scores, counts, least_voxels) == pytest.approx(alone, abs=1e-6)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 9)), max_size=40),
    st.integers(1, 5),
    st.floats(0, 1),
    st.integers(1, 50),
)
def test_the_best_groups_are_the_first_when_all_are_sorted(groups, least_voxels, least_score, most):
    scores = np.array([score for score, _ in groups])
    sizes = np.array([size for _, size in groups], np.int64)
    large = [i for i in range(scores.size) if sizes[i] >= least_voxels and scores[i] >= least_score]
    expected = sorted(large, key=lambda i: (-np.rint(1e4 * scores[i]), -sizes[i], i))[:most]
    assert best_groups(scores, sizes, least_voxels, least_score, most).tolist() == expected
