"""rgbd-perception train: train a published network on labelled data sets."""

from __future__ import annotations

import argparse
from pathlib import Path

from rgbd_perception.cli.output import add_json_argument, text_output, write_json
from rgbd_perception.errors import UserError

NAME = "train"
INTERMIXED = True
HELP = "train a network on labelled data sets"
EPILOG = """examples:
  rgbd-perception train config/train/geminifusion_mit_b3_nyuv2.yaml --data data
  rgbd-perception train config/train/geminifusion_mit_b3_nyuv2.yaml --data data --resume
  rgbd-perception train config/train/emsaformer_multitask_mlp_nyuv2.yaml batch=4 accumulate=2 precision=bf16
  torchrun --nnodes 2 --nproc-per-node 4 ... -m rgbd_perception train CONFIG --data data --out /shared/run

key=value replaces values of the configuration. Ctrl-C saves; --resume goes on where it stopped. With
several machines --out is a folder that all of them see."""

INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("config", type=Path, help="YAML file, for instance one of config/train/")
    add_run_arguments(parser)
    parser.add_argument(
        "--data", type=Path, default=Path("data"), help="folder of the data sets (%(default)s)"
    )
    add_json_argument(parser)


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """What ``train`` and ``distill`` have in common."""
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],  # without one argparse calls them required
        metavar="key=value",
        help="values instead of those in the file: batch=4 optimizer.rate=1e-4",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="folder of the run: checkpoint, log, weights (default: runs/NAME of the config)",
    )
    parser.add_argument("--resume", action="store_true", help="continue the run in --out")


def run(args: argparse.Namespace) -> int:
    """Train. Raises UserError for a configuration or data that do not fit."""
    from rgbd_perception.training.recipe import Distillation, is_recipe, load_recipe

    if not is_recipe(args.config):
        raise UserError(f"{args.config} names no data: it is for rgbd-perception distill")
    recipe = load_recipe(args.config, args.overrides)
    if isinstance(recipe.loss, Distillation):
        raise UserError(f"{args.config} teaches embeddings: use rgbd-perception distill")
    return run_recipe(args, recipe)


def run_recipe(args: argparse.Namespace, recipe: object) -> int:
    """Train by a recipe and say where the weights are."""
    from rgbd_perception.training.recipe import Recipe
    from rgbd_perception.training.view_training import WEIGHTS_FILE, train

    assert isinstance(recipe, Recipe)
    out = args.out or Path("runs") / args.config.stem
    with text_output(args.json):
        info = train(recipe, args.data, out, resume=args.resume)
        if info is None:
            print(f"stopped; the checkpoint is in {out}: go on with --resume")
            return INTERRUPTED
        print(f"wrote {out / WEIGHTS_FILE} ({info.model_id})")
    write_json(args.json, {"weights": out / WEIGHTS_FILE, "model_id": info.model_id, **info.training})
    return 0
