"""The published EMSAFormer against names, shapes and outputs computed with the authors' code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rgbd_perception.inference.preprocess import normalize
from rgbd_perception.models import ModelOutput, create_model
from rgbd_perception.models.network import Network
from test.models.golden import fill, golden_folder, manifest, weights_module

TOLERANCE = 1e-4
GOLDEN = ["emsaformer_semantic_mlp", "emsaformer_multitask_mlp", "emsaformer_multitask_emsanet"]
FIELDS = {
    "semantic": "logits",
    "center": "center",
    "offset": "offset",
    "orientation": "orientation",
    "scene_decoder": "scene",
}
"""Name in the fixtures: field of ModelOutput."""


@pytest.fixture(scope="module")
def golden(shared_data: Path) -> Path:
    return golden_folder(shared_data)


def run(model: Network, color: NDArray[np.uint8], millimetres: NDArray[np.uint16]) -> ModelOutput:
    """Outputs for one image pair."""
    rgb, depth = normalize(
        torch.from_numpy(color)[None],
        torch.from_numpy(millimetres.astype(np.float32) / 1000)[None],
        model.config.depth_mean,
        model.config.depth_std,
    )
    with torch.no_grad():
        return model(rgb, depth)


@pytest.mark.parametrize("name", GOLDEN)
def test_names_shapes_and_size(golden: Path, name: str) -> None:
    described = manifest(golden, name)
    with torch.device("meta"):
        model = create_model(name)
    found = [(key, list(value.shape), str(value.dtype)) for key, value in model.state_dict().items()]
    assert found == [(item["name"], item["shape"], f"torch.{item['dtype']}") for item in described["tensors"]]
    assert sum(parameter.numel() for parameter in model.parameters()) == described["n_parameters"]


def test_size_of_the_variant_without_golden_values() -> None:
    with torch.device("meta"):
        model = create_model("emsaformer_semantic_emsanet")
    assert sum(parameter.numel() for parameter in model.parameters()) == 70_800_120


@pytest.mark.parametrize("name", GOLDEN)
def test_outputs(golden: Path, name: str) -> None:
    model = create_model(name).eval()
    fill(model, golden)
    with np.load(golden / f"{name}.npz") as file:
        expected = dict(file)
    output = run(model, expected["small.rgb_uint8"], expected["small.depth_uint16"])
    for key, field in FIELDS.items():
        found = getattr(output, field)
        if key not in expected:
            assert found is None, field
            continue
        found = found if field == "scene" else found[0]
        assert tuple(found.shape) == tuple(expected[f"{key}.shape"])
        sampled = found if field == "scene" else found[:, ::4, ::4]
        np.testing.assert_allclose(sampled.numpy(), expected[key], atol=TOLERANCE, err_msg=field)


def test_classes_and_output_at_full_size(golden: Path) -> None:
    model = create_model("emsaformer_semantic_mlp").eval()
    fill(model, golden)
    with np.load(golden / "emsaformer_semantic_mlp.npz") as file:
        expected = dict(file)
    small = run(model, expected["small.rgb_uint8"], expected["small.depth_uint16"])
    np.testing.assert_array_equal(small.logits[0].argmax(0).numpy(), expected["semantic.argmax"])
    full = run(model, *weights_module(golden).synthetic_rgbd("emsaformer:full", 480, 640))
    np.testing.assert_allclose(
        full.logits[0, :, 5::16, 9::16].numpy(), expected["full.semantic.px"], atol=TOLERANCE
    )
