"""Golden values of GeminiFusion, DiffPixelFormer and TokenFusion, which this project did not make."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from test.models.golden import golden_folder, manifest, weights_module


class Golden:
    """A network's names and shapes, the values of its tensors, inputs and wanted outputs."""

    def __init__(self, shared_data: Path, name: str) -> None:
        """Skips the test where there are none."""
        folder = golden_folder(shared_data, ".")
        self._weights = weights_module(folder, "deterministic_weights_more")
        self.manifest = manifest(folder, name)
        with np.load(folder / f"{name}.npz") as file:
            self.arrays = {key: torch.from_numpy(file[key]) for key in file}

    @property
    def inputs(self) -> list[Tensor]:
        """The images or tokens, color first."""
        return [self.arrays[key] for key in self.manifest.get("inputs", ("rgb", "depth"))]

    @property
    def shapes(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Shape and type of every tensor of the published state."""
        tensors = self.manifest["tensors"]
        return {item["name"]: (tuple(item["shape"]), f"torch.{item['dtype']}") for item in tensors}

    def fill(self, model: nn.Module) -> None:
        """Give every tensor its golden value; what follows from the window size stays as it is."""
        own = model.state_dict()
        with torch.no_grad():
            for name, value in self._weights.iter_state(self.manifest):
                own[name].copy_(torch.from_numpy(value))

    def check(self, name: str, found: Tensor) -> None:
        """Compare an output with the wanted one, by the tolerance that belongs to it."""
        tolerance = self.manifest["tolerance"]
        wanted = self.arrays[name]
        atol = tolerance["feature_atol"] if wanted.dtype == torch.float16 else tolerance["atol"]
        torch.testing.assert_close(
            found, wanted.float(), atol=atol, rtol=tolerance["rtol"], msg=lambda text: f"{name}: {text}"
        )


def shapes_of(model: nn.Module) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape and type of every tensor of a network's state."""
    return {name: (tuple(value.shape), str(value.dtype)) for name, value in model.state_dict().items()}
