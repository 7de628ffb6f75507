"""The published DVEFormer against names, shapes and outputs computed with the authors' code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rgbd_perception.inference.preprocess import normalize
from rgbd_perception.models import create_model
from rgbd_perception.models.network import Network
from test.models.golden import fill, golden_folder, manifest, weights_module

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def golden(shared_data: Path) -> Path:
    return golden_folder(shared_data)


@pytest.fixture(scope="module")
def reduced(golden: Path) -> Network:
    model = create_model("dveformer_reducedres").eval()
    fill(model, golden)
    return model


@pytest.fixture(scope="module")
def expected(golden: Path) -> dict[str, NDArray[np.float32]]:
    with np.load(golden / "dveformer_reducedres.npz") as file:
        return dict(file)


@pytest.mark.parametrize("name", ["dveformer_reducedres", "dveformer_fullres"])
def test_names_shapes_and_size(golden: Path, name: str) -> None:
    described = manifest(golden, name)
    model = create_model(name)
    found = [(key, list(value.shape), str(value.dtype)) for key, value in model.state_dict().items()]
    assert found == [(item["name"], item["shape"], f"torch.{item['dtype']}") for item in described["tensors"]]
    assert sum(parameter.numel() for parameter in model.parameters()) == described["n_parameters"]


def test_stages(reduced: Network, expected: dict[str, NDArray[np.float32]]) -> None:
    """96 x 160 makes the windows pad, one and both shifts vanish, and the merging meet odd sizes."""
    rgb, depth = (torch.from_numpy(expected[f"small.{name}"])[None] for name in ("rgb", "depth"))
    with torch.no_grad():
        tokens = reduced.encoder.backbone.patch_embedder(rgb, depth)
        stages = reduced.encoder.backbone(rgb, depth)
        context = reduced.context_module(stages[-1].permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    names = ["enc.patch_embedder", *(f"enc.layer_{index}" for index in range(1, 5)), "context"]
    for name, features in zip(names, [tokens, *stages, context], strict=True):
        wanted = expected[f"small.{name}.hwc_stride"]
        np.testing.assert_allclose(features[0, :, :, ::4].numpy(), wanted, atol=TOLERANCE, err_msg=name)


@pytest.mark.parametrize("fused", [False, True])
def test_output(reduced: Network, expected: dict[str, NDArray[np.float32]], fused: bool) -> None:
    model = reduced.fused() if fused else reduced
    with torch.no_grad():
        output = model(
            torch.from_numpy(expected["small.rgb"])[None], torch.from_numpy(expected["small.depth"])[None]
        ).embedding[0]
    assert tuple(output.shape) == tuple(expected["small.output.shape"])
    np.testing.assert_allclose(output[::32].numpy(), expected["small.output.c32"], atol=TOLERANCE)
    np.testing.assert_allclose(output[:, ::4, ::4].numpy(), expected["small.output.px"], atol=TOLERANCE)


def test_output_at_full_size(
    reduced: Network, golden: Path, expected: dict[str, NDArray[np.float32]]
) -> None:
    color, millimetres = weights_module(golden).synthetic_rgbd("dveformer:full", 480, 640)
    config = reduced.config
    rgb, depth = normalize(
        torch.from_numpy(color)[None],
        torch.from_numpy(millimetres.astype(np.float32) / 1000)[None],
        config.depth_mean,
        config.depth_std,
    )
    with torch.no_grad():
        output = reduced(rgb, depth).embedding[0]
    np.testing.assert_allclose(output[:, 7::40, 3::40].numpy(), expected["full.output.px"], atol=TOLERANCE)
    assert float(output.mean()) == pytest.approx(float(expected["full.output.mean"]), abs=TOLERANCE)
    assert float(output.std()) == pytest.approx(float(expected["full.output.std"]), abs=TOLERANCE)


@pytest.mark.parametrize("name", ["dveformer_reducedres", "dveformer_fullres"])
def test_output_resolution(name: str) -> None:
    model = create_model(name).eval()
    with torch.no_grad():
        output = model(torch.zeros(1, 3, 64, 96), torch.zeros(1, 1, 64, 96)).embedding
    assert output.shape == (1, 768, 64 // model.config.stride, 96 // model.config.stride)
