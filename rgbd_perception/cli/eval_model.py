"""rgbd-perception eval-model: score a network on views of held-out apartments."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rgbd_perception.cli.output import add_json_argument, text_output, write_json

NAME = "eval-model"
HELP = "score a network on held-out data"
EPILOG = """examples:
  rgbd-perception eval-model config/train/rgbd_mini.yaml --json scores.json
  rgbd-perception eval-model config/train/rgbd_mini.yaml --run runs/rgbd_mini --max-views 60

Without --weights and --run the installed weights of the model are scored."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, help="YAML file of the training")
    parser.add_argument(
        "--shards",
        type=Path,
        default=Path("runs/shards"),
        help="folder of rendered views (default: %(default)s)",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--weights", type=Path, metavar="FILE", help="weights file to score")
    which.add_argument("--run", type=Path, metavar="DIR", help="training folder whose checkpoint to score")
    parser.add_argument("--max-views", type=int, help="only so many views, evenly spread")
    parser.add_argument("--no-probe", action="store_true", help="leave out the linear probe")
    parser.add_argument("--no-render", action="store_true", help="score on the views that are there")
    add_json_argument(parser)


def run(args: argparse.Namespace) -> int:
    from rgbd_perception.training.config import load_config
    from rgbd_perception.training.evaluate import evaluate_model
    from rgbd_perception.training.render_shards import load_classes, render_all
    from rgbd_perception.training.shards import open_shards

    config = load_config(args.config)
    with text_output(args.json):
        if not args.no_render:
            render_all(config.views, args.shards, config.text_space, config.processes)
        model, about = _load(args, config)
        result = evaluate_model(
            model,
            open_shards(args.shards / "test"),
            load_classes(args.shards),
            train=() if args.no_probe else open_shards(args.shards / "train"),
            max_views=args.max_views,
        )
        _print(result)
    write_json(args.json, {**about, **result})
    return 0


def _load(args: argparse.Namespace, config: Any) -> tuple[Any, dict[str, Any]]:
    """The network to score, and what is known about it."""
    from rgbd_perception.inference.weights import default_path, read_weights
    from rgbd_perception.models import create_model, load_checkpoint
    from rgbd_perception.training.export import load_averaged_model

    if args.run is not None:
        model, notes = load_averaged_model(config, args.run)
        return model, {"run": args.run, "training": notes}
    path = args.weights or default_path(config.model)
    weights = read_weights(path)
    model = create_model(weights.info.model, **weights.info.settings)
    load_checkpoint(model, weights.state).require_complete()
    return model.fused(), {"model_id": weights.info.model_id, "training": weights.info.training}


def _print(result: dict[str, Any]) -> None:
    columns = {f"text, {name}": scores for name, scores in result["by_text"].items()}
    if "by_linear_probe" in result:
        columns["linear probe"] = result["by_linear_probe"]
    print(f"IoU in percent on {result['views']} held-out views")
    first = next(iter(columns.values()))
    for name, scores in columns.items():
        print(f"  mean {scores['mean_iou']:6.1%}  accuracy {scores['accuracy']:6.1%}  {name}")
    for label in first["iou"]:
        values = "  ".join(f"{scores['iou'].get(label, 0.0):6.1%}" for scores in columns.values())
        print(f"  {label:<16}  {values}")
