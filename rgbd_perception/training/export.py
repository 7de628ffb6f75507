"""From a training checkpoint to the weights file that inference reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rgbd_perception.inference.weights import WeightsFile, WeightsInfo, save_weights
from rgbd_perception.models import create_model
from rgbd_perception.models.network import Network
from rgbd_perception.training.calibration import fit_temperature
from rgbd_perception.training.checkpoint import load_checkpoint_file
from rgbd_perception.training.config import TrainConfig
from rgbd_perception.training.shards import Shard
from rgbd_perception.training.view_outputs import class_scores, label_image

SAMPLES_PER_VIEW = 400


def load_averaged_model(config: TrainConfig, run: Path) -> tuple[Network, dict[str, Any]]:
    """The averaged network of the run, ready for inference, and notes on its training."""
    checkpoint = load_checkpoint_file(run)
    model = create_model(config.model)
    model.load_state_dict(checkpoint.average)
    notes = {"steps": checkpoint.step, "minutes": round(checkpoint.elapsed_s / 60.0, 1), "seed": config.seed}
    return model.eval(), notes


def export_run(
    config: TrainConfig,
    run: Path,
    validation: list[Shard],
    class_embeddings: NDArray[np.float32],
    path: Path,
) -> WeightsInfo:
    """Write the averaged weights of ``run``, class embeddings, a temperature fitted on validation views."""
    model, notes = load_averaged_model(config, run)
    temperature = fit_on_views(model, validation, class_embeddings)
    info = WeightsInfo(
        model=config.model,
        settings={"depth_mean": model.config.depth_mean, "depth_std": model.config.depth_std},
        labels=validation[0].info.class_names,
        text_space=validation[0].info.text_space,
        temperature=round(1.0 / temperature, 3),
        training=notes,
    )
    return save_weights(path, model.state_dict(), info, class_embeddings)


def export_classifier(
    weights: WeightsFile,
    way: str,
    rows: Tensor,
    labels: Sequence[str],
    class_embeddings: NDArray[np.float32],
    path: Path,
) -> WeightsInfo:
    """Write ``weights`` with masks by ``rows`` (C, D), one for each of ``labels``, with the scale of logits.

    ``class_embeddings`` (C, D) of the labels are for the map; ``way`` says where the rows come from.
    """
    training = {**weights.info.training, "classifier": way}
    info = replace(weights.info, labels=tuple(labels), training=training)
    return save_weights(path, weights.state, info, class_embeddings, rows.numpy())


def fit_on_views(model: Network, shards: list[Shard], class_embeddings: NDArray[np.float32]) -> float:
    """The temperature (divisor of cosines) fitted on random cells of all views of ``shards``."""
    rng = np.random.default_rng(0)
    classes = torch.from_numpy(class_embeddings)
    stride = model.config.stride
    cosines, labels = [], []
    for shard in shards:
        for index in range(len(shard)):
            view = shard.view(index)
            grid = class_scores(model, view, classes)[0]
            truth = label_image(shard, view)[stride // 2 :: stride, stride // 2 :: stride]
            chosen = rng.permutation(np.flatnonzero(truth.ravel() >= 0))[:SAMPLES_PER_VIEW]
            cosines.append(grid.flatten(1).T.numpy()[chosen])
            labels.append(truth.ravel()[chosen])
    return fit_temperature(np.concatenate(cosines), np.concatenate(labels))
