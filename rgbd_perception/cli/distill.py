"""rgbd-perception distill: train a network towards text-aligned embeddings."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from rgbd_perception.cli.output import add_json_argument, text_output, write_json
from rgbd_perception.cli.train import INTERRUPTED, add_run_arguments, run_recipe
from rgbd_perception.errors import UserError

NAME = "distill"
INTERMIXED = True
HELP = "train a network towards text-aligned embeddings"
EPILOG = """examples:
  rgbd-perception distill config/train/rgbd_mini.yaml --minutes 60
  rgbd-perception distill config/train/rgbd_mini.yaml --resume
  rgbd-perception distill config/train/rgbd_mini.yaml --export-only rgbd_mini.safetensors
  rgbd-perception distill config/train/dveformer_reducedres.yaml --data data batch=8 precision=bf16

rgbd_mini learns from rendered views: those that are missing in --shards are rendered first. DVEFormer
learns from data sets below --data that rgbd-perception teach went over. key=value replaces values of the
configuration. Ctrl-C saves; --resume goes on where it stopped."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("config", type=Path, help="YAML file, for instance config/train/rgbd_mini.yaml")
    add_run_arguments(parser)
    parser.add_argument(
        "--shards",
        type=Path,
        default=Path("runs/shards"),
        help="folder of rendered views (default: %(default)s)",
    )
    parser.add_argument(
        "--data", type=Path, default=Path("data"), help="folder of the data sets (default: %(default)s)"
    )
    parser.add_argument("--minutes", type=float, help="training time, instead of the configured one")
    parser.add_argument("--no-render", action="store_true", help="train on the views that are there")
    parser.add_argument(
        "--export-only",
        type=Path,
        metavar="FILE",
        help="do not train: write the weights of the run's checkpoint",
    )
    add_json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Train. Raises UserError for a configuration or data that do not fit."""
    from rgbd_perception.training.recipe import Distillation, is_recipe, load_recipe

    if not is_recipe(args.config):
        return _run_on_shards(args)
    if args.minutes is not None or args.export_only is not None or args.no_render:
        raise UserError("--minutes, --export-only and --no-render are for rendered views")
    recipe = load_recipe(args.config, args.overrides)
    if not isinstance(recipe.loss, Distillation):
        raise UserError(f"{args.config} teaches classes: use rgbd-perception train")
    return run_recipe(args, recipe)


def _run_on_shards(args: argparse.Namespace) -> int:
    from rgbd_perception.training.config import load_config
    from rgbd_perception.training.distill import Folders, distill, export

    config = load_config(args.config, args.overrides)
    if args.minutes is not None:
        if not args.minutes > 0:
            raise UserError(f"--minutes: expected a positive number, got {args.minutes}")
        config = replace(config, budget=replace(config.budget, minutes=args.minutes, steps=0))
    folders = Folders(args.shards, args.out or Path("runs") / args.config.stem)
    with text_output(args.json):
        if args.export_only is not None:
            target = args.export_only
            info = export(config, folders, target)
        else:
            target = folders.weights
            written = distill(config, folders, resume=args.resume, render=not args.no_render)
            if written is None:
                print(f"stopped; the checkpoint is in {folders.out}: go on with --resume")
                return INTERRUPTED
            info = written
        print(f"wrote {target} ({info.model_id}, temperature {info.temperature})")
    write_json(args.json, {"weights": target, "model_id": info.model_id, "temperature": info.temperature})
    return 0
