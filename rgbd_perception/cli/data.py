"""``rgbd-perception data``: what a data set for training contains, and what is wrong with it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rgbd_perception.cli.output import add_json_argument, text_output, with_examples, write_json
from rgbd_perception.errors import UserError

if TYPE_CHECKING:
    from rgbd_perception.training.datasets.checking import SplitReport, ViewFacts
    from rgbd_perception.training.datasets.views import LabelledViews

NAME = "data"
HELP = "what a data set for training contains, and what is wrong with it"
EPILOG = """examples:
  rgbd-perception data check datasets/nyuv2                           every split, every file
  rgbd-perception data check datasets/nyuv2 --split test --sheet test.png --json test.json
  rgbd-perception data check my_images --layout folder --no-depth
  rgbd-perception data check datasets/scannet --every 100 --classes 20 --partial

The layouts are described in docs/datasets.md. Exit status 0 only where nothing is wrong; every problem is one
line.
"""

SHEET_VIEWS = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the action and its options."""
    actions = parser.add_subparsers(dest="action", metavar="check", required=True)
    check = actions.add_parser(
        "check", help="read every file of a data set and say what is wrong", **with_examples(EPILOG)
    )
    check.add_argument("path", type=Path, metavar="PATH", help="folder of the data set")
    check.add_argument(
        "--layout",
        default="auto",
        metavar="NAME",
        help="how it lies on disk (default: found by what is there)",
    )
    check.add_argument(
        "--split", action="append", metavar="NAME", help="only this split; may be repeated (default: all)"
    )
    check.add_argument("--classes", type=int, default=0, metavar="N", help="of ScanNet: 20 or 40 (default)")
    check.add_argument(
        "--every",
        type=int,
        default=1,
        metavar="N",
        help="each N-th frame (not of lists and own folders)",
    )
    check.add_argument(
        "--condition", default="", metavar="WORD", help="part of the path of the views wanted (DeLiVER)"
    )
    check.add_argument("--refined-depth", action="store_true", help="in-painted depth instead of raw")
    check.add_argument(
        "--depth-units",
        type=float,
        default=1000.0,
        metavar="N",
        help="values for a metre (lists, own folders)",
    )
    check.add_argument("--no-depth", action="store_true", help="a data set without depth is no problem")
    check.add_argument("--partial", action="store_true", help="do not compare with the official size")
    check.add_argument("--sheet", type=Path, metavar="FILE.png", help="write a picture of some views")
    check.add_argument(
        "--views", type=int, default=SHEET_VIEWS, metavar="N", help="in the picture (default %(default)s)"
    )
    check.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="files read at once (default: cores)",
    )
    add_json_argument(check)


def run(args: argparse.Namespace) -> int:
    """Check a data set; 0 where it is clean. Raises UserError where there is none."""
    if args.workers < 1 or args.views < 1:
        raise UserError("expected --workers and --views of 1 or more")
    with text_output(args.json):
        result, opened = check(args)
        if args.sheet is not None and opened:
            write_sheet(args.sheet, opened, args.views)
            print(f"picture: {args.sheet}")
    write_json(args.json, result)
    return 0 if result["clean"] else 2


def check(args: argparse.Namespace) -> tuple[dict[str, Any], list[LabelledViews]]:
    """Report on every split while it is checked; the JSON, and the splits that could be opened."""
    from rgbd_perception.training.datasets.checking import check_split, shared_views

    problems: list[str] = []
    layout, names = _choose(args, problems)
    opened: list[LabelledViews] = []
    splits: list[dict[str, Any]] = []
    for name in names:
        views = _open(args, layout, name, problems)
        if views is None:
            continue
        report = check_split(views, partial=args.partial, workers=args.workers, progress=_progress)
        opened.append(views)
        splits.append(_as_json(report))
        _print_report(report)
        problems += [f"{name}: {problem}" for problem in report.problems]
    problems += shared_views(opened)
    for problem in problems:
        print(f"problem: {problem}")
    print(f"{len(problems)} problem{'' if len(problems) == 1 else 's'}" if problems else "clean")
    result = {
        "path": str(args.path),
        "layout": layout,
        "splits": splits,
        "problems": problems,
        "clean": not problems,
    }
    return result, opened


