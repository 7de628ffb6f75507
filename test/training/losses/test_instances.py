"""Losses of instances, orientations and scenes, and targets that the decoder of instances turns back."""

from __future__ import annotations

import math

import pytest
import torch

from rgbd_perception.inference.instances import InstanceConfig, find_centers, nearest_centers
from rgbd_perception.models import ModelOutput
from rgbd_perception.training.losses import (
    InstanceTargets,
    center_loss,
    instance_loss,
    instance_targets,
    offset_loss,
    orientation_loss,
    scene_loss,
)


def two_boxes() -> torch.Tensor:
    instance = torch.zeros(48, 64, dtype=torch.int32)
    instance[10:21, 12:25] = 3
    instance[25:40, 40:55] = 8
    return instance


def output_of(targets: InstanceTargets) -> ModelOutput:
    return ModelOutput(center=targets.center, offset=targets.offset, orientation=targets.orientation)


def test_targets_decode_to_the_instances_they_were_made_of() -> None:
    instance = two_boxes()
    targets = instance_targets(instance, torch.ones_like(instance, dtype=torch.bool))
    centers = find_centers(targets.center[0, 0], InstanceConfig())
    assert sorted(centers.pixels.tolist()) == [[15, 18], [32, 47]]
    found = nearest_centers(targets.offset[0], centers, targets.things[0], None)
    assert torch.equal(found >= 0, instance > 0)
    for value in (3, 8):
        assert len(found[instance == value].unique()) == 1


def test_right_predictions_cost_nothing_and_wrong_ones_do() -> None:
    instance = two_boxes()
    targets = instance_targets(instance, torch.ones_like(instance, dtype=torch.bool), {8: 0.7})
    assert instance_loss(output_of(targets), targets).item() == pytest.approx(0.0, abs=1e-6)
    assert torch.equal(targets.oriented[0], instance == 8)
    others = instance_targets(instance.roll(4, 1), torch.ones_like(instance, dtype=torch.bool), {8: -0.7})
    assert instance_loss(output_of(others), targets).item() > 0.05


def test_the_terms_are_means_over_their_own_pixels() -> None:
    mask = torch.zeros(1, 2, 4, dtype=torch.bool)
    mask[0, 0, :2] = True
    ones, zeros = torch.ones(1, 2, 2, 4), torch.zeros(1, 2, 2, 4)
    assert center_loss(3 * ones[:, :1], zeros[:, :1], mask).item() == 9.0
    assert offset_loss(ones, zeros, mask).item() == 2.0
    along = torch.tensor([1.0, 0.0])[None, :, None, None].expand(1, 2, 2, 4)
    assert orientation_loss(-along, along, mask).item() == pytest.approx(1.0 - math.exp(-2.0))
    for loss, channels in ((center_loss, 1), (offset_loss, 2), (orientation_loss, 2)):
        nothing = loss(ones[:, :channels], zeros[:, :channels], torch.zeros_like(mask))
        assert nothing.item() == 0.0


def test_views_without_a_scene_do_not_count() -> None:
    logits = torch.tensor([[4.0, 0.0], [0.0, 4.0]])
    one = scene_loss(logits[:1], torch.tensor([0]))
    torch.testing.assert_close(scene_loss(logits, torch.tensor([0, -1])), one)
    assert scene_loss(logits, torch.tensor([-1, -1])).item() == 0.0


def test_a_network_without_instances_is_refused() -> None:
    targets = instance_targets(two_boxes(), torch.ones(48, 64, dtype=torch.bool))
    with pytest.raises(ValueError, match="center and offset"):
        instance_loss(ModelOutput(), targets)
