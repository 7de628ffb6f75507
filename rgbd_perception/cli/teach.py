"""rgbd-perception teach: embeddings of a data set's segments, which students are distilled from."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rgbd_perception.cli.output import add_json_argument, text_output, write_json
from rgbd_perception.errors import UserError

if TYPE_CHECKING:
    from rgbd_perception.training.datasets.views import LabelledViews
    from rgbd_perception.training.teacher.base import TeacherSpec
    from rgbd_perception.training.teacher.course import Outcome, Report, Workers
    from rgbd_perception.training.teacher.storage import EmbeddingStore

NAME = "teach"
HELP = "let a teacher embed the segments of a labelled data set"
EPILOG = """examples:
  rgbd-perception teach rooms --teacher text --out rooms_taught
  rgbd-perception teach nyuv2 --weights clip_l14@336_grit20m_fultune_4xe.pth --out nyuv2
  rgbd-perception teach scannet --weights W.pth --classes 40 --every 50 --ray auto --out scannet

teachers:
  alpha_clip  Alpha-CLIP ViT-L/14@336, as DVEFormer was taught; --weights names its file, which you download
              from the Alpha-CLIP project under its terms (research only)
  text        text embeddings of the class names; needs no image model

A view that is finished stays finished: start the same command again to go on. The files have the format of
nicr-scene-analysis-datasets; --out may be the data set itself."""

TRAIN = "train"
SHOWN_FAILURES = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("dataset", type=Path, help="folder of a labelled data set, or synthetic:SEED")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the embeddings go")
    parser.add_argument(
        "--teacher", choices=("alpha_clip", "text"), default="alpha_clip", help="default: %(default)s"
    )
    parser.add_argument("--weights", type=Path, metavar="FILE", help="of Alpha-CLIP's image tower")
    parser.add_argument(
        "--text-weights",
        default="openai",
        metavar="NAME|FILE",
        help="of CLIP's text tower for the class names, as open_clip takes them (default: %(default)s)",
    )
    parser.add_argument("--text-space", help="of the teacher text (default: that of rgbd_mini)")
    parser.add_argument("--split", action="append", metavar="NAME", help="only this one (may be repeated)")
    parser.add_argument("--layout", default="auto", help="of the data set (default: recognised)")
    parser.add_argument("--classes", type=int, default=0, metavar="N", help="length of the class list")
    parser.add_argument(
        "--every",
        type=int,
        default=1,
        metavar="N",
        help="each Nth frame, where split files exist or rooms are generated",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=0,
        metavar="N",
        help="processes (default: one for every GPU or core); more than one needs Ray",
    )
    parser.add_argument(
        "--ray", metavar="ADDRESS", help="work on this Ray cluster; auto: the one running on this machine"
    )
    add_json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Teach what is left. Raises UserError for bad input, and at the end where views could not be read."""
    if args.workers < 0:
        raise UserError(f"expected --workers of 1 or more, got {args.workers}")
    start = time.perf_counter()
    with text_output(args.json):
        opened = _open(args)
        spec = _spec(args, opened[0])
        stores = {views.info.split: _store(args, spec, views) for views in opened}
        reports = {views.info.split: _teach(args, spec, views, stores[views.info.split]) for views in opened}
        warning = _write_class_rows(args, spec, opened, reports, stores)
    result = {
        "out": args.out,
        "teacher": spec.name,
        "splits": {split: _plain(report) for split, report in reports.items()},
        "warnings": [warning] if warning else [],
        "seconds": round(time.perf_counter() - start, 3),
    }
    write_json(args.json, result)
    _raise_for_failures(reports)
    return 0


def _open(args: argparse.Namespace) -> list[LabelledViews]:
    from rgbd_perception.training.datasets.opening import AUTO, find_layout, find_splits

    layout = find_layout(args.dataset) if args.layout == AUTO else args.layout
    splits = args.split or find_splits(args.dataset, layout)
    return [_opener(args, split)() for split in splits]


def _opener(args: argparse.Namespace, split: str) -> partial[LabelledViews]:
    """Opens a split; can be sent to another process."""
    from rgbd_perception.training.datasets.opening import below, open_views
    from rgbd_perception.training.datasets.options import ViewOptions

    options = ViewOptions(classes=args.classes, every=args.every, need_depth=False)
    return partial(open_views, below(Path.cwd(), args.dataset), split, args.layout, options)


def _spec(args: argparse.Namespace, views: LabelledViews) -> TeacherSpec:
    if args.teacher == "alpha_clip":
        from rgbd_perception.training.teacher.alpha_clip import OFFICIAL_FILE, alpha_clip_spec

        if args.weights is None:
            raise UserError(
                f"--teacher alpha_clip needs --weights FILE: {OFFICIAL_FILE} of the Alpha-CLIP project; "
                "--teacher text needs none"
            )
        return alpha_clip_spec(args.weights.absolute())
    from rgbd_perception.text.registry import DEFAULT_TEXT_SPACE, create_text_encoder
    from rgbd_perception.training.teacher.text_teacher import text_spec

    if args.weights is not None:
        raise UserError("--weights is for --teacher alpha_clip; the teacher text takes --text-space")
    return text_spec(create_text_encoder(args.text_space or DEFAULT_TEXT_SPACE), views.info.classes)


