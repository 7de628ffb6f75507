"""The golden values of embeddings, targets and losses, which this project did not make."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from test.models.golden import golden_folder

SAMPLES = ("b0", "b1")


def golden_losses(shared_data: Path) -> dict[str, np.ndarray]:
    """All arrays by name; skips where they are absent."""
    path = golden_folder(shared_data) / "embedding_losses.npz"
    if not path.exists():
        pytest.skip(f"golden values {path} are not there")
    with np.load(path) as file:
        return dict(file)


def golden_arguments(golden: dict[str, np.ndarray], name: str) -> tuple[np.ndarray, ...]:
    """What ``segment_targets`` is asked for the sample ``name``."""
    values = (golden[f"{name}.{key}"] for key in ("panoptic", "ids", "embeddings", "image_embedding"))
    return (*values, golden["diff_factor"])
