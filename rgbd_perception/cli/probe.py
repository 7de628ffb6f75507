"""rgbd-perception probe: how well embeddings tell classes apart, by text, visual means and a linear probe."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from rgbd_perception.cli.output import add_json_argument, text_output, warn_untrained, write_json
from rgbd_perception.errors import UserError

if TYPE_CHECKING:
    from rgbd_perception.inference.loading import LoadedNetwork
    from rgbd_perception.training.datasets.views import LabelledView, LabelledViews
    from rgbd_perception.training.labelled_outputs import DepthStatistics

NAME = "probe"
HELP = "score a network's embeddings on a labelled data set: text, visual means, linear probe"
EPILOG = """examples:
  rgbd-perception probe dveformer_reducedres nyuv2 --rows nyuv2/auxiliary_meta/class_rows_40_E.npz
  rgbd-perception probe rgbd_mini rooms --train-split all --test-split all --epochs 10
  rgbd-perception probe model.safetensors scannet --test-split valid --base both --json scores.json

--rows is the file with texts and visual means of the classes that `rgbd-perception teach` writes; without it
only texts and a linear probe that starts from them. The published protocol normalises depth with the
statistics of the data set, trains the probe on a network in train mode (--base train) and keeps the epoch
with the best mean IoU on the test split (--keep best)."""

Item = TypeVar("Item")


class Candidate(NamedTuple):
    """A way from embeddings to classes; for a probe, after so many epochs."""

    way: str
    epoch: int = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("model", help="name of a network with embeddings, or a weights file")
    parser.add_argument("dataset", type=Path, help="folder of a labelled data set")
    parser.add_argument("--rows", type=Path, metavar="FILE", help="embeddings of the classes")
    parser.add_argument("--train-split", default="train", metavar="NAME", help="default: %(default)s")
    parser.add_argument("--test-split", default="test", metavar="NAME", help="default: %(default)s")
    parser.add_argument("--layout", default="auto", help="of the data set (default: recognised)")
    parser.add_argument("--classes", type=int, default=0, metavar="N", help="length of the class list")
    parser.add_argument(
        "--base",
        choices=("eval", "train", "both", "none"),
        default="eval",
        help="mode of the frozen network while the probe is trained; none: no probe (default: %(default)s)",
    )
    parser.add_argument("--epochs", type=int, default=50, help="of the probe (default: %(default)s)")
    parser.add_argument(
        "--keep",
        choices=("best", "last"),
        default="best",
        help="epoch of the probe that counts: the best on the test split, as the authors take it, or the "
        "last, which has not seen that split (default: %(default)s)",
    )
    parser.add_argument("--batch", type=int, default=4, help="views at once (default: %(default)s)")
    parser.add_argument(
        "--depth-statistics",
        choices=("data", "model"),
        default="data",
        help="whose mean and deviation depth is normalised with, where both are known (default: %(default)s)",
    )
    parser.add_argument("--untrained", action="store_true", help="take random weights where none are there")
    add_json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Score the network. Raises UserError for data and files that do not fit."""
    from rgbd_perception.inference.loading import load_network
    from rgbd_perception.training.published_scores import data_name, published_scores, score_table

    loaded = load_network(args.model, args.untrained)
    warn_untrained(loaded.weights.info.model_id)
    if not loaded.network.has_embeddings:
        raise UserError(f"{loaded.weights.info.model} has a classifier of its own: there is nothing to probe")
    with text_output(args.json):
        test = _views(args, args.test_split)
        depth = _statistics(args, loaded, test)
        ways = _ways(args, loaded, test, depth)
        scores, probes = _best(_score(loaded, test, ways, depth), args)
        ours = {way: 100.0 * result["mean_iou"] for way, result in scores.items()}
        published = published_scores(loaded.weights.info.model, test.info)
        print(score_table(ours, published, data_name(test.info)))
        for way, probe in probes.items():
            print(f"{way}: epoch {probe['epoch']} of {probe['epochs']}, the {args.keep}")
    result = {
        "model_id": loaded.weights.info.model_id,
        "data": data_name(test.info),
        "views": len(test),
        "depth_statistics": depth._asdict(),
        "scores": scores,
        "probes": probes,
        "published_mean_iou": {way: value / 100.0 for way, value in published.items()},
    }
    write_json(args.json, result)
    return 0


def _views(args: argparse.Namespace, split: str) -> LabelledViews:
    from rgbd_perception.training.datasets.opening import open_views
    from rgbd_perception.training.datasets.options import ViewOptions

    options = ViewOptions(classes=args.classes, instances=False, need_depth=False)
    return open_views(args.dataset, split, args.layout, options)


