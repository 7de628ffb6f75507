"""NVIDIA's parser and builder take every family: real networks, random weights, ahead of time, no GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from rgbd_perception.inference.engine_build import build_engine
from rgbd_perception.inference.engines import GraphOptions, graph_file
from rgbd_perception.inference.export import Precision
from rgbd_perception.inference.tensorrt_api import find_tensorrt
from rgbd_perception.inference.weights import WeightsInfo, save_weights
from rgbd_perception.models import create_model
from rgbd_perception.models.class_names import NYUV2

pytest.importorskip("tensorrt_rtx_bindings", reason="pip install tensorrt-rtx-cu13-bindings")

CASES: tuple[tuple[str, dict[str, Any], Precision], ...] = (
    ("rgbd_mini", {}, "fp32"),
    ("rgbd_mini", {}, "fp16"),
    ("dveformer_reducedres", {}, "fp32"),
    ("dveformer_reducedres", {}, "fp16"),
    ("dveformer_fullres", {}, "fp16"),
    ("emsaformer_semantic_mlp", {}, "fp16"),
    ("geminifusion_mit_b3", {}, "fp16"),
    ("geminifusion_swin_tiny", {}, "fp16"),
    ("diffpixelformer_mit_b3", {"mode": "released"}, "fp16"),
    ("diffpixelformer_mit_b3", {"mode": "stacked"}, "fp16"),
)
"""What the robot runs; fp32, the same graph without casts, for a small and a large network."""


@pytest.mark.slow
@pytest.mark.parametrize(("name", "settings", "precision"), CASES, ids=str)
def test_an_engine_is_built(
    name: str, settings: dict[str, Any], precision: Precision, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    network = create_model(name, **settings)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    weights = tmp_path / f"{name}.safetensors"
    save_weights(weights, network.state_dict(), WeightsInfo(name, settings, NYUV2))
    del network
    with graph_file(weights, GraphOptions(precision)) as graph:
        assert graph.info.precision == precision
        built = build_engine(find_tensorrt(without_gpu=True), graph.path, ["sm86"])
    width = {"fp32": 4, "fp16": 2}[precision]
    # Folding takes parameters away: a quarter of DiffPixelFormer as released, whose fusion is a linear layer.
    assert len(built.data) > 0.6 * width * parameters
