"""GeminiFusion and DiffPixelFormer against names, shapes and outputs computed with the authors' code."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rgbd_perception.models import create_model
from test.models.golden_fusion import Golden, shapes_of

NAMES = [
    "geminifusion_mit_b3",
    pytest.param("geminifusion_swin_large_w7", marks=pytest.mark.slow),
    "diffpixelformer_mit_b1",
    "diffpixelformer_mit_b3",
    "diffpixelformer_swin_tiny",
]


@pytest.mark.parametrize("name", NAMES)
def test_golden_values(shared_data: Path, name: str) -> None:
    golden = Golden(shared_data, f"{name}_nyu40")
    model = create_model(name).eval()
    assert shapes_of(model) == golden.shapes
    assert sum(value.numel() for value in model.parameters()) == golden.manifest["num_parameters"]
    golden.fill(model)
    with torch.no_grad():
        for stage, features in enumerate(model.features(*golden.inputs), start=1):
            for stream, found in zip(("rgb", "depth"), features.chunk(2), strict=True):
                if f"feat_{stream}_stage{stage}" in golden.arrays:
                    golden.check(f"feat_{stream}_stage{stage}", found)
        outputs = [model(*golden.inputs), model.fused()(*golden.inputs)]
    for output in outputs:
        golden.check("logits_rgb", output.rgb_logits)
        golden.check("logits_depth", output.depth_logits)
        golden.check("logits_ens", output.logits)
