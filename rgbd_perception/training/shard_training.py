"""How ``rgbd_mini`` learns: from rendered views towards embeddings of texts, in phases of growing windows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rgbd_perception.inference.preprocess import normalize, pad_to_multiple
from rgbd_perception.models import create_model
from rgbd_perception.models.dveformer import DVEFormer
from rgbd_perception.training.batches import Batch, BatchMaker
from rgbd_perception.training.cells import Cells, EmbeddedCells, ProjectedCells
from rgbd_perception.training.class_targets import class_frequencies, class_weights
from rgbd_perception.training.config import LossConfig, TrainConfig
from rgbd_perception.training.initialisation import initialise
from rgbd_perception.training.losses import class_contrast_loss, cosine_distillation_loss
from rgbd_perception.training.objective import Objective
from rgbd_perception.training.optimizers import make_muon
from rgbd_perception.training.schedule import Phase, phase_at
from rgbd_perception.training.shards import Shard
from rgbd_perception.training.trainer import Trainer, Training

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class ShardObjective(Objective):
    """Distillation towards the targets of the pixels, and a contrast between the classes."""

    network: DVEFormer
    _classes: Tensor
    _class_weights: Tensor

    def __init__(
        self, network: DVEFormer, config: LossConfig, class_embeddings: Tensor, class_weights: Tensor
    ) -> None:
        """class_embeddings (C, D) unit rows, class_weights (C,), in the order of the shards' class ids."""
        super().__init__()
        self.network = network
        self._config = config
        # Not of the state: they follow from the data.
        self.register_buffer("_classes", class_embeddings, persistent=False)
        self.register_buffer("_class_weights", class_weights, persistent=False)

    def forward(self, batch: Batch) -> dict[str, Tensor]:  # type: ignore[override]
        cells = self._cells(batch)
        distillation = cosine_distillation_loss(cells, batch.tables, batch.indices)
        contrast = class_contrast_loss(
            cells, self._classes, batch.labels, self._class_weights, self._config.temperature
        )
        return {"distillation": distillation, "contrast": self._config.contrast * contrast}

    def _cells(self, batch: Batch) -> Cells:
        """What the network makes of a batch, padded as at inference and cut back to its grid."""
        config = self.network.config
        inputs = normalize(batch.color, batch.depth, config.depth_mean, config.depth_std)
        padded = [pad_to_multiple(tensor, config.input_multiple) for tensor in inputs]
        height, width = batch.indices.shape[1:]
        head = self.network.decoder.head_matrix()
        if head is None:
            return EmbeddedCells.of(self.network(*padded).embedding[:, :, :height, :width])
        return ProjectedCells.of(self.network.features(*padded)[:, :, :height, :width], *head)


class PhasedBatches:
    """Batches of the phase that a moment of the training is in."""

    def __init__(self, maker: BatchMaker, phases: Sequence[Phase]) -> None:
        self._maker, self._phases = maker, phases

    def make(self, number: int, progress: float, part: int, parts: int) -> Batch:
        phase = phase_at(progress, self._phases)
        return self._maker.make(number, phase.batch // parts, phase.crop, part)


def make_shard_trainer(
    fabric: Fabric,
    config: TrainConfig,
    shards: Sequence[Shard],
    class_embeddings: NDArray[np.float32],
    out: Path,
) -> Trainer:
    """One process of a training on ``shards``; class_embeddings (C, D) unit rows."""
    config.check_parts(fabric.world_size * config.accumulate)
    torch.manual_seed(config.seed)
    network = create_model(config.model)
    assert isinstance(network, DVEFormer)
    initialise(network, config.branch_scale)
    frequencies = class_frequencies(shards, len(class_embeddings))
    weights = class_weights(frequencies, config.loss.balance, config.loss.max_weight)
    objective = ShardObjective(
        network, config.loss, torch.from_numpy(class_embeddings), torch.from_numpy(weights)
    )
    maker = BatchMaker(shards, config.batches, config.seed, network.config.stride, weights)
    training = Training(
        objective=objective,
        optimizers=make_muon(network, config.optimizer),
        batches=PhasedBatches(maker, config.phases),
        budget=config.budget,
        schedule=config.optimizer.rate,
        clip_norm=config.optimizer.clip_norm,
        average_decay=config.optimizer.average_decay,
    )
    return Trainer(fabric, config, training, out)
