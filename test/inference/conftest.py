"""A small network with random weights, saved the way the trained one is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rgbd_perception.inference.weights import WeightsInfo, save_weights
from rgbd_perception.models import create_model

LABELS = ("wall", "floor", "sofa", "table", "picture")


@pytest.fixture(scope="session")
def weights_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file of ``rgbd_mini`` with five classes."""
    torch.manual_seed(0)
    rows = np.random.default_rng(0).standard_normal((len(LABELS), 384)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    info = WeightsInfo("rgbd_mini", {"depth_mean": 2.0}, LABELS, "all-MiniLM-L6-v2", temperature=30.0)
    save_weights(path, create_model("rgbd_mini").state_dict(), info, rows)
    return path
