"""A training on labelled data sets by a recipe, from the folders to a weights file."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rgbd_perception.errors import UserError
from rgbd_perception.inference.weights import WeightsInfo, save_weights, write_whole
from rgbd_perception.models import create_model
from rgbd_perception.models.network import Network
from rgbd_perception.text import DEFAULT_TEXT_SPACE
from rgbd_perception.training.checkpoint import FILE_NAME, load_checkpoint_file
from rgbd_perception.training.datasets.mixture import Mixture, Part
from rgbd_perception.training.datasets.opening import below, open_views
from rgbd_perception.training.datasets.views import LabelledViews
from rgbd_perception.training.initial_weights import load_backbone, load_weights
from rgbd_perception.training.launch import launch
from rgbd_perception.training.losses.class_weights import ClassPixels
from rgbd_perception.training.optimizers import make_optimizer
from rgbd_perception.training.recipe import CrossEntropy, DataSetConfig, Distillation, Multitask, Recipe
from rgbd_perception.training.run_config import BudgetConfig
from rgbd_perception.training.teacher.registry import text_space_of
from rgbd_perception.training.teacher.taught import taught_views
from rgbd_perception.training.trainer import Trainer, Training
from rgbd_perception.training.validation import score_views
from rgbd_perception.training.view_batches import ViewBatches
from rgbd_perception.training.view_objectives import ViewObjective, extra_images, side_outputs_of
from rgbd_perception.training.yaml_config import write_values

if TYPE_CHECKING:
    from lightning_fabric import Fabric

CONFIG_FILE = "config.yaml"
WEIGHTS_FILE = "weights.safetensors"
BEST_FILE = "best.safetensors"
MOST_COUNTED = 2000
"""Views that class frequencies are counted on."""


def train(recipe: Recipe, data: Path, out: Path, *, resume: bool) -> WeightsInfo | None:
    """Train by ``recipe`` on data sets below ``data``; None where a signal ended it early, with a checkpoint.

    Writes ``out``/weights.safetensors: averaged weights, where the recipe averages. Raises UserError where
    ``out`` holds another run's checkpoint and ``resume`` is off, or none and it is on.
    """
    exists = (out / FILE_NAME).exists()
    if exists and not resume:
        raise UserError(f"{out} holds a checkpoint: pass --resume to continue it, or another --out")
    if resume and not exists:
        raise UserError(f"expected a checkpoint in {out}, found none: train without --resume first")
    write_whole(out / CONFIG_FILE, write_values(recipe).encode(), "configuration")
    finished = launch(recipe, train_member, recipe, data, out, resume)
    return export(recipe, data, out) if finished else None


def train_member(fabric: Fabric, recipe: Recipe, data: Path, out: Path, resume: bool) -> bool:
    """What every process does; True where the whole training is done."""
    trainer = make_view_trainer(fabric, recipe, data, out)
    if resume:
        trainer.restore()
    return trainer.run()


def make_view_trainer(fabric: Fabric, recipe: Recipe, data: Path, out: Path) -> Trainer:
    """One process of a training. Raises UserError where data, weights and network do not fit."""
    recipe.check_parts(fabric.world_size * recipe.accumulate)
    mixture = open_mixture(recipe, data)
    text_space(recipe, data)  # a contradiction is told before the work
    torch.manual_seed(recipe.seed)
    network = make_network(recipe, mixture)
    if recipe.backbone:
        load_backbone(network, Path(recipe.backbone))
    if recipe.weights:
        load_weights(network, Path(recipe.weights), recipe.weights_without, mixture.info.classes)
    optimizer = make_optimizer(network, recipe)
    batches = ViewBatches(
        mixture, recipe, network.config.stride, extra_images(network), side_outputs_of(network, recipe)
    )
    epoch_steps = batches.epoch_steps
    training = Training(
        objective=ViewObjective(network, recipe, _class_weights(recipe, mixture)),
        optimizers=[optimizer],
        batches=batches,
        budget=BudgetConfig(steps=recipe.steps or recipe.epochs * epoch_steps),
        schedule=recipe.schedule,
        epoch_steps=epoch_steps,
        clip_norm=recipe.clip_norm or math.inf,
        average_decay=recipe.average_decay,
        **_validation(recipe, data, out, epoch_steps),
    )
    return Trainer(fabric, recipe, training, out)


def open_mixture(recipe: Recipe, data: Path) -> Mixture:
    """The data sets of the recipe as one."""
    return Mixture([Part(_open(item, data), item.fraction) for item in recipe.data])


def make_network(recipe: Recipe, views: LabelledViews) -> Network:
    """The network of the recipe for the classes of the data. Raises UserError where they do not fit."""
    settings = dict(recipe.settings)
    with torch.device("meta"):
        config: Any = create_model(recipe.model, **settings).config
    classes = len(views.info.classes)
    if hasattr(config, "num_classes"):
        if settings.setdefault("num_classes", classes) != classes:
            raise UserError(
                f"settings: num_classes is {settings['num_classes']}, but {views.info.name} has {classes} "
                "classes"
            )
    elif not isinstance(recipe.loss, Distillation):
        raise UserError(f"{recipe.model} has no classifier: its loss is the distillation")
    network = create_model(recipe.model, **settings)
    size = getattr(recipe.augmentation, "size", None)
    multiple = network.config.input_multiple
    if size is not None and any(side % multiple for side in size):
        raise UserError(
            f"augmentation: {recipe.model} needs sides that are multiples of {multiple}, got {size}"
        )
    return network


def export(recipe: Recipe, data: Path, out: Path) -> WeightsInfo:
    """Write the weights of the newest checkpoint of ``out``."""
    checkpoint = load_checkpoint_file(out)
    views = open_mixture(recipe, data)
    network = make_network(recipe, views)
    notes = {"steps": checkpoint.step, "minutes": round(checkpoint.elapsed_s / 60.0, 1), "seed": recipe.seed}
    network.load_state_dict(checkpoint.average)
    space = text_space(recipe, data) if network.has_embeddings else ""
    return _write(network, recipe, views, out / WEIGHTS_FILE, notes, space)


def text_space(recipe: Recipe, data: Path) -> str:
    """The text space of the teachers that ``recipe`` learns from; without any, that of rendered views.

    Raises UserError where teachers differ.
    """
    spaces = {text_space_of(_taught(item, data), item.teacher) for item in recipe.data if item.teacher}
    if len(spaces) > 1:
        raise UserError(f"data: expected teachers of one text space, got {', '.join(sorted(spaces))}")
    return next(iter(spaces), DEFAULT_TEXT_SPACE)


def _write(
    network: Any,
    recipe: Recipe,
    views: LabelledViews,
    path: Path,
    notes: dict[str, Any],
    text_space: str = "",
) -> WeightsInfo:
    """A weights file that inference reads: the settings that are not the model's own, and the classes."""
    with torch.device("meta"):
        usual = create_model(recipe.model).config
    settings = {
        item.name: getattr(network.config, item.name)
        for item in dataclasses.fields(usual)  # type: ignore[arg-type]
        if item.name != "backbone" and getattr(network.config, item.name) != getattr(usual, item.name)
    }
    info = WeightsInfo(
        model=recipe.model,
        settings=settings,
        labels=() if network.has_embeddings else views.info.classes,
        text_space=text_space,
        training={**notes, "data": views.info.name},
    )
    return save_weights(path, network.state_dict(), info)


