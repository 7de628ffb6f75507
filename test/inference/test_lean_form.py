"""The form for processors gives what the network gives, with windows, shifts and odd sizes."""

from __future__ import annotations

import pytest
import torch

from rgbd_perception.inference.export import ExportOptions, make_graph, trace
from rgbd_perception.inference.graph_parts import compare_affine, compare_wide
from rgbd_perception.inference.lean_form import has_lean_form, lean_features
from rgbd_perception.models import create_model
from rgbd_perception.models.dveformer import DVEFormer
from test.models.tiny import tiny


@pytest.mark.parametrize("name", ["rgbd_mini", "dveformer_reducedres"])
@pytest.mark.parametrize("size", [(96, 160), (36, 108)])
@torch.no_grad()
def test_features_are_those_of_the_network(name: str, size: tuple[int, int]) -> None:
    network = tiny(name)
    assert isinstance(network, DVEFormer)
    random = torch.Generator().manual_seed(2)
    rgb, depth = torch.randn(1, 3, *size, generator=random), torch.randn(1, 1, *size, generator=random)
    found, wanted = lean_features(network, rgb, depth), network.features(rgb, depth)
    torch.testing.assert_close(found[:, :-1], wanted[0].flatten(1).T, atol=5e-5, rtol=1e-5)
    assert (found[:, -1] == 1).all()


@pytest.mark.slow
@torch.no_grad()
def test_a_network_computes_after_it_was_traced() -> None:
    """Of a size that none had before: what a trace leaves behind of shapes would have no numbers."""
    size, network = (52, 76), tiny("rgbd_mini")
    options = ExportOptions(lean=True)
    assert isinstance(network, DVEFormer)
    trace(make_graph(network, size, options), size, options, optimize=False)
    images = torch.ones(1, 3, *size), torch.ones(1, 1, *size)
    found, wanted = lean_features(network, *images), network.features(*images)
    torch.testing.assert_close(found[:, :-1], wanted[0].flatten(1).T, atol=5e-5, rtol=1e-5)


def test_which_networks_have_it() -> None:
    assert has_lean_form(create_model("rgbd_mini"), (240, 320))
    assert not has_lean_form(create_model("rgbd_mini"), (242, 320)), "padded images have another grid"
    with torch.device("meta"):
        assert not has_lean_form(create_model("dveformer_fullres"), (480, 640)), "its head upsamples"
        assert not has_lean_form(create_model("geminifusion_mit_b0"), (480, 640))


def test_narrow_and_wide_heads_agree() -> None:
    random = torch.Generator().manual_seed(0)
    features, whole, classes, offset = (
        torch.randn(*shape, generator=random) for shape in ((9, 6), (12, 6), (7, 12), (7,))
    )
    root = torch.linalg.qr(whole, mode="r").R
    wanted = compare_wide(features, whole, classes, offset)
    for narrow in (
        compare_affine(features, whole, classes, offset),
        compare_affine(features, whole, classes, offset, root),
    ):
        for found, value in zip(narrow, wanted, strict=True):
            torch.testing.assert_close(found, value)
