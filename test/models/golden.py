"""Golden values of the published networks, which this project did not make."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn


def golden_folder(shared_data: Path, family: str = "dveformer") -> Path:
    """The folder of golden values beside the shared data; skips where it is absent."""
    folder = shared_data.parent / "reference" / "parity" / family
    if not folder.is_dir():
        pytest.skip(f"no golden values at {folder}")
    return folder


def weights_module(folder: Path, name: str = "weights") -> ModuleType:
    """The script that computes every weight from its name and shape."""
    spec = importlib.util.spec_from_file_location(f"golden_{name}", folder / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def manifest(folder: Path, name: str) -> dict[str, Any]:
    """Names, shapes and the number of parameters of a published network."""
    return json.loads((folder / f"{name}.manifest.json").read_text())


def fill(model: nn.Module, folder: Path) -> None:
    """Give every tensor its golden value; what follows from the window size stays as it is."""
    module = weights_module(folder)
    state = model.state_dict()
    for name, tensor in state.items():
        value = module.fill(name, tuple(tensor.shape))
        if value is not None:
            state[name] = torch.from_numpy(np.asarray(value)).to(tensor.dtype)
    model.load_state_dict(state)
