"""Supervision at several scales: coarse targets, counted like pixels, where decoders have side outputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rgbd_perception.models.dveformer import DVEFORMER_CONFIGS
from rgbd_perception.training.datasets.views import LabelledView
from rgbd_perception.training.launch import make_fabric
from rgbd_perception.training.losses import Terms, cross_entropy_loss, mean_over
from rgbd_perception.training.recipe import CrossEntropy, DataSetConfig, Multitask, Recipe
from rgbd_perception.training.view_batches import SideOutputs, _side_targets
from rgbd_perception.training.view_objectives import side_outputs_of
from rgbd_perception.training.view_training import make_network, make_view_trainer, open_mixture
from test.training.tiny import write_tiny_folder

SMALL = {"backbone": replace(DVEFORMER_CONFIGS["rgbd_mini"].backbone, drop_path=0.0), "dropout": 0.0}


def recipe(model: str, loss: CrossEntropy | Multitask, **changes: Any) -> Recipe:
    usual: dict[str, Any] = {"batch": 2, "steps": 1, "threads": 1, "device": "cpu", "frozen_norms": True}
    return Recipe(model=model, settings=SMALL, data=(DataSetConfig("rooms"),), loss=loss, **usual | changes)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_tiny_folder(tmp_path / "rooms")
    return tmp_path


def test_parts_of_several_scales_are_one_mean_over_their_pixels() -> None:
    parts = [Terms(torch.tensor(6.0), torch.tensor(4)), Terms(torch.tensor(1.0), torch.tensor(0))]
    assert mean_over(parts).item() == pytest.approx(7.0 / 4.0)


def test_coarse_targets_are_the_nearest_labels_with_narrower_centres() -> None:
    semantic, instance = np.full((64, 96), -1, np.int16), np.zeros((64, 96), np.int32)
    semantic[:, 32:], instance[8:40, 40:72] = 2, 5
    view = LabelledView("v", np.zeros((64, 96, 3), np.uint8), None, semantic, instance)
    eighth, coarsest = _side_targets([view], SideOutputs((8, 32), semantic=True, instances=True))
    assert torch.equal(eighth.labels[0], torch.from_numpy(semantic[::8, ::8].astype(np.int64)))
    assert coarsest.labels.tolist() == [[[-1, 2, 2], [-1, 2, 2]]]
    heat = eighth.instances["center"][0, 0].numpy()
    (row, column), spread = np.unravel_index(heat.argmax(), heat.shape), 4.0  # cells
    assert (row, column) in {(2, 6), (3, 7), (2, 7), (3, 6)}
    ratio = heat[row, column + 2] / heat[row, column]
    distances = [abs(column + shift - 6.5) for shift in (0, 2)]
    assert ratio == pytest.approx(np.exp((distances[0] ** 2 - distances[1] ** 2) / (2 * spread**2)), abs=1e-5)


@pytest.mark.parametrize(
    ("model", "loss", "wanted"),
    [
        ("emsaformer_semantic_mlp", CrossEntropy(), (False, False)),
        ("emsaformer_semantic_emsanet", CrossEntropy(), (True, False)),
        ("emsaformer_multitask_mlp", Multitask(), (False, True)),
        ("emsaformer_multitask_emsanet", Multitask(), (True, True)),
        ("emsaformer_multitask_emsanet", Multitask(side_outputs=False), (False, False)),
    ],
)
def test_the_decoders_that_have_side_outputs_train_them(
    data: Path, model: str, loss: CrossEntropy | Multitask, wanted: tuple[bool, bool]
) -> None:
    plan = recipe(model, loss)
    with torch.device("meta"):
        sides = side_outputs_of(make_network(plan, open_mixture(plan, data)), plan)
    assert (sides.semantic, sides.instances) == wanted
    assert bool(sides.strides) == any(wanted)


def test_a_step_moves_the_side_heads(data: Path) -> None:
    plan = recipe("emsaformer_multitask_emsanet", Multitask(median_frequency=False))
    trainer = make_view_trainer(make_fabric(plan), plan, data, data / "run")
    before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    assert trainer.run()
    after = trainer.network.state_dict()
    heads = [name for name in before if name.endswith("conv.weight") and ".semantic_decoder._side" in name]
    assert len(heads) == 3
    assert not any(torch.equal(before[name], after[name]) for name in heads)


def test_losses_of_the_parts_of_a_batch_add_up(data: Path) -> None:
    plan = recipe("emsaformer_multitask_emsanet", Multitask(median_frequency=False))
    training = make_view_trainer(make_fabric(plan), plan, data, data / "run")._training
    training.objective.eval()
    whole, *parts = (training.batches.make(0, 0.0, *share) for share in ((0, 1), (0, 2), (1, 2)))
    with torch.no_grad():
        wanted, *found = (training.objective(batch) for batch in (whole, *parts))
    for name in ("semantic", "center"):
        shares = [part.counts[name] / whole.counts[name] for part in parts]
        assert sum(shares) == pytest.approx(1.0)
        total = sum(share * float(terms[name]) for share, terms in zip(shares, found, strict=True))
        assert total == pytest.approx(float(wanted[name]), rel=1e-5), name


def test_the_loss_of_all_scales_is_that_of_all_their_pixels(data: Path) -> None:
    plan = recipe("emsaformer_semantic_emsanet", CrossEntropy())
    trainer = make_view_trainer(make_fabric(plan), plan, data, data / "run")
    objective = trainer._training.objective.eval()
    batch = trainer._training.batches.make(0, 0.0, 0, 1)
    _, *sides = objective.network.forward_with_sides(*(torch.zeros(2, c, 64, 96) for c in (3, 1)))
    assert [tuple(side.logits.shape[2:]) for side in sides] == [
        tuple(targets.labels.shape[1:]) for targets in batch.sides
    ]
    with torch.no_grad():
        whole = objective(batch)["semantic"]
        main = objective(batch._replace(sides=()))["semantic"]
        outputs = objective._scales(batch)
        losses = [cross_entropy_loss(output.logits, labels) for output, labels, _ in outputs]
    counts = [float((labels >= 0).sum()) for _, labels, _ in outputs]
    assert main == pytest.approx(float(losses[0]), rel=1e-5)
    wanted = sum(float(loss) * count for loss, count in zip(losses, counts, strict=True)) / sum(counts)
    assert float(whole) == pytest.approx(wanted, rel=1e-5)