def _statistics(args: argparse.Namespace, loaded: LoadedNetwork, views: LabelledViews) -> DepthStatistics:
    from rgbd_perception.training.labelled_outputs import DepthStatistics

    info, config = views.info, loaded.network.config
    if args.depth_statistics == "data" and info.depth_mean is not None and info.depth_std is not None:
        return DepthStatistics(info.depth_mean, info.depth_std)
    return DepthStatistics(config.depth_mean, config.depth_std)


def _ways(
    args: argparse.Namespace, loaded: LoadedNetwork, test: LabelledViews, depth: DepthStatistics
) -> dict[Candidate, Any]:
    """Rows (C, D) by way and epoch: for a probe those of every epoch that may be kept."""
    import torch

    from rgbd_perception.training.linear_probe import ProbeConfig, train_probe

    rows = {way: torch.from_numpy(matrix) for way, matrix in _class_rows(args, loaded, test).items()}
    ways = {Candidate(way): matrix for way, matrix in rows.items()}
    modes = {"both": ("eval", "train"), "none": ()}.get(args.base, (args.base,))
    start = rows.get("visual means", rows["text"])
    train = _views(args, args.train_split) if modes else test
    if train.info.classes != test.info.classes:
        raise UserError(f"{args.train_split} and {args.test_split} have different classes")
    for mode in modes:
        config = ProbeConfig(epochs=args.epochs, batch=args.batch, base=mode)

        def shown(batches: Iterable[Item], total: int, text: str = f"probe, base {mode}") -> Iterator[Item]:
            return _progress(batches, total, text, "batch")

        epochs = train_probe(loaded.network, train, start, config, depth, shown)
        for epoch in range(1, len(epochs) + 1) if args.keep == "best" else (len(epochs),):
            ways[Candidate(f"linear probe (base {mode})", epoch)] = epochs[epoch - 1]
    return ways


def _class_rows(args: argparse.Namespace, loaded: LoadedNetwork, views: LabelledViews) -> dict[str, Any]:
    from rgbd_perception.text.registry import create_text_encoder
    from rgbd_perception.training.teacher.class_rows import read_class_rows
    from rgbd_perception.training.teacher.text_teacher import class_text_rows

    classes, info = views.info.classes, loaded.weights.info
    if args.rows is None:
        if info.labels == classes and loaded.weights.class_embeddings is not None:
            return {"text": loaded.weights.class_embeddings}
        return {"text": class_text_rows(create_text_encoder(info.text_space), classes)}
    rows = read_class_rows(args.rows)
    if rows.names != classes:
        odd = sorted(set(rows.names) ^ set(classes)) or ["their order"]
        raise UserError(f"{args.rows} and {args.dataset} differ in their classes: {', '.join(odd[:5])}")
    return {"text": rows.text, "visual means": rows.means}


def _score(
    loaded: LoadedNetwork, views: LabelledViews, ways: dict[Candidate, Any], depth: DepthStatistics
) -> dict[Candidate, Any]:
    """Scores of every candidate, in one pass over the views: the network is the same for all of them."""
    from rgbd_perception.training.labelled_outputs import score_rows

    def read() -> Iterator[LabelledView]:
        for index in _progress(range(len(views)), len(views), "scoring", "view"):
            yield views.view(index)

    confusions = score_rows(loaded.network.eval(), read(), ways, depth)
    return {way: counts.scores(views.info.classes).as_json() for way, counts in confusions.items()}


def _best(
    scored: dict[Candidate, Any], args: argparse.Namespace
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Scores by way, and for the probes which epoch they are of."""
    kept: dict[str, Candidate] = {}
    for candidate, scores in scored.items():
        best = kept.get(candidate.way)
        if best is None or scores["mean_iou"] > scored[best]["mean_iou"]:
            kept[candidate.way] = candidate
    probes = {
        way: {
            "epoch": epoch,
            "epochs": args.epochs,
            "keep": args.keep,
            "last_mean_iou": scored[Candidate(way, args.epochs)]["mean_iou"],
        }
        for way, epoch in kept.values()
        if epoch
    }
    return {way: scored[candidate] for way, candidate in kept.items()}, probes


def _progress(items: Iterable[Item], total: int, text: str, unit: str) -> Iterator[Item]:
    from tqdm import tqdm

    return iter(tqdm(items, desc=text, total=total, unit=unit, delay=2, disable=None, file=sys.stderr))
