"""Slopes and relief of surfaces whose shape is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rgbd_perception.models.geometry import FOCAL, LIMIT, STRIDE, geometry_features

MEAN, STD = 2.5, 1.5
OFFSET = MEAN / STD


def _normalised(metres: Tensor) -> Tensor:
    return torch.where(metres > 0, (metres - MEAN) / STD, 0.0)[None, None]


def _inside(feature: Tensor) -> Tensor:
    """Without the border, where one neighbour is missing."""
    return feature[8:-8, 8:-8]


def test_a_wall_in_front_is_flat() -> None:
    depth, right, down, relief, valid = geometry_features(_normalised(torch.full((96, 128), 2.0)), OFFSET)[0]
    assert depth.shape == (96 // STRIDE, 128 // STRIDE)
    torch.testing.assert_close(depth, torch.full_like(depth, (2.0 - MEAN) / STD))
    for feature in (right, down, relief):
        assert _inside(feature).abs().max() < 1e-4
    assert (valid == 1).all()


@pytest.mark.parametrize("angle", [-0.9, -0.4, 0.3, 0.8])
def test_a_plane_has_the_slope_of_its_angle(angle: float) -> None:
    """z = z0 + angle * x with x = z * u / f gives dz/du * f / z = angle * z / z0: ``angle`` where u = 0."""
    cells = torch.arange(96, dtype=torch.float32) - 47.5
    distance = 2.0 / (1.0 - angle * cells / (FOCAL * STRIDE))
    features = geometry_features(_normalised(distance[None, :].expand(96, 96)), OFFSET)[0]
    middle = features[:, 12, 11:13].mean(dim=1)
    assert middle[1].item() == pytest.approx(angle, rel=0.05)
    assert middle[2].abs().item() < 1e-3
    turned = geometry_features(_normalised(distance[:, None].expand(96, 96)), OFFSET)[0]
    torch.testing.assert_close(turned[2], features[1].T)


def test_holes_are_marked_and_invent_nothing() -> None:
    metres = torch.full((64, 64), 3.0)
    metres[16:32, 16:32] = 0.0
    features = geometry_features(_normalised(metres), OFFSET)[0]
    hole = features[:, 4:8, 4:8]
    assert not hole.any()
    assert features[1:4].abs().max() < 1e-3


def test_without_depth_everything_is_zero() -> None:
    assert not geometry_features(torch.zeros(2, 1, 64, 64), OFFSET).any()


def test_a_thing_in_front_of_a_wall_stands_out() -> None:
    metres = torch.full((64, 64), 3.0)
    metres[24:40, 24:40] = 2.4
    relief = geometry_features(_normalised(metres), OFFSET)[0, 3]
    assert relief[7, 7] < -0.3
    assert relief[7, 4] > 0.0
    assert relief.abs().max() <= LIMIT
