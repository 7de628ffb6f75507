"""Peers are measured where they are installed and left out, with one line, where they are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rgbd_perception.bench.peers import running
from rgbd_perception.bench.peers.vectors import rows_that_fit, unit_blocks
from rgbd_perception.bench.plan import BenchPlan
from rgbd_perception.errors import UserError

PLAN = BenchPlan(voxels=2000, dim=16, frames=1, repeats=1)


def _figures(name: str) -> dict[str, Any]:
    try:
        return running.measure_peer(name, PLAN)
    except UserError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", running.GEOMETRY)
def test_geometry_peers_take_our_frames(name):
    figures = _figures(name)
    assert figures["version"]
    assert figures["note"]
    assert figures["update_ms"] > 0
    assert figures["update_full_depth_ms"] > 0


@pytest.mark.parametrize(("name", "width"), [("faiss_sq8", 1), ("usearch_f16", 2)])
def test_search_peers_hold_all_vectors(name, width):
    figures = _figures(name)
    assert figures["version"]
    assert figures["vectors"] == PLAN.voxels
    assert figures["bytes_per_vector"] == PLAN.dim * width
    assert figures["search_ms"] > 0


def test_a_peer_that_cannot_be_had_is_left_out(monkeypatch):
    def fail(name: str, plan: BenchPlan) -> dict[str, Any]:
        raise UserError(f"{name} is not installed")

    said: list[str] = []
    monkeypatch.setattr(running, "measure_peer", fail)
    figures = running.measure_peers(PLAN, said.append)
    assert figures["octomap"] == {"missing": "octomap is not installed"}
    assert figures.keys() == {*running.GEOMETRY, *running.SEARCH}
    assert "  left out: octomap is not installed" in said


def test_vectors_are_unit_rows_and_as_many_as_asked_for():
    blocks = list(unit_blocks(40_000, 8))
    assert sum(block.shape[0] for block in blocks) == 40_000
    for block in blocks:
        np.testing.assert_allclose(np.linalg.norm(block, axis=1), 1, rtol=1e-5)


def test_never_more_vectors_than_memory_holds(monkeypatch):
    monkeypatch.setattr("rgbd_perception.bench.peers.vectors.available_bytes", lambda: 1000)
    assert rows_that_fit(50, 100) == 6
    assert rows_that_fit(3, 100) == 3
