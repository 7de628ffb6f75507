"""Sums of embeddings by voxel, and what becomes of numbers that are none."""

from __future__ import annotations

import numpy as np
import pytest

from rgbd_perception.errors import FrameDropped
from rgbd_perception.mapping.features import SharedFeatures
from rgbd_perception.mapping.fusion import VoxelGroups
from rgbd_perception.mapping.jit import to_half
from rgbd_perception.mapping.keys import pack
from rgbd_perception.mapping.pooling import pool, pool_coordinates
from rgbd_perception.mapping.store import VoxelStore
from rgbd_perception.mapping.threads import Threads, run_in_turn

CELLS, DIM, AXES = 4000, 70, 12


def _groups(rng: np.random.Generator) -> VoxelGroups:
    """Half of the cells in 900 voxels, up to a dozen each; nobody takes the others."""
    members = rng.permutation(CELLS)[: CELLS // 2].astype(np.int32)
    ends = np.sort(rng.choice(np.arange(1, members.size), 899, replace=False))
    starts = np.concatenate([[0], ends, [members.size]]).astype(np.int32)
    keys = pack(np.stack([np.arange(900), np.zeros(900, int), np.zeros(900, int)], axis=1))
    return VoxelGroups(keys, starts, members, rng.uniform(0.02, 1, CELLS).astype(np.float32))


def _sums_of(groups: VoxelGroups, cells: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    weighted = cells.astype(np.float64) * groups.weights[:, None]
    return np.stack(
        [weighted[groups.members[groups.starts[i] : groups.starts[i + 1]]].sum(axis=0) for i in chosen]
    )


@pytest.fixture
def scene():
    rng = np.random.default_rng(5)
    cells = rng.standard_normal((CELLS, DIM)).astype(np.float16)
    basis = np.linalg.qr(rng.standard_normal((DIM, AXES)))[0].T.astype(np.float32)
    return _groups(rng), cells, np.ascontiguousarray(basis)


@pytest.mark.parametrize("run", [run_in_turn, Threads(3)])
def test_sums_and_their_coordinates_are_those_of_numpy(scene, run):
    groups, cells, basis = scene
    chosen = np.arange(0, 900, 2, dtype=np.int32)
    expected = _sums_of(groups, cells, chosen)
    lengths = np.linalg.norm(expected, axis=1, keepdims=True)

    whole = pool(groups, to_half(cells), chosen, run)
    coordinates = pool_coordinates(groups, to_half(cells), chosen, basis, run)

    assert (np.abs(whole.sums - expected) <= 1e-5 * lengths).all()
    assert (np.abs(coordinates.sums - expected @ basis.T) <= 5e-4 * lengths).all()
    assert np.array_equal(whole.totals, coordinates.totals)
    weights = _sums_of(groups, np.ones((CELLS, 1)), chosen)
    np.testing.assert_allclose(whole.totals, weights[:, 0], rtol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e6])  # 1e6 does not fit into a half
@pytest.mark.parametrize("number", [0, 63, DIM - 1])
def test_a_number_that_is_none_is_found_in_the_cells_of_the_chosen_alone(scene, bad, number):
    groups, cells, basis = scene
    chosen = np.arange(0, 900, 2, dtype=np.int32)

    def with_bad(cell: int) -> np.ndarray:
        spoilt = cells.astype(np.float32)
        spoilt[cell, number] = bad
        return to_half(spoilt)

    used = with_bad(groups.members[groups.starts[chosen[-1]]])
    for spoilt in (used, with_bad(groups.members[groups.starts[0]])):
        with pytest.raises(FrameDropped, match="NaN or inf"):
            pool(groups, spoilt, chosen, run_in_turn)
        with pytest.raises(FrameDropped, match="NaN or inf"):
            pool_coordinates(groups, spoilt, chosen, basis, run_in_turn)
    unused = with_bad(groups.members[groups.starts[1]])
    clean = pool_coordinates(groups, to_half(cells), chosen, basis, run_in_turn)
    assert np.array_equal(clean.sums, pool_coordinates(groups, unused, chosen, basis, run_in_turn).sums)


def test_a_refused_frame_adds_no_direction_to_the_subspace(scene):
    groups, cells, _ = scene
    features = SharedFeatures(VoxelStore(1000), DIM, "space", dims=AXES, tolerance=0.9, rows=100, slots=1000)
    spoilt = cells.astype(np.float32)
    spoilt[groups.members[groups.starts[1]]] = np.nan  # not in the sample that directions are taken from
    new = np.full(900, -1, np.int32)
    with pytest.raises(FrameDropped):
        features.pool(new, groups, to_half(spoilt), run_in_turn)
    assert features.subspace.size == 0
    assert not features.subspace.basis.any()
    features.pool(new, groups, to_half(cells), run_in_turn)
    assert features.subspace.size > 0
