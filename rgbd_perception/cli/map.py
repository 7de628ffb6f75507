"""``rgbd-perception map``: a recording or a generated room to a map file, every frame, without ROS."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rgbd_perception.cli.compiling import compiling_is_said
from rgbd_perception.cli.output import (
    add_json_argument,
    add_model_argument,
    add_untrained_argument,
    text_output,
    warn_untrained,
    write_json,
)
from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.sources.options import add_source_arguments, options_from_arguments

if TYPE_CHECKING:
    from rgbd_perception.bookkeeping import FrameLedger, StepTimer
    from rgbd_perception.frame import Prediction, RgbdFrame
    from rgbd_perception.mapping import MapConfig, VoxelMap
    from rgbd_perception.sources import Source, SourceOptions

    Predict = Callable[[int, RgbdFrame], Prediction]

NAME = "map"
HELP = "build a map from a folder, a bag or a generated room, without ROS"
EPILOG = """examples:
  rgbd-perception map FOLDER --out room.rgbdmap
  rgbd-perception map synthetic:3 --out room.rgbdmap --frames 100
  rgbd-perception map FOLDER --out room.rgbdmap --labels "chair,table,cup"
  rgbd-perception map BAG --out long.rgbdmap --autosave 60 --resume        go on after a crash or a power cut
  rgbd-perception map SYNTH_FOLDER --out truth.rgbdmap --labels truth      from the folder's label images

SOURCE is synthetic[:SEED], a folder (7-Scenes / tsdf-fusion, TUM RGB-D, deep-video-mvs) or a rosbag2 file.
"""

TRUTH = "truth"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("source", metavar="SOURCE", help="synthetic[:SEED], a folder or a bag")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="MAP", help="the map file, usually .rgbdmap"
    )
    add_model_argument(parser)
    add_untrained_argument(parser)
    parser.add_argument(
        "--labels",
        metavar="truth|A,B,...",
        help="class names by text instead of the model's own; truth: the source's label images, no network",
    )
    parser.add_argument(
        "--voxel-size",
        type=float,
        default=0.05,
        metavar="M",
        help="edge of a voxel in metres (default %(default)s)",
    )
    parser.add_argument(
        "--frames", type=int, default=0, metavar="N", help="stop after N frames (default: all)"
    )
    parser.add_argument(
        "--autosave",
        type=float,
        default=0.0,
        metavar="S",
        help="save every S seconds, so that a crash loses at most so much (default: at the end only)",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with MAP where it ends, if it is there, by the same options",
    )
    parser.add_argument("--no-carve", action="store_true", help="keep voxels that later frames see through")
    add_json_argument(parser)
    add_source_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Build and save the map; 0 when at least one frame is in it."""
    with text_output(args.json), compiling_is_said():
        report = _build(args)
        _print_report(report, args.out)
    write_json(args.json, report)
    return 0


def _build(args: argparse.Namespace) -> dict[str, Any]:
    if args.frames < 0:
        raise UserError(f"expected --frames not to be negative, got {args.frames}")
    if not args.autosave >= 0:
        raise UserError(f"expected --autosave not to be negative, got {args.autosave:g}")
    if not args.out.parent.is_dir():
        raise UserError(f"expected --out in a folder that exists, there is no {args.out.parent}")
    if args.out.is_dir():
        raise UserError(f"expected --out as a file, {args.out} is a folder")
    if not os.access(args.out.parent, os.W_OK):
        raise UserError(f"cannot write {args.out}: no permission to write in {args.out.parent.absolute()}")
    from rgbd_perception.bookkeeping import StepTimer
    from rgbd_perception.mapping import MapConfig, warm_up
    from rgbd_perception.mapping.autosave import Autosave
    from rgbd_perception.mapping.progress import note_progress
    from rgbd_perception.sources import open_source

    options = options_from_arguments(args)
    source = open_source(args.source, options)
    setup = _setup(args, options)
    config = MapConfig(voxel_size=args.voxel_size, max_depth=args.max_depth, carve=not args.no_carve)
    voxel_map, ledger, first = _start(args, config, source, setup)
    predict = _make_predictor(args, source, voxel_map)
    warm_up()
    timer, before = StepTimer(), ledger.counts().frames_processed
    autosave = Autosave(voxel_map, args.out, args.autosave, lambda text: print(text, file=sys.stderr))

    def handled(index: int, drops: dict[str, int]) -> None:
        note_progress(voxel_map, setup, index + 1, drops)
        autosave.between_frames()

    try:
        seconds = _play(
            source, range(first, args.frames or len(source)), predict, voxel_map, ledger, timer, handled
        )
    except KeyboardInterrupt:
        print(_interrupted(args, ledger.counts().frames_processed), file=sys.stderr)
        raise
    finally:
        autosave.wait()
    counts = ledger.counts()
    if not counts.frames_processed:
        reasons = ", ".join(f"{reason} {count}" for reason, count in counts.drops.items())
        raise UserError(f"no frame of {args.source} could be put into a map: {reasons}")
    file_bytes = voxel_map.save(args.out)
    return {
        **asdict(counts),
        "frames_resumed": first,
        "fps": round((counts.frames_processed - before) / seconds, 2),
        "latency_ms": timer.percentiles(),
        "voxels": len(voxel_map),
        "bytes_per_voxel": round(voxel_map.nbytes / max(len(voxel_map), 1), 1),
        "map_bytes": voxel_map.nbytes,
        "file_bytes": file_bytes,
        "queries": [],
        "map_from_source": source.map_from_source,
        "map": str(args.out),
    }


def _interrupted(args: argparse.Namespace, frames: int) -> str:
    """What became of the frames that were mapped until Ctrl-C."""
    if args.autosave:
        return (
            f"{frames} frames were mapped; what the last autosave wrote is in {args.out}: go on with --resume"
        )
    return f"{frames} frames were mapped and not saved: --autosave S keeps them, --resume goes on"


