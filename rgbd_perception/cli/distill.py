"""rgbd-perception distill: train a network towards text-aligned embeddings."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from rgbd_perception.cli.output import add_json_argument, text_output, write_json

NAME = "distill"
HELP = "train a network towards text-aligned embeddings"
EPILOG = """examples:
  rgbd-perception distill config/train/rgbd_mini.yaml --minutes 60
  rgbd-perception distill config/train/rgbd_mini.yaml --resume
  rgbd-perception distill config/train/rgbd_mini.yaml --export-only rgbd_mini.safetensors

Views that are missing in --shards are rendered first. Ctrl-C saves; --resume goes on where it stopped."""

INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, help="YAML file, for instance config/train/rgbd_mini.yaml")
    parser.add_argument(
        "--shards",
        type=Path,
        default=Path("runs/shards"),
        help="folder of rendered views (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="folder of the run: checkpoint, log, weights (default: runs/NAME of the config)",
    )
    parser.add_argument("--minutes", type=float, help="training time, instead of the configured one")
    parser.add_argument("--resume", action="store_true", help="continue the run in --out")
    parser.add_argument("--no-render", action="store_true", help="train on the views that are there")
    parser.add_argument(
        "--export-only",
        type=Path,
        metavar="FILE",
        help="do not train: write the weights of the run's checkpoint",
    )
    add_json_argument(parser)


def run(args: argparse.Namespace) -> int:
    from rgbd_perception.errors import UserError
    from rgbd_perception.training.config import load_config
    from rgbd_perception.training.distill import Folders, distill, export

    config = load_config(args.config)
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
