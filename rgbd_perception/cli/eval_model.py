"""rgbd-perception eval-model: score a network on views of held-out apartments, also on corrupted ones."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rgbd_perception.cli.output import add_json_argument, text_output, write_json
from rgbd_perception.errors import UserError

NAME = "eval-model"
HELP = "score a network on held-out data"
EPILOG = """examples:
  rgbd-perception eval-model config/train/rgbd_mini.yaml --json scores.json
  rgbd-perception eval-model config/train/rgbd_mini.yaml --run runs/rgbd_mini --max-views 60
  rgbd-perception eval-model config/train/rgbd_mini.yaml --study depth-noise --plot depth-noise.svg

Without --weights and --run the installed weights of the model are scored.

studies: the same views, unchanged and worse and worse
  modality-dropout  color or depth replaced by zero or by noise
  depth-noise       depth with noise that grows with the square of the distance
  misalignment      depth shifted against color by 1 to 3 pixels
  depth-holes       holes in a growing share of the depth image"""
STUDY_NAMES = ("modality-dropout", "depth-noise", "misalignment", "depth-holes")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
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
    parser.add_argument("--study", choices=STUDY_NAMES, help="score it on corrupted views")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw the study: a PNG, SVG or PDF file, by its ending"
    )
    parser.add_argument("--max-views", type=int, metavar="N", help="only so many views, evenly spread")
    parser.add_argument("--no-probe", action="store_true", help="leave out visual means and linear probe")
    parser.add_argument("--no-render", action="store_true", help="score on the views that are there")
    add_json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Score the network. Raises UserError for files and options that do not fit."""
    from rgbd_perception.training.config import load_config
    from rgbd_perception.training.render_shards import render_all

    _check(args)
    config = load_config(args.config)
    with text_output(args.json):
        if not args.no_render:
            render_all(config.views, args.shards, config.text_space, config.processes)
        model, about = _load(args, config)
        result = _evaluate(args, model) if args.study is None else _study(args, model)
    write_json(args.json, {**about, **result})
    return 0


def _check(args: argparse.Namespace) -> None:
    """Before the work."""
    if args.max_views is not None and args.max_views < 1:
        raise UserError(f"expected --max-views of at least 1, got {args.max_views}")
    if args.plot is None:
        return
    if args.study is None:
        raise UserError("--plot draws a study: add --study")
    from rgbd_perception.training.study_plot import check_plot_file

    check_plot_file(args.plot)


def _evaluate(args: argparse.Namespace, model: Any) -> dict[str, Any]:
    from rgbd_perception.training.evaluate import evaluate_model
    from rgbd_perception.training.render_shards import load_classes
    from rgbd_perception.training.shards import open_shards

    with_probe = model.has_embeddings and not args.no_probe
    result = evaluate_model(
        model,
        open_shards(args.shards / "test"),
        load_classes(args.shards),
        train=open_shards(args.shards / "train") if with_probe else (),
        max_views=args.max_views,
    )
    _print_scores(result)
    return result


def _study(args: argparse.Namespace, model: Any) -> dict[str, Any]:
    from rgbd_perception.training.render_shards import load_classes
    from rgbd_perception.training.run_study import run_study
    from rgbd_perception.training.shards import open_shards
    from rgbd_perception.training.studies import STUDIES
    from rgbd_perception.training.study_plot import write_study_plot

    study = STUDIES[args.study]
    test = open_shards(args.shards / "test")
    result = run_study(model, test, load_classes(args.shards), study, args.max_views)
    _print_study(result)
    if args.plot is not None:
        write_study_plot(args.plot, result)
        print(f"the plot is in {args.plot}")
    return result


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


def _print_scores(result: dict[str, Any]) -> None:
    columns = {
        f"{way.removeprefix('by_')}, {name}": scores
        for way in ("by_text", "by_classifier")
        for name, scores in result.get(way, {}).items()
    }
    for way in ("by_visual_means", "by_linear_probe"):
        if way in result:
            columns[way.removeprefix("by_").replace("_", " ")] = result[way]
    print(f"IoU in percent on {result['views']} held-out views")
    first = next(iter(columns.values()))
    for name, scores in columns.items():
        print(f"  mean {scores['mean_iou']:6.1%}  accuracy {scores['accuracy']:6.1%}  {name}")
    for label in first["iou"]:
        values = "  ".join(f"{scores['iou'].get(label, 0.0):6.1%}" for scores in columns.values())
        print(f"  {label:<16}  {values}")


def _print_study(result: dict[str, Any]) -> None:
    """A table that is Markdown too, so that it can go into a page as it is."""
    clean = result["clean"]
    print(f"{result['views']} held-out views; percent; change of the mean IoU in points\n")
    print(f"| {result['axis']} | | mean IoU | change | pixel accuracy | mean accuracy |")
    print("|---|---|---:|---:|---:|---:|")
    for case in [{"series": "unchanged", "level": "", **clean}, *result["cases"]]:
        change = f"{100.0 * (case['mean_iou'] - clean['mean_iou']):+.1f}"
        mean, *shares = (f"{100.0 * case[key]:.1f}" for key in ("mean_iou", "accuracy", "mean_accuracy"))
        print(f"| {' | '.join((str(case['level']), case['series'], mean, change, *shares))} |")
