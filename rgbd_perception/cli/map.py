"""``rgbd-perception map``: a recording or a generated room to a map file, every frame, without ROS."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rgbd_perception.cli.output import (
    add_json_argument,
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
    from rgbd_perception.mapping import VoxelMap
    from rgbd_perception.sources import Source

    Predict = Callable[[int, RgbdFrame], Prediction]

NAME = "map"
HELP = "build a map from a folder, a bag or a generated room, without ROS"
EPILOG = """examples:
  rgbd-perception map FOLDER --out room.rgbdmap
  rgbd-perception map synthetic:3 --out room.rgbdmap --frames 100
  rgbd-perception map FOLDER --out room.rgbdmap --labels "chair,table,cup"
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
    parser.add_argument(
        "--model", default="rgbd_mini", help="network: a name or a weights file (default %(default)s)"
    )
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
    parser.add_argument("--no-carve", action="store_true", help="keep voxels that later frames see through")
    add_json_argument(parser)
    add_source_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Build and save the map; 0 when at least one frame is in it."""
    with text_output(args.json):
        report = _build(args)
        _print_report(report, args.out)
    write_json(args.json, report)
    return 0


def _build(args: argparse.Namespace) -> dict[str, Any]:
    if args.frames < 0:
        raise UserError(f"expected --frames not to be negative, got {args.frames}")
    if not args.out.parent.is_dir():
        raise UserError(f"expected --out in a folder that exists, there is no {args.out.parent}")
    from rgbd_perception.bookkeeping import FrameLedger, StepTimer
    from rgbd_perception.mapping import MapConfig, VoxelMap, warm_up
    from rgbd_perception.sources import open_source

    source = open_source(args.source, options_from_arguments(args))
    config = MapConfig(voxel_size=args.voxel_size, max_depth=args.max_depth, carve=not args.no_carve)
    voxel_map = VoxelMap(config, map_from_source=source.map_from_source)
    predict = _make_predictor(args, source, voxel_map)
    warm_up()
    ledger, timer = FrameLedger(), StepTimer()
    seconds = _play(source, args.frames, predict, voxel_map, ledger, timer)
    counts = ledger.counts()
    if not counts.frames_processed:
        reasons = ", ".join(f"{reason} {count}" for reason, count in counts.drops.items())
        raise UserError(f"no frame of {args.source} could be put into a map: {reasons}")
    file_bytes = voxel_map.save(args.out)
    return {
        **asdict(counts),
        "fps": round(counts.frames_processed / seconds, 2),
        "latency_ms": timer.percentiles(),
        "voxels": len(voxel_map),
        "bytes_per_voxel": round(voxel_map.nbytes / max(len(voxel_map), 1), 1),
        "map_bytes": voxel_map.nbytes,
        "file_bytes": file_bytes,
        "queries": [],
        "map_from_source": source.map_from_source,
        "map": str(args.out),
    }


def _play(
    source: Source, most: int, predict: Predict, voxel_map: VoxelMap, ledger: FrameLedger, timer: StepTimer
) -> float:
    """Put the frames of the source into the map; return the seconds it took, reading included."""
    from tqdm import tqdm

    total = min(len(source), most or len(source))
    start = time.perf_counter()
    bar = tqdm(total=total, desc="mapping", unit="frame", delay=2, disable=None, file=sys.stderr)
    for index, frame in _numbered(source):
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
            continue
        for step, milliseconds in report.step_ms.items():
            timer.add(f"map/{step}", milliseconds)
        ledger.processed()
    bar.close()
    for reason, count in source.skipped.items():  # frames that the source could not even read
        ledger.enter(count)
        ledger.drop(reason, count)
    return time.perf_counter() - start


def _numbered(source: Source) -> Iterator[tuple[int, RgbdFrame]]:
    """Frames with the index that ``source.truth`` takes: recordings skip frames that cannot be read."""
    from rgbd_perception.sources import indexed_frames
    from rgbd_perception.sources.base import RecordedSource

    return indexed_frames(source) if isinstance(source, RecordedSource) else enumerate(source)


def _make_predictor(args: argparse.Namespace, source: Source, voxel_map: VoxelMap) -> Predict:
    """What predicts the labels of a frame; the map is told the vocabulary."""
    if args.labels == TRUTH:
        return _truth_predictor(args, source, voxel_map)
    from rgbd_perception.inference import Predictor

    labels = [name.strip() for name in args.labels.split(",") if name.strip()] if args.labels else None
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