def _setup(args: argparse.Namespace, options: SourceOptions) -> dict[str, Any]:
    """What must be the same for a map to be resumed, as JSON has it."""
    chosen = {name: getattr(args, name) for name in ("source", "model", "labels", "voxel_size", "no_carve")}
    setup: dict[str, Any] = json.loads(json.dumps({**asdict(options), **chosen}))
    return setup


def _start(
    args: argparse.Namespace, config: MapConfig, source: Source, setup: dict[str, Any]
) -> tuple[VoxelMap, FrameLedger, int]:
    """An empty map, or the one to go on with; its books; the index of the first frame to be played."""
    from rgbd_perception.bookkeeping import FrameLedger
    from rgbd_perception.mapping import VoxelMap
    from rgbd_perception.mapping.progress import read_progress

    ledger = FrameLedger()
    if not (args.resume and args.out.is_file()):
        return VoxelMap(config, map_from_source=source.map_from_source), ledger, 0
    voxel_map = VoxelMap.load(args.out, config)
    first, drops = read_progress(voxel_map, setup, args.out)
    ledger.enter(first)
    for reason, count in drops.items():
        ledger.drop(reason, count)
    ledger.processed(first - sum(drops.values()))
    print(f"going on with {args.out} at frame {first} of {len(source)}")
    return voxel_map, ledger, first


def _play(
    source: Source,
    wanted: range,
    predict: Predict,
    voxel_map: VoxelMap,
    ledger: FrameLedger,
    timer: StepTimer,
    handled: Callable[[int, dict[str, int]], object],
) -> float:
    """Put the ``wanted`` frames of the source into the map; return the seconds it took, reading included.

    handled  told after each frame of its index and of all drops until then
    """
    from tqdm import tqdm

    start = time.perf_counter()
    total = min(len(source), wanted.stop)
    bar = tqdm(
        total=total,
        initial=wanted.start,
        desc="mapping",
        unit="frame",
        delay=2,
        disable=None,
        file=sys.stderr,
    )
    for index, frame in _numbered(source, wanted.start):
        if index >= total:
            break
        bar.update(index + 1 - bar.n)
        ledger.enter()
        try:
            with timer.measure("predict"):
                prediction = predict(index, frame)
            with timer.measure("map"):
                report = voxel_map.integrate(frame, prediction)
        except FrameDropped as dropped:
            ledger.drop(dropped.reason)
        else:
            for step, milliseconds in report.step_ms.items():
                timer.add(f"map/{step}", milliseconds)
            ledger.processed()
        handled(index, dict(Counter(ledger.counts().drops) + source.skipped))
    bar.close()
    for reason, count in source.skipped.items():  # frames that the source could not even read
        ledger.enter(count)
        ledger.drop(reason, count)
    return time.perf_counter() - start


def _numbered(source: Source, first: int) -> Iterator[tuple[int, RgbdFrame]]:
    """Frames from ``first`` on with the index that ``source.truth`` takes: recordings skip what cannot be
    read."""
    from rgbd_perception.sources import indexed_frames
    from rgbd_perception.sources.base import RecordedSource

    if isinstance(source, RecordedSource):
        return indexed_frames(source, first)
    return islice(enumerate(source), first, None)


def _make_predictor(args: argparse.Namespace, source: Source, voxel_map: VoxelMap) -> Predict:
    """What predicts the labels of a frame; the map is told the vocabulary."""
    if args.labels == TRUTH:
        return _truth_predictor(args, source, voxel_map)
    from rgbd_perception.inference import Predictor

    labels = None if args.labels is None else [name.strip() for name in args.labels.split(",")]
    predictor = Predictor(args.model, labels=labels, untrained=args.untrained)
    warn_untrained(predictor.model_id)
    voxel_map.set_vocabulary(predictor.vocabulary, predictor.class_embeddings)
    return lambda index, frame: predictor(frame, masks=False)


def _truth_predictor(args: argparse.Namespace, source: Source, voxel_map: VoxelMap) -> Predict:
    from rgbd_perception.mapping.truth import grid_stride, prediction_from_labels
    from rgbd_perception.vocabulary import Vocabulary

    vocabulary = Vocabulary(_truth_names(args.source))
    voxel_map.set_vocabulary(vocabulary)

    def predict(index: int, frame: RgbdFrame) -> Prediction:
        truth = source.truth(index)
        if truth is None:
            raise FrameDropped("truth_missing", f"frame {index} has no label image")
        return prediction_from_labels(truth.label, grid_stride(frame.shape), vocabulary)

    return predict


def _truth_names(spec: str) -> tuple[str, ...]:
    """Class names of a folder with ground truth, or of the generator."""
    if spec.partition(":")[0] == "synthetic":
        from rgbd_perception.sources.synthetic.concepts import CLASS_NAMES

        return tuple(CLASS_NAMES)
    import numpy as np

    from rgbd_perception.mapping.evaluate import read_truth

    return read_truth(Path(spec) / "objects.json", np.eye(4)).label_names


def _print_report(report: dict[str, Any], path: Path) -> None:
    drops = ", ".join(f"{count} {reason}" for reason, count in sorted(report["drops"].items())) or "none"
    print(f"frames  {report['frames_in']} in, {report['frames_processed']} mapped, dropped: {drops}")
    print(f"speed   {report['fps']:.1f} frames per second, reading included")
    print(
        f"map     {report['voxels']} voxels, {report['map_bytes'] / 1e6:.1f} MB in memory "
        f"({report['bytes_per_voxel']:.0f} bytes a voxel)"
    )
    print(f"wrote   {path} ({report['file_bytes'] / 1e6:.1f} MB)")
