"""Muon: orthogonal updates, matrices of one shape together, and a problem that it solves."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.models import create_model
from rgbd_perception.training.config import OptimizerConfig
from rgbd_perception.training.muon import Muon, orthogonalised
from rgbd_perception.training.optimizers import make_muon


@given(rows=st.integers(1, 24), columns=st.integers(1, 24), seed=st.integers(0, 1000))
def test_orthogonalised_keeps_the_directions_and_evens_their_sizes(
    rows: int, columns: int, seed: int
) -> None:
    matrices = torch.randn(3, rows, columns, generator=torch.Generator().manual_seed(seed))
    u, s, vt = torch.linalg.svd(matrices, full_matrices=False)
    result = orthogonalised(matrices)
    inner = u.mT @ result @ vt.mT
    sizes = inner.diagonal(dim1=1, dim2=2)
    large = s > 0.02 * s.norm(dim=1, keepdim=True)  # smaller ones need more than five iterations
    assert ((sizes > 0.6) & (sizes < 1.3))[large].all()
    off_diagonal = inner - torch.diag_embed(sizes)
    assert off_diagonal.abs().max() < 1e-3


def test_a_stack_equals_its_matrices() -> None:
    matrices = torch.randn(4, 8, 6, generator=torch.Generator().manual_seed(0))
    apart = torch.cat([orthogonalised(matrix[None]) for matrix in matrices])
    torch.testing.assert_close(orthogonalised(matrices), apart)


def test_a_matrix_and_a_pointwise_convolution_step_alike() -> None:
    weight, gradient = torch.randn(6, 4), torch.randn(6, 4)
    matrix = torch.nn.Parameter(weight.clone())
    convolution = torch.nn.Parameter(weight.clone()[..., None, None])
    idle = torch.nn.Parameter(weight.clone())
    matrix.grad, convolution.grad = gradient.clone(), gradient.clone()[..., None, None]
    Muon([matrix, convolution, idle], lr=0.1, weight_decay=0.1).step()
    torch.testing.assert_close(matrix, convolution.flatten(1))
    assert not torch.allclose(matrix, weight)
    torch.testing.assert_close(idle.data, weight)


def test_it_solves_an_ill_conditioned_regression() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(256, 8, generator=generator) * torch.logspace(0, -2, 8)
    truth = torch.randn(5, 8, generator=generator)
    weight = torch.nn.Parameter(torch.zeros(5, 8))
    optimizer = Muon([weight], lr=0.3)
    for step in range(300):
        optimizer.param_groups[0]["lr"] = 0.3 * (1 - step / 300)
        optimizer.zero_grad()
        (inputs @ (weight - truth).T).square().mean().backward()
        optimizer.step()
    assert (weight - truth).abs().max().item() < 0.1


@pytest.mark.parametrize("muon", [True, False])
def test_every_parameter_has_one_optimizer(muon: bool) -> None:
    model = create_model("rgbd_mini")
    optimizers = make_muon(model, OptimizerConfig(muon=muon))
    assert isinstance(optimizers[0], Muon) == muon
    held = [id(item) for one in optimizers for group in one.param_groups for item in group["params"]]
    assert sorted(held) == sorted(id(item) for item in model.parameters())
