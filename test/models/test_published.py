"""Stored sizes against counted ones, and against the specifications."""

from __future__ import annotations

from pathlib import Path

import pytest

from rgbd_perception.models import list_models
from rgbd_perception.models.class_names import class_names
from rgbd_perception.models.measure import count_parameters, measure
from rgbd_perception.models.published import PUBLISHED

SPECIFIED_GMAC = {
    "dveformer_reducedres": 127.7 / 2,
    "dveformer_fullres": 253.8 / 2,
    "emsaformer_semantic_mlp": 107.1 / 2,
    "emsaformer_semantic_emsanet": 129.4 / 2,
    "emsaformer_multitask_mlp": 137.0 / 2,
    "emsaformer_multitask_emsanet": 159.3 / 2,
    "geminifusion_mit_b1": 49.73,
    "geminifusion_mit_b3": 154.33,
    "geminifusion_mit_b5": 283.88,
    "diffpixelformer_mit_b1": 49.71,
    "diffpixelformer_mit_b3": 154.28,
    "diffpixelformer_mit_b5": 283.79,
    "diffpixelformer_swin_tiny": 109.23,
    "diffpixelformer_swin_large_w7": 772.96,
    "diffpixelformer_swin_large_w12": 814.19,
    "tokenfusion_mit_b2": 65.63,
    "tokenfusion_mit_b3": 110.21,
}
"""Counted on the authors' code, not by this project."""


@pytest.mark.parametrize("name", list_models())
def test_parameters_are_those_stored(name: str) -> None:
    assert count_parameters(name) == PUBLISHED[name].parameters


@pytest.mark.parametrize("name", ["rgbd_mini", "emsaformer_multitask_mlp", "diffpixelformer_swin_tiny"])
def test_multiply_accumulates_are_those_stored(name: str) -> None:
    assert measure(name).gmac == pytest.approx(PUBLISHED[name].gmac, abs=1e-3)


@pytest.mark.slow
def test_all_multiply_accumulates_are_those_stored() -> None:
    counted = {name: measure(name).gmac for name in list_models()}
    stored = {name: PUBLISHED[name].gmac for name in list_models()}
    assert counted == pytest.approx(stored, abs=1e-3)


@pytest.mark.parametrize("name", SPECIFIED_GMAC)
def test_multiply_accumulates_are_those_specified(name: str) -> None:
    assert PUBLISHED[name].gmac == pytest.approx(SPECIFIED_GMAC[name], rel=0.01)


def test_class_names_of_the_smaller_sets() -> None:
    assert class_names(37)[-1] == "bag" and len(class_names(37)) == 37
    assert class_names(20)[12:] == (
        "desk", "curtain", "refrigerator", "shower curtain", "toilet", "sink", "bathtub", "otherfurniture",
    )  # fmt: skip
    assert len(set(class_names(40))) == 40 and len(set(class_names(25))) == 25


def test_the_documentation_has_the_stored_sizes(repository: Path) -> None:
    page = (repository / "docs" / "models.md").read_text(encoding="utf-8")
    for name, facts in PUBLISHED.items():
        assert f"| `{name}` | {facts.parameters / 1e6:.3f} | {facts.gmac:.2f} |" in page
