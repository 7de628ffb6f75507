"""``rgbd-perception bench``: what the map and the networks cost here, beside the limits of the machine."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rgbd_perception.cli.output import add_json_argument, text_output, with_examples, write_json
from rgbd_perception.errors import UserError

if TYPE_CHECKING:
    from rgbd_perception.bench.plan import BenchPlan

NAME = "bench"
HELP = "measure the map or a network beside the limits of the machine"
EPILOG = """examples:
  rgbd-perception bench map --quick
  rgbd-perception bench model rgbd_mini --size 240x320 --backends torch,onnxruntime
"""
MODEL_EPILOG = """examples:
  rgbd-perception bench model rgbd_mini --size 240x320 --backends torch,onnxruntime --json model.json
  rgbd-perception bench model geminifusion_mit_b3 --size 480x640 --runs 10 --threads 2

"network" is the backend alone, as papers time it; "frame to masks" is everything from a camera's images to
labels of every pixel. A model without installed weights is timed with random ones. See docs/runtime.md.
"""
MAP_EPILOG = """examples:
  rgbd-perception bench map --json map.json              everything: about a quarter of an hour
  rgbd-perception bench map --quick                      fewer repetitions: some minutes
  rgbd-perception bench map --only machine,updates       parts of it
  rgbd-perception bench map --only equal --apartments 3  does the map answer like one without compression?
  rgbd-perception bench map --voxels 20000 --quick       a trial of the benchmark itself

parts: machine, updates, queries, memory, files, equal, peers. Peers that are not installed are left out:
pip install 'rgbd_perception[bench]'. What every figure means: docs/benchmarks.md and docs/json.md.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be measured and its options."""
    subjects = parser.add_subparsers(dest="subject", metavar="map|model", required=True)
    _add_model_arguments(subjects.add_parser("model", help="a network", **with_examples(MODEL_EPILOG)))
    subject = subjects.add_parser("map", help="the voxel map", **with_examples(MAP_EPILOG))
    subject.add_argument("--quick", action="store_true", help="fewer repetitions")
    subject.add_argument("--only", metavar="A,B,...", help="these parts only (below)")
    subject.add_argument("--dim", type=int, metavar="D", help="of the embeddings (default 512)")
    subject.add_argument(
        "--voxels",
        type=int,
        metavar="N",
        help="of the largest map (default 1000000: what the names of the results say)",
    )
    subject.add_argument(
        "--apartments", type=int, metavar="N", help="held-out apartments of `equal` (default 3; --quick: 1)"
    )
    subject.add_argument("--model", help="network of `equal` (default rgbd_mini)")
    add_json_argument(subject)


def _add_model_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="NAME", help="of `models list`, or a weights or ONNX file")
    parser.add_argument(
        "--size", metavar="HxW", default="480x640", help="of the camera (default %(default)s)"
    )
    parser.add_argument(
        "--backends", metavar="A,B", default="torch,onnxruntime", help="side by side (default %(default)s)"
    )
    parser.add_argument("--runs", type=int, default=50, metavar="N", help="repetitions (default %(default)s)")
    parser.add_argument(
        "--threads", type=int, default=0, metavar="N", help="CPU threads (default: all cores)"
    )
    add_json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, print the table, write the JSON."""
    return _run_model(args) if args.subject == "model" else _run_map(args)


def _run_model(args: argparse.Namespace) -> int:
    from rgbd_perception.cli.export import parse_size

    if args.runs < 1 or args.threads < 0:
        raise UserError(f"expected at least one run and no negative threads, got {args.runs}, {args.threads}")
    size = parse_size(args.size)
    backends = tuple(dict.fromkeys(name.strip() for name in args.backends.split(",")))

    from rgbd_perception.bench.model import ModelPlan, run_model_bench, table

    with text_output(args.json):
        plan = ModelPlan(args.model, size, backends, args.runs, args.threads)
        result = run_model_bench(plan, _bar)
        for line in table(result):
            print(line)
    write_json(args.json, result)
    return 0


def _run_map(args: argparse.Namespace) -> int:
    plan = _plan(args)
    from rgbd_perception.bench.report import limits, table
    from rgbd_perception.bench.suite import run_map_bench

    with text_output(args.json):
        result = run_map_bench(plan, _say, _bar)
        result["limits"] = limits(result)
        for line in table(result):
            print(line)
    write_json(args.json, result)
    return 0


def _plan(args: argparse.Namespace) -> BenchPlan:
    from rgbd_perception.bench.plan import full_plan, quick_plan

    plan = quick_plan() if args.quick else full_plan()
    chosen = {name: getattr(args, name) for name in ("dim", "voxels", "apartments", "model")}
    if args.only is not None:
        chosen["parts"] = tuple(part.strip() for part in args.only.split(","))
    return replace(plan, **{name: value for name, value in chosen.items() if value is not None})


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _bar(items: Iterable[Any], what: str, total: int) -> Iterator[Any]:
    from tqdm import tqdm

    return iter(tqdm(items, desc=what, total=total or None, delay=2, disable=None, file=sys.stderr))
