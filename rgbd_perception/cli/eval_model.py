"""rgbd-perception eval-model: score a network on views of held-out apartments, also on corrupted ones."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

from rgbd_perception.cli.output import add_json_argument, text_output, write_json
from rgbd_perception.errors import UserError

NAME = "eval-model"
HELP = "score a network on held-out data"
EPILOG = """examples:
  rgbd-perception eval-model config/train/rgbd_mini.yaml --json scores.json
  rgbd-perception eval-model config/train/rgbd_mini.yaml --run runs/rgbd_mini --max-views 60
  rgbd-perception eval-model config/train/rgbd_mini.yaml --study depth-noise --plot depth-noise.svg
  rgbd-perception eval-model config/train/rgbd_mini.yaml --save-visual-means means.safetensors

Without --weights and --run the installed weights of the model are scored. What --save-visual-means and
--save-linear-probe write is those weights with masks by that way: segment, map and the node take it.

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
    for way, what in (("visual-means", "mean embeddings of the classes"), ("linear-probe", "the probe")):
        parser.add_argument(f"--save-{way}", type=Path, metavar="FILE", help=f"write weights with {what}")
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
        scored = _load(args, config)
        result = _study(args, scored.model) if args.study else _evaluate(args, scored)
    write_json(args.json, {**scored.about, **result})
    return 0


def _check(args: argparse.Namespace) -> None:
    """Before the work."""
    if args.max_views is not None and args.max_views < 1:
        raise UserError(f"expected --max-views of at least 1, got {args.max_views}")
    if _saves(args) and (args.study or args.no_probe or args.run):
        raise UserError(
            "--save-visual-means and --save-linear-probe cannot go with --study, --no-probe, --run"
        )
    if args.plot is None:
        return
    if args.study is None:
        raise UserError("--plot draws a study: add --study")
    from rgbd_perception.training.study_plot import check_plot_file

    check_plot_file(args.plot)


def _evaluate(args: argparse.Namespace, scored: _Scored) -> dict[str, Any]:
    from rgbd_perception.training.evaluate import evaluate_model, fit_classifiers
    from rgbd_perception.training.render_shards import load_classes
    from rgbd_perception.training.shards import open_shards

    test, classes = open_shards(args.shards / "test"), load_classes(args.shards)
    classifiers = {}
    if scored.model.has_embeddings and not args.no_probe:
        classifiers = fit_classifiers(scored.model, open_shards(args.shards / "train"), classes)
    result = evaluate_model(scored.model, test, classes, classifiers=classifiers, max_views=args.max_views)
    _print_scores(result)
    _save_classifiers(args, scored.weights, classifiers, test[0].info.class_names, classes)
    return result


def _save_classifiers(
    args: argparse.Namespace, weights: Any, classifiers: dict[str, Any], labels: Any, classes: Any
) -> None:
    """Write the weights files that were asked for."""
    from rgbd_perception.training.evaluate import LINEAR_PROBE, VISUAL_MEANS
    from rgbd_perception.training.export import export_classifier

    wanted = ((VISUAL_MEANS, args.save_visual_means), (LINEAR_PROBE, args.save_linear_probe))
    for way, path in wanted:
        if path is None:
            continue
        # The probe was trained as logits; cosines with the means get the scale of those with texts.
        scale = weights.info.temperature if way == VISUAL_MEANS else 1.0
        info = export_classifier(weights, way, scale * classifiers[way], labels, classes, path)
        print(f"{info.model_id}, masks {way.replace('_', ' ')}, is in {path}")


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


def _saves(args: argparse.Namespace) -> bool:
    return args.save_visual_means is not None or args.save_linear_probe is not None


class _Scored(NamedTuple):
    """The network, what is known about it, and the file it is from; None for a checkpoint of a training."""

    model: Any
    about: dict[str, Any]
    weights: Any = None


def _load(args: argparse.Namespace, config: Any) -> _Scored:
    """The network to score."""
    from rgbd_perception.inference.weights import default_path, read_weights
    from rgbd_perception.models import create_model, load_checkpoint
    from rgbd_perception.training.export import load_averaged_model

    if args.run is not None:
        model, notes = load_averaged_model(config, args.run)
        return _Scored(model, {"run": args.run, "training": notes})
    path = args.weights or default_path(config.model)
    weights = read_weights(path)
    model = create_model(weights.info.model, **weights.info.settings)
    load_checkpoint(model, weights.state).require_complete()
    if _saves(args) and not model.has_embeddings:
        raise UserError(f"{weights.info.model} has a classifier of its own: nothing else can be saved")
    about = {"model_id": weights.info.model_id, "training": weights.info.training}
    return _Scored(model.fused(), about, weights)


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
