"""A network by name or file, with its weights; without weights only where somebody asks for that."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rgbd_perception.errors import UserError
from rgbd_perception.inference.weights import (
    SUFFIX,
    UNTRAINED,
    WeightsFile,
    WeightsInfo,
    default_path,
    read_weights,
)
from rgbd_perception.models import create_model, list_models, load_checkpoint, unknown_model
from rgbd_perception.models.class_names import NYUV2, class_names

if TYPE_CHECKING:
    from rgbd_perception.models.network import Network


class LoadedNetwork(NamedTuple):
    """A network ready to run, and what its file says besides the tensors."""

    network: Network
    weights: WeightsFile


def load_network(model: str | Path, untrained: bool = False) -> LoadedNetwork:
    """The network of a name of ``list_models()`` or of a weights file.

    ``untrained``: where no weights of a name are installed, random ones, the same each time; their labels
    mean nothing. Raises UserError where the weights cannot be had, or the network takes more than a frame.
    """
    path = weights_path(model)
    if untrained and path == default_path(str(model)) and not path.is_file():
        return _untrained(str(model))
    weights = read_weights(path)
    network = create_model(weights.info.model, **weights.info.settings)
    load_checkpoint(network, weights.state).require_complete()
    return LoadedNetwork(_for_frames(network, weights.info.model), weights)


def weights_path(model: str | Path) -> Path:
    if isinstance(model, str) and model in list_models():
        return default_path(model)
    path = Path(model)
    if path.suffix != SUFFIX:
        raise unknown_model(str(model), f" or a {SUFFIX} file")
    return path


def _untrained(model: str) -> LoadedNetwork:
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = _for_frames(create_model(model), model)
    classes: int | None = getattr(network.config, "num_classes", None)
    info = WeightsInfo(
        model, labels=NYUV2 if classes is None else class_names(classes), fingerprint=UNTRAINED
    )
    rows = None
    if classes is None:
        dim: int = network.config.embedding_dim  # type: ignore[attr-defined]
        rows = np.random.default_rng(0).standard_normal((len(info.labels), dim)).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return LoadedNetwork(network, WeightsFile(info, {}, rows))


def _for_frames(network: Network, model: str) -> Network:
    if hasattr(network.config, "modalities"):
        raise UserError(
            f"{model} takes HHA, event or LiDAR images, which a frame of color and depth does not have: "
            "use it through rgbd_perception.models"
        )
    return network
