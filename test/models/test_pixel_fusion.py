"""The fusions alone, against golden values and by properties."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from rgbd_perception.errors import UserError
from rgbd_perception.models.dsim import Dsim
from rgbd_perception.models.pixel_fusion import GeminiFusion
from test.models.golden_fusion import Golden, shapes_of

FUSIONS = {
    "module_geminifusion_dim64": GeminiFusion(),
    "module_dsim_released_dim64": Dsim(mode="released"),
    "module_dsim_stacked_dim64": Dsim(mode="stacked"),
}


def host_of(fusion: GeminiFusion, dim: int = 64) -> nn.Module:
    host = nn.Module()
    fusion.equip(host, dim)
    return host


@pytest.mark.parametrize("name", FUSIONS)
def test_golden_values(shared_data: Path, name: str) -> None:
    golden = Golden(shared_data, name)
    fusion = FUSIONS[name]
    host = host_of(fusion)
    assert shapes_of(host) == golden.shapes
    golden.fill(host)
    streams = golden.inputs
    with torch.no_grad():
        for direction in (0, 1):
            own, other = streams[direction], streams[1 - direction]
            score = host.relation_judger(torch.cat((own, other), dim=-1))
            golden.check(f"score_{direction}", score)
            tokens = fusion.tokens(host, direction, own, other)
            for kind, found in zip(("key", "value"), tokens, strict=True):
                wanted = golden.arrays[f"{kind}_{direction}"]
                golden.check(f"{kind}_{direction}", found.transpose(0, 1).reshape(wanted.shape))
        for direction, found in enumerate(fusion.fuse(host, torch.cat(streams)).chunk(2)):
            golden.check(f"y{direction}", found)


def test_released_dsim_ignores_its_discriminators() -> None:
    """One key per query: what the authors' code computes does not depend on most of its parameters."""
    torch.manual_seed(0)
    fusion = Dsim(mode="released")
    host = host_of(fusion, 16)
    fusion.fuse(host, torch.randn(4, 9, 16)).square().sum().backward()
    inert = ("relation_judger", "diff_", "scale_factor", "k_noise")
    for name, parameter in host.named_parameters():
        gradient = parameter.grad
        assert gradient is not None
        if name.endswith(("in_proj_weight", "in_proj_bias")):  # queries, keys, values
            assert not gradient[:32].any() and gradient[32:].any()
        else:
            assert gradient.any() != name.startswith(inert), name


@pytest.mark.parametrize("fusion", [GeminiFusion(), Dsim(mode="stacked"), Dsim(mode="paper")])
def test_every_parameter_takes_part(fusion: GeminiFusion) -> None:
    torch.manual_seed(0)
    host = host_of(fusion, 16)
    fusion.fuse(host, torch.randn(4, 9, 16)).square().sum().backward()
    idle = [name for name, value in host.named_parameters() if value.grad is None or not value.grad.any()]
    stacked = isinstance(fusion, Dsim) and fusion.mode == "stacked"
    assert idle == (["scale_factor_0_to_1", "scale_factor_1_to_0"] if stacked else [])


def test_paper_mode_weights_the_keys() -> None:
    """With a factor of nearly 1 for the difference, the key of the similarity vanishes."""
    torch.manual_seed(0)
    fusion = Dsim(mode="paper")
    host = host_of(fusion, 16)
    own, other = torch.randn(2, 1, 5, 16)
    with torch.no_grad():
        host.scale_factor_0_to_1.copy_(torch.tensor([40.0, 0.0]))
        keys, values = fusion.tokens(host, 0, own, other)
        stacked, stacked_values = Dsim(mode="stacked").tokens(host, 0, own, other)
    torch.testing.assert_close(values, stacked_values)
    torch.testing.assert_close(keys[:2], stacked[:2])
    assert keys[2].abs().max() < 1e-6


def test_unknown_mode() -> None:
    with pytest.raises(UserError, match="released, stacked, paper"):
        Dsim(mode="published")  # type: ignore[arg-type]
