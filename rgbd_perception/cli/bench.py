"""``rgbd-perception bench``: what the map costs here, beside its peers and the limits of the machine."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rgbd_perception.cli.output import add_json_argument, text_output, write_json

if TYPE_CHECKING:
    from rgbd_perception.bench.plan import BenchPlan

NAME = "bench"
HELP = "measure the map beside its peers and the limits of the machine"
EPILOG = """examples:
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
    subjects = parser.add_subparsers(dest="subject", metavar="map", required=True)
    subject = subjects.add_parser(
        "map", help="the voxel map", epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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


def run(args: argparse.Namespace) -> int:
    """Measure, print the table, write the JSON."""
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


def _bar(items: Iterator[Any], what: str, total: int) -> Iterator[Any]:
    from tqdm import tqdm

    return iter(tqdm(items, desc=what, total=total or None, delay=2, disable=None, file=sys.stderr))