def write_sheet(path: Path, splits: Sequence[LabelledViews], count: int) -> None:
    """A picture of ``count`` readable views, spread evenly over the first of ``splits``."""
    from rgbd_perception.viewer.contact_sheet import SheetView, draw_contact_sheet

    views = splits[0]
    shown = []
    for place in range(min(count, len(views))):
        try:
            view = views.view(place * len(views) // min(count, len(views)))
        except UserError:
            continue  # told with the problems
        shown.append(SheetView(view.name, view.color, view.depth, view.semantic))
    info = views.info
    caption = f"{info.name} {info.split}: {len(shown)} of {len(views)} views"
    picture = draw_contact_sheet(shown, info.classes, info.colors, caption)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot write the picture {path}: {error}") from None


def _choose(args: argparse.Namespace, problems: list[str]) -> tuple[str, tuple[str, ...]]:
    """The layout, and the splits that are to be checked; ``problems`` gets the splits that are missing."""
    from rgbd_perception.training.datasets.opening import AUTO, find_layout, find_splits, layout_module

    layout = find_layout(args.path) if args.layout == AUTO else args.layout
    there = find_splits(args.path, layout)
    chosen = tuple(args.split or there)
    if unknown := sorted(set(chosen) - set(there)):
        raise UserError(f"{args.path} ({layout}) has no split {unknown[0]!r}: expected {', '.join(there)}")
    print(f"{args.path}: layout {layout}, splits {', '.join(there)}")
    if not args.split and not args.partial:
        missing = [split for split in layout_module(layout).EXPECTED_SPLITS if split not in there]
        problems += [f"there is no split {split} (--partial: it is not wanted)" for split in missing]
    return layout, chosen


def _open(args: argparse.Namespace, layout: str, split: str, problems: list[str]) -> LabelledViews | None:
    """The split; None, with a line in ``problems``, where it cannot be opened."""
    from rgbd_perception.training.datasets.opening import open_views
    from rgbd_perception.training.datasets.options import ViewOptions

    options = ViewOptions(
        classes=args.classes,
        refined_depth=args.refined_depth,
        every=args.every,
        need_depth=not args.no_depth,
        depth_units=args.depth_units,
        condition=args.condition,
    )
    try:
        return open_views(args.path, split, layout, options)
    except UserError as error:
        problems.append(f"{split}: {error}")
        return None


def _progress(facts: Iterable[ViewFacts], count: int) -> Iterable[ViewFacts]:
    from tqdm import tqdm

    return tqdm(facts, total=count, desc="checking", unit="view", delay=2, disable=None, file=sys.stderr)


def _as_json(report: SplitReport) -> dict[str, Any]:
    info, depth = report.info, report.depth
    classes = zip(info.classes, report.pixels, report.shares, report.seen_in, strict=False)
    return {
        "split": info.split,
        "data_set": info.name,
        "views": report.views,
        "readable": report.readable,
        "official_views": info.official_count,
        "official_scenes": info.official_scenes,
        "problems": list(report.problems),
        "sizes": {f"{height}x{width}": count for (height, width), count in report.sizes.most_common()},
        "void_share": report.void_share,
        "classes": [
            {"id": label, "name": name, "pixels": pixels, "share": share, "views": seen}
            for label, (name, pixels, share, seen) in enumerate(classes)
        ],
        "depth": {
            "mean": depth.mean,
            "std": depth.std,
            "nearest": depth.nearest,
            "farthest": depth.farthest,
            "missing": depth.missing,
            "published_mean": info.depth_mean,
            "published_std": info.depth_std,
        }
        if depth.pixels
        else None,
    }


def _print_report(report: SplitReport) -> None:
    info, depth = report.info, report.depth
    sizes = ", ".join(f"{height}x{width} ({count})" for (height, width), count in report.sizes.most_common(5))
    print(f"{info.split}: {report.readable} of {report.views} views are readable; sizes {sizes or 'none'}")
    if not report.readable:
        return
    if depth.valid:
        published = f"; published {info.depth_mean:.3f} and {info.depth_std:.3f}" if info.depth_mean else ""
        print(
            f"  depth: mean {depth.mean:.3f} m, deviation {depth.std:.3f} m, {depth.nearest:.2f} to "
            f"{depth.farthest:.2f} m, missing {depth.missing:.1%}{published}"
        )
    print(f"  labels: {report.void_share:.1%} of the pixels are void")
    print(f"  {'class':<20} {'pixels':>7}  views")
    for name, share, seen in zip(info.classes, report.shares, report.seen_in, strict=True):
        if seen:
            print(f"  {name:<20} {share:>7.2%}  {seen}")
    absent = [name for name, seen in zip(info.classes, report.seen_in, strict=True) if not seen]
    if absent:
        print(f"  without any pixel: {', '.join(absent)}")