def _open(config: DataSetConfig, data: Path) -> LabelledViews:
    views = open_views(below(data, config.folder), config.split, config.layout, config.options)
    if not config.teacher:
        return views
    return taught_views(views, _taught(config, data), config.teacher)


def _taught(config: DataSetConfig, data: Path) -> Path:
    """The folder that `rgbd-perception teach` wrote into."""
    return data / (config.embeddings or config.folder)


def _class_weights(recipe: Recipe, mixture: Mixture) -> Tensor | None:
    if not isinstance(recipe.loss, CrossEntropy | Multitask) or not recipe.loss.median_frequency:
        return None
    from tqdm import tqdm

    counted = ClassPixels(len(mixture.info.classes))
    step = -(-len(mixture) // MOST_COUNTED)
    for index in tqdm(range(0, len(mixture), step), desc="class frequencies", delay=2, disable=None):
        counted.add(mixture.view(index).semantic)
    return torch.from_numpy(counted.median_frequency_weights())


def _validation(recipe: Recipe, data: Path, out: Path, epoch_steps: int) -> dict[str, Any]:
    """Arguments of a Training that judge the network and keep the best."""
    config = recipe.validation
    if config is None or isinstance(recipe.loss, Distillation):
        return {}
    views = _open(config.data, data)
    over = "all" if recipe.model.startswith("geminifusion_deliver") else "labelled"
    over = "seen" if not isinstance(recipe.loss, CrossEntropy | Multitask) and over != "all" else over

    def score(network: Any) -> float:
        result = score_views(
            network,
            views,
            limit=config.views,
            short_side=config.short_side,
            input_size=config.input_size,
            interpolation=config.interpolation,
            over=over,  # type: ignore[arg-type]
        )
        return result.mean_iou

    def keep(network: Any, value: float) -> None:
        _write(network, recipe, views, out / BEST_FILE, {"mean_iou": round(value, 4)})

    steps = config.every * epoch_steps
    return {"score_steps": steps, "score_from": config.first * epoch_steps, "scorer": score, "keep": keep}
