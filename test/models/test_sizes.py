"""Parameters and compute of the published segmentation networks, as measured on the authors' code.

Everything happens on the meta device: shapes only, no memory and no arithmetic.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from rgbd_perception.models import create_model

PARAMETERS = {
    "geminifusion_mit_b0": 5.858,
    "geminifusion_mit_b1": 22.196,
    "geminifusion_mit_b2": 41.077,
    "geminifusion_mit_b3": 74.546,
    "geminifusion_mit_b4": 102.243,
    "geminifusion_mit_b5": 137.204,
    "geminifusion_swin_small": 92.792,
    "geminifusion_swin_large_w12": 369.211,
    "diffpixelformer_mit_b0": 6.633,
    "diffpixelformer_mit_b1": 25.284,
    "diffpixelformer_mit_b2": 47.008,
    "diffpixelformer_mit_b3": 85.408,
    "diffpixelformer_mit_b4": 117.067,
    "diffpixelformer_mit_b5": 157.238,
    "diffpixelformer_swin_tiny": 51.945,
    "diffpixelformer_swin_large_w7": 369.008,
    "diffpixelformer_swin_large_w12": 369.211,
}
"""Millions, with 20 classes."""

MACS = [
    ("geminifusion_mit_b1", {}, (480, 640), 49.73),
    ("geminifusion_mit_b3", {}, (530, 730), 205.16),
    ("diffpixelformer_mit_b3", {}, (480, 640), 154.28),
    ("diffpixelformer_mit_b3", {"mode": "stacked"}, (530, 730), 236.37),
    ("diffpixelformer_swin_tiny", {}, (480, 640), 109.23),
    ("diffpixelformer_swin_tiny", {}, (530, 730), 139.63),
    ("diffpixelformer_swin_large_w12", {}, (480, 640), 814.19),
    ("tokenfusion_mit_b2", {}, (480, 640), 65.63),
    ("two_stream_mit_b3", {"fusion": "none"}, (480, 640), 100.25),
    ("two_stream_mit_b3", {"fusion": "cross_attention"}, (480, 640), 482.27),
    ("two_stream_mit_b3", {"fusion": "shifted_window"}, (530, 730), 212.54),
    ("two_stream_mit_b3", {"fusion": "local_window"}, (530, 730), 173.74),
    ("two_stream_mit_b3", {"fusion": "pixel_wise"}, (480, 640), 124.29),
]
"""Billions of multiply-accumulates of matrix products and convolutions, one pair of images, 20 classes."""


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(name: str) -> None:
    with torch.device("meta"):
        model = create_model(name, num_classes=20)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert round(count / 1e6, 3) == PARAMETERS[name]


def _first_of_each_name() -> list[Any]:
    """All of MACS; what is not the first of its network is slow."""
    names: set[str] = set()
    cases = []
    for case in MACS:
        slow = case[0] in names or "large" in case[0]
        cases.append(pytest.param(*case, marks=[pytest.mark.slow] if slow else []))
        names.add(case[0])
    return cases


@pytest.mark.parametrize(("name", "settings", "size", "billions"), _first_of_each_name())
def test_compute(name: str, settings: dict[str, str], size: tuple[int, int], billions: float) -> None:
    with torch.device("meta"):
        model = create_model(name, num_classes=20, **settings).eval()
        rgb, depth = torch.zeros(1, 3, *size), torch.zeros(1, 1, *size)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        output = model(rgb, depth)
    assert output.logits.shape == (1, 20, -(-size[0] // 4), -(-size[1] // 4))
    assert counter.get_total_flops() / 2e9 == pytest.approx(billions, rel=0.01)
