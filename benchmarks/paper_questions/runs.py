"""One training of one row, on the networks, losses and the loop of the package, and its scores."""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.paper_questions.groups import GroupedViews, grouped
from benchmarks.paper_questions.rooms import Rooms, projected
from benchmarks.paper_questions.rows import DEPTH, TINY_MIT, TINY_SWIN, Row, Student, TwoStream
from rgbd_perception.models import create_model
from rgbd_perception.models.dveformer import DVEFormer
from rgbd_perception.models.network import Network
from rgbd_perception.training.augment_color import ColorAugmentation
from rgbd_perception.training.augment_depth import DepthAugmentation
from rgbd_perception.training.batches import Batch, BatchConfig, BatchMaker
from rgbd_perception.training.cells import ProjectedCells
from rgbd_perception.training.class_targets import class_frequencies, class_weights
from rgbd_perception.training.config import LossConfig, OptimizerConfig
from rgbd_perception.training.crops import CropConfig
from rgbd_perception.training.datasets.mixture import Mixture, Part
from rgbd_perception.training.datasets.shard_views import ShardViews
from rgbd_perception.training.evaluate import evaluate_model
from rgbd_perception.training.initialisation import initialise
from rgbd_perception.training.launch import make_fabric
from rgbd_perception.training.losses import cosine_distillation_loss, cross_entropy_loss
from rgbd_perception.training.optimizers import make_muon, make_optimizer
from rgbd_perception.training.recipe import Adamw, GroupConfig, Recipe, TwoHeads
from rgbd_perception.training.run_config import BudgetConfig, RunConfig
from rgbd_perception.training.schedule import RateConfig
from rgbd_perception.training.shard_training import ShardObjective
from rgbd_perception.training.trainer import Trainer, Training
from rgbd_perception.training.view_augmentation import RoomsAugmentation
from rgbd_perception.training.view_batches import ViewBatches
from rgbd_perception.training.view_objectives import ViewObjective

NO_COLOR_CHANGE = ColorAugmentation(**dict.fromkeys(asdict(ColorAugmentation()), 0.0))
NO_DEPTH_CHANGE = DepthAugmentation(**dict.fromkeys(asdict(DepthAugmentation()), 0.0))
ZOOM = (0.9, 1.4)
"""Windows of a view, some of all of it."""

WHOLE = (0.8, 0.8)
"""Always the whole view."""

BRANCH_SCALE = 0.2
STUDENT_RATE = RateConfig(peak=3e-3, warmup=0.05, decay=0.6)
TWO_STREAM_RATE = RateConfig(peak=2e-3, warmup=0.05, decay=0.6)


@dataclass(frozen=True)
class Budget:
    """What every training gets, and how many held-out views it is scored on."""

    steps: int = 200
    batch: int = 16
    test_views: int = 144
    threads: int = 0


def run_row(row: Row, seed: int, rooms: Rooms, budget: Budget) -> dict[str, Any]:
    """Train and score; what the JSON says of it."""
    torch.manual_seed(seed)
    config = RunConfig(seed=seed, threads=budget.threads, log_seconds=1e9, checkpoint_minutes=1e9)
    fabric = make_fabric(config)
    if budget.threads:
        torch.set_num_threads(budget.threads)
    if isinstance(row, Student):
        rooms = projected(rooms, row.dimension)
        training = _student_training(row, seed, rooms, budget)
    else:
        rooms = grouped(rooms)
        training = _two_stream_training(row, seed, rooms, budget)
    network = training.objective.network
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(fabric, config, training, Path(folder))
        began = time.process_time()
        trainer.run()
        seconds = time.process_time() - began
    return {
        "seed": seed,
        **asdict(budget),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "cpu_seconds": round(seconds, 1),
        "device": str(fabric.device),
        "train_views": sum(map(len, rooms.train)),
        "scores": _scores(network.eval().cpu(), rooms, budget),
    }


def _scores(network: Network, rooms: Rooms, budget: Budget) -> dict[str, float]:
    """By name: of each kind of input, and how near the embeddings are to those of the teacher."""
    result = evaluate_model(network, rooms.test, rooms.classes, max_views=budget.test_views)
    ways = result["by_text"] if network.has_embeddings else result["by_classifier"]
    names = {"miou": "mean_iou", "accuracy": "accuracy", "mean_accuracy": "mean_accuracy"}
    scores = {f"{short} {kind}": score[name] for kind, score in ways.items() for short, name in names.items()}
    if isinstance(network, DVEFormer):
        scores["cosine"] = _cosine(network, rooms, budget)
    return scores


