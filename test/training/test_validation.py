"""Validation: class scores are interpolated as a protocol says, and judged at the size of the labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from rgbd_perception.models import ModelOutput
from rgbd_perception.models.network import Network
from rgbd_perception.training.datasets.opening import open_views
from rgbd_perception.training.losses.semantic import at_size
from rgbd_perception.training.recipe import load_recipe
from rgbd_perception.training.validation import score_views
from test.training.tiny import CLASSES, SIZE, write_tiny_folder


@dataclass(frozen=True)
class CellConfig:
    depth_mean: float = 0.0
    depth_std: float = 1.0
    input_size: tuple[int, int] = SIZE
    input_multiple: int = 4
    stride: int = 4


class RandomCells(Network):
    """Scores that have nothing to do with the image, in cells of 4 x 4 pixels; it remembers what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.config = CellConfig()
        self.nothing = torch.nn.Parameter(torch.zeros(1))
        self.seen: list[tuple[int, ...]] = []

    def forward(self, rgb: Tensor, depth: Tensor) -> ModelOutput:
        self.seen.append(tuple(rgb.shape[2:]))
        generator = torch.Generator().manual_seed(0)
        size = (1, len(CLASSES), rgb.shape[2] // 4, rgb.shape[3] // 4)
        return ModelOutput(logits=torch.randn(size, generator=generator))


@pytest.mark.parametrize(("mode", "flag"), [("bilinear", cv2.INTER_LINEAR), ("bicubic", cv2.INTER_CUBIC)])
def test_interpolation_is_that_of_opencv(mode: str, flag: int) -> None:
    logits = np.random.default_rng(0).standard_normal((3, 15, 20)).astype(np.float32)
    ours = at_size(torch.from_numpy(logits)[None], (60, 80), mode)[0].numpy()
    wanted = [cv2.resize(channel, (80, 60), interpolation=flag) for channel in logits]
    np.testing.assert_allclose(ours, wanted, atol=1e-5)


def test_the_two_ways_give_other_classes_and_other_scores(tmp_path: Path) -> None:
    write_tiny_folder(tmp_path, 2)
    views = open_views(tmp_path, "train")
    accuracies = []
    for mode, flag in (("bilinear", cv2.INTER_LINEAR), ("bicubic", cv2.INTER_CUBIC)):
        network = RandomCells()
        accuracies.append(score_views(network, views, interpolation=mode).accuracy)
        cells = network(torch.zeros(1, 3, *SIZE), torch.zeros(1, 1, *SIZE)).logits[0].numpy()
        classes = np.argmax([cv2.resize(cell, SIZE[::-1], interpolation=flag) for cell in cells], axis=0)
        right = [(classes == views.view(index).semantic).mean() for index in range(2)]
        assert accuracies[-1] == pytest.approx(np.mean(right), abs=1e-3)
    assert accuracies[0] != accuracies[1]


def test_images_alone_are_resized_to_the_size_of_the_network(tmp_path: Path) -> None:
    write_tiny_folder(tmp_path, 2)
    network = RandomCells()
    scores = score_views(network, open_views(tmp_path, "train"), input_size=(32, 32))
    assert network.seen == [(32, 32)] * 2
    assert 0.0 < scores.accuracy < 1.0


@pytest.mark.parametrize(
    ("name", "interpolation", "short_side", "input_size"),
    [
        ("geminifusion_mit_b3_nyuv2", "bicubic", 480, None),
        ("diffpixelformer_swin_tiny_nyuv2", "bicubic", 480, None),
        ("tokenfusion_mit_b3_nyuv2", "bicubic", 0, None),
        ("geminifusion_deliver_rgbdel", "bilinear", 1024, None),
        ("emsaformer_multitask_mlp_nyuv2", "bilinear", 0, (480, 640)),
    ],
)
def test_shipped_recipes_have_the_published_protocols(
    repository: Path, name: str, interpolation: str, short_side: int, input_size: tuple[int, int] | None
) -> None:
    validation = load_recipe(repository / "config" / "train" / f"{name}.yaml").validation
    assert validation is not None
    found = (validation.interpolation, validation.short_side, validation.input_size)
    assert found == (interpolation, short_side, input_size)
