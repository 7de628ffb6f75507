"""A small network with random weights, saved the way the trained one is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from rgbd_perception.inference.weights import WeightsInfo, save_weights
from rgbd_perception.models import create_model
from rgbd_perception.models.dveformer import DVEFORMER_CONFIGS

LABELS = ("wall", "floor", "sofa", "table", "picture")


@pytest.fixture(scope="session")
def weights_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file of ``rgbd_mini`` with five classes."""
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    save_random(path)
    return path


@pytest.fixture(scope="module")
def shallow_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The same of a network with one block a stage: it is exported in half the time.

    ``rgbd_mini`` is that network as long as a module uses this.
    """
    plain = DVEFORMER_CONFIGS["rgbd_mini"]
    backbone = dataclasses.replace(plain.backbone, depths=(1, 1, 1, 1))
    path = tmp_path_factory.mktemp("weights") / "shallow.safetensors"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DVEFORMER_CONFIGS, "rgbd_mini", dataclasses.replace(plain, backbone=backbone))
        save_random(path)
        yield path


def save_random(path: Path) -> None:
    """``rgbd_mini`` with random weights and five classes."""
    torch.manual_seed(0)
    rows = np.random.default_rng(0).standard_normal((len(LABELS), 384)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    info = WeightsInfo("rgbd_mini", {"depth_mean": 2.0}, LABELS, "all-MiniLM-L6-v2", temperature=30.0)
    save_weights(path, create_model("rgbd_mini").state_dict(), info, rows)