@torch.inference_mode()
def _cosine(network: DVEFormer, rooms: Rooms, budget: Budget) -> float:
    """Mean cosine to the mean of an object's texts, over random held-out views as a whole."""
    objective = ShardObjective(
        network, LossConfig(contrast=0.0), torch.from_numpy(rooms.classes), torch.ones(len(rooms.classes))
    )
    config = BatchConfig(NO_COLOR_CHANGE, NO_DEPTH_CHANGE, drop_depth=0.0, drop_color=0.0, mean_target=1.0)
    maker = BatchMaker(rooms.test, config, 0, network.config.stride, np.ones(len(rooms.classes), np.float32))
    total = count = 0.0
    for number in range(-(-budget.test_views // budget.batch)):
        batch = maker.make(number, budget.batch, CropConfig(_size(rooms), WHOLE))
        pixels = batch.counts["distillation"]
        total += pixels * float(objective(batch)["distillation"])
        count += pixels
    return 1.0 - total / count


class ClassifierObjective(ShardObjective):
    """Distillation, and a classifier on the features that embeddings are made of; no score is of it."""

    def __init__(
        self, network: DVEFormer, config: LossConfig, class_embeddings: Tensor, class_weights: Tensor
    ) -> None:
        super().__init__(network, config, class_embeddings, class_weights)
        head = network.decoder.head_matrix()
        assert head is not None
        self.classifier = nn.Linear(head[0].shape[1], len(class_embeddings))

    def forward(self, batch: Batch) -> dict[str, Tensor]:  # type: ignore[override]
        cells = self._cells(batch)
        assert isinstance(cells, ProjectedCells)
        logits = self.classifier(cells.features).mT.unflatten(2, batch.labels.shape[1:])
        return {
            "distillation": cosine_distillation_loss(cells, batch.tables, batch.indices),
            "classifier": cross_entropy_loss(logits, batch.labels, self._class_weights),
        }


class StudentBatches:
    """Batches of one size; they also count the labelled cells, which the classifier's loss is a mean over."""

    def __init__(self, maker: BatchMaker, size: int, crop: CropConfig) -> None:
        self._maker, self._size, self._crop = maker, size, crop

    def make(self, number: int, progress: float, part: int, parts: int) -> Batch:
        batch = self._maker.make(number, self._size // parts, self._crop, part)
        labelled = float((batch.labels >= 0).sum())
        return batch._replace(counts={**batch.counts, "classifier": labelled})


def _student_training(row: Student, seed: int, rooms: Rooms, budget: Budget) -> Training:
    network = create_model(
        "rgbd_mini", backbone=TINY_SWIN, branches=(32, 24, 16, 16), fused=64, embedding_dim=row.dimension
    )
    assert isinstance(network, DVEFormer)
    initialise(network, BRANCH_SCALE)
    weights = class_weights(class_frequencies(rooms.train, len(rooms.classes)), 0.5, 4.0)
    kind = ClassifierObjective if row.auxiliary == "classifier" else ShardObjective
    loss = LossConfig(contrast=1.0 if row.auxiliary == "texts" else 0.0)
    objective = kind(network, loss, torch.from_numpy(rooms.classes), torch.from_numpy(weights))
    views = BatchConfig(
        NO_COLOR_CHANGE, NO_DEPTH_CHANGE, drop_depth=row.drop_depth, drop_color=row.drop_color
    )
    maker = BatchMaker(rooms.train, views, seed, network.config.stride, weights)
    optimizer = OptimizerConfig(rate=STUDENT_RATE)
    return Training(
        objective=objective,
        optimizers=make_muon(objective, optimizer),
        batches=StudentBatches(maker, budget.batch, CropConfig(_size(rooms), ZOOM)),
        budget=BudgetConfig(steps=budget.steps),
        schedule=STUDENT_RATE,
        clip_norm=optimizer.clip_norm,
    )


def _two_stream_training(row: TwoStream, seed: int, rooms: Rooms, budget: Budget) -> Training:
    settings = {
        "backbone": TINY_MIT,
        "decoder_dim": 64,
        "drop_path": 0.0,
        "fusion_heads": 4,
        "num_classes": len(rooms.classes),
        **DEPTH,
        **row.settings,
    }
    recipe = Recipe(
        model=row.model,
        settings=settings,
        seed=seed,
        loss=TwoHeads(),
        optimizer=Adamw(rate=TWO_STREAM_RATE.peak),
        groups=(GroupConfig(names="^alpha$", frozen=True),),
        augmentation=RoomsAugmentation(
            CropConfig(_size(rooms), ZOOM), NO_COLOR_CHANGE, NO_DEPTH_CHANGE, row.drop_depth, row.drop_color
        ),
        batch=budget.batch,
    )
    network = create_model(row.model, **settings)
    mixture = Mixture([Part(GroupedViews(ShardViews(rooms.root / "train", "train")))])
    return Training(
        objective=ViewObjective(network, recipe),
        optimizers=[make_optimizer(network, recipe)],
        batches=ViewBatches(mixture, recipe, network.config.stride),
        budget=BudgetConfig(steps=budget.steps),
        schedule=TWO_STREAM_RATE,
        clip_norm=1.0,
    )


def _size(rooms: Rooms) -> tuple[int, int]:
    """(H, W) of the views."""
    height, width = rooms.train[0].view(0).depth.shape
    return int(height), int(width)