def _store(args: argparse.Namespace, spec: TeacherSpec, views: LabelledViews) -> EmbeddingStore:
    from rgbd_perception.training.teacher.registry import register
    from rgbd_perception.training.teacher.storage import EmbeddingStore, spectrum

    register(args.out, spec, images=args.teacher == "alpha_clip")
    return EmbeddingStore(args.out, spec.name, spectrum(views.info))


def _teach(
    args: argparse.Namespace, spec: TeacherSpec, views: LabelledViews, store: EmbeddingStore
) -> Report:
    from rgbd_perception.training.teacher.course import Course, teach_split

    split = views.info.split
    course = Course(_opener(args, split), spec)
    report = teach_split(course, views, store, _workers(args), partial(_progress, split))
    print(
        f"{split}: {len(views)} views, {report.done} were finished, {report.taught} taught, "
        f"{len(report.failed)} failed"
    )
    return report


def _workers(args: argparse.Namespace) -> Workers:
    """Who works: this process alone, or Ray where more are wanted and it is there."""
    from rgbd_perception.training.teacher.course import teach_here
    from rgbd_perception.training.teacher.ray_workers import RayWorkers, load_ray

    gpus = 0
    if args.teacher == "alpha_clip":
        import torch

        gpus = torch.cuda.device_count()
    if args.ray is None:
        count = args.workers or gpus or _cores()
        if count == 1:
            return teach_here
        try:
            load_ray()
        except UserError as error:
            if args.workers:
                raise
            print(f"one process only: {error}", file=sys.stderr)
            return teach_here
    return RayWorkers(args.workers, args.ray, gpu=gpus > 0)


def _cores() -> int:
    """Those that this process may use."""
    import os

    return len(os.sched_getaffinity(0))


def _progress(split: str, outcomes: Iterable[Outcome], done: int, total: int) -> Iterable[Outcome]:
    from tqdm import tqdm

    yield from tqdm(
        outcomes,
        desc=f"teaching {split}",
        initial=done,
        total=total,
        unit="view",
        disable=None,
        file=sys.stderr,
    )


def _write_class_rows(
    args: argparse.Namespace,
    spec: TeacherSpec,
    opened: list[LabelledViews],
    reports: dict[str, Report],
    stores: dict[str, EmbeddingStore],
) -> str:
    """Texts and means of the classes from the training split; returns a warning where there are none."""
    from rgbd_perception.training.teacher.class_names import write_class_names
    from rgbd_perception.training.teacher.class_rows import (
        ClassRows,
        rows_file,
        save_class_rows,
        visual_means,
    )
    from rgbd_perception.training.teacher.text_teacher import class_text_rows

    views = next((views for views in opened if views.info.split == TRAIN), opened[0])
    split, store, classes = views.info.split, stores[views.info.split], views.info.classes
    try:
        encoder = _encoder(args)
    except UserError as error:
        warning = f"no embeddings of the class names, no visual means: {error}"
        print(f"warning: {warning}", file=sys.stderr)
        return warning
    write_class_names(store, encoder, classes)
    text = class_text_rows(encoder, classes)
    failed = reports[split].failed
    names = (views.name(index) for index in range(len(views)))
    means = visual_means(store, split, (name for name in names if name not in failed), text)
    save_class_rows(rows_file(store), ClassRows(classes, text, means))
    print(f"class names and visual means of {split} are in {rows_file(store)}")
    return ""


def _encoder(args: argparse.Namespace) -> Any:
    """The text encoder of the teacher's space."""
    from rgbd_perception.text.registry import DEFAULT_TEXT_SPACE, OPEN_CLIP_PREFIX, create_text_encoder

    if args.teacher == "text":
        return create_text_encoder(args.text_space or DEFAULT_TEXT_SPACE)
    from rgbd_perception.text.clip import load_open_clip
    from rgbd_perception.training.teacher.alpha_clip import TEXT_SPACE

    return load_open_clip(TEXT_SPACE.removeprefix(OPEN_CLIP_PREFIX), args.text_weights)


def _plain(report: Report) -> dict[str, Any]:
    return {"finished_before": report.done, "taught": report.taught, "failed": report.failed}


def _raise_for_failures(reports: dict[str, Report]) -> None:
    failed = {name: why for report in reports.values() for name, why in report.failed.items()}
    if not failed:
        return
    for name, why in list(failed.items())[:SHOWN_FAILURES]:
        print(f"{name}: {why}", file=sys.stderr)
    raise UserError(
        f"{len(failed)} views could not be taught, the first is {next(iter(failed))}: mend them and start "
        "the same command again, which takes only what is missing"
    )
