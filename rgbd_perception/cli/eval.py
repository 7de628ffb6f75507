"""``rgbd-perception eval``: score a map against the ground truth of a generated room."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rgbd_perception.cli.compiling import compiling_is_said
from rgbd_perception.cli.output import add_json_argument, text_output, write_json
from rgbd_perception.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rgbd_perception.frame import RgbdFrame
    from rgbd_perception.mapping import VoxelMap
    from rgbd_perception.mapping.evaluate import TruthDescription
    from rgbd_perception.sources.base import RecordedSource

NAME = "eval"
HELP = "score a map against ground truth"
EPILOG = """examples:
  rgbd-perception synth --seed 7 --out room && rgbd-perception map room --out room.rgbdmap
  rgbd-perception eval room.rgbdmap --truth room --json -

Labels are compared over the voxels that the pixels of the label images fall into (majority). An answer is
right when its centre lies in the box of a true object of the class grown by 10 cm, or both boxes overlap by
an IoU of more than 0.25. A false answer is any answer to a thing that is not there.
"""

TOP_K = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("map", type=Path, metavar="MAP", help="a map file")
    parser.add_argument(
        "--truth",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of `synth` that the map was made from",
    )
    add_json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print and write the scores."""
    with text_output(args.json), compiling_is_said():
        result = evaluate(args.map, args.truth)
        _print_result(result)
    write_json(args.json, result)
    return 0


def evaluate(map_path: Path, folder: Path) -> dict[str, Any]:
    """All scores of a map file against a folder with ground truth, as the JSON has them. Raises UserError."""
    from rgbd_perception.mapping import VoxelMap
    from rgbd_perception.mapping.evaluate import read_truth
    from rgbd_perception.sources import SourceOptions, open_source
    from rgbd_perception.sources.base import RecordedSource

    voxel_map = VoxelMap.load(map_path)
    truth = read_truth(folder / "objects.json", voxel_map.map_from_source)
    source = open_source(str(folder), SourceOptions(max_depth=voxel_map.config.max_depth))
    if not isinstance(source, RecordedSource):
        raise UserError(f"expected a folder with label images, got {folder}")
    return {
        "map": str(map_path),
        "truth": str(folder),
        **_labels(voxel_map, source, truth),
        **_queries(voxel_map, truth),
    }


def _labels(voxel_map: VoxelMap, source: RecordedSource, truth: TruthDescription) -> dict[str, Any]:
    from rgbd_perception.mapping.evaluate import score_labels
    from rgbd_perception.mapping.truth import truth_voxels

    size = voxel_map.config.voxel_size
    voxels = truth_voxels(_labelled_frames(source, voxel_map.map_from_source), size)
    names = voxel_map.vocabulary.names if voxel_map.vocabulary else ()
    score = score_labels(voxel_map.voxels(), size, names, voxels, truth.label_names)
    return asdict(score)


def _labelled_frames(
    source: RecordedSource, map_from_source: NDArray[np.float64]
) -> Iterator[tuple[RgbdFrame, NDArray[np.uint16]]]:
    """Frames with labels, in the map frame of the map (which may have been rotated by other options)."""
    from tqdm import tqdm

    from rgbd_perception.geometry import invert_rigid
    from rgbd_perception.sources import indexed_frames

    change = map_from_source @ invert_rigid(source.map_from_source)
    numbered = indexed_frames(source)
    bar = tqdm(
        numbered, total=len(source), desc="truth", unit="frame", delay=2, disable=None, file=sys.stderr
    )
    for index, frame in bar:
        labels = source.truth(index)
        if labels is not None and frame.pose is not None:
            yield frame.with_pose(change @ frame.pose), labels.label


def _queries(voxel_map: VoxelMap, truth: TruthDescription) -> dict[str, Any]:
    from rgbd_perception.mapping.evaluate import score_query
    from rgbd_perception.text import DEFAULT_TEXT_SPACE, create_text_encoder

    encoder = create_text_encoder(voxel_map.text_space or DEFAULT_TEXT_SPACE)
    scores = []
    if truth.queries:
        results = voxel_map.query([text for text, _ in truth.queries], encoder=encoder, top_k=TOP_K)
        scores = [
            score_query(result, name, truth.objects)
            for result, (_, name) in zip(results, truth.queries, strict=True)
        ]
    absent = voxel_map.query(truth.absent, encoder=encoder, top_k=1) if truth.absent else []
    return {
        "queries": [asdict(score) for score in scores],
        "top1": sum(score.right_at == 1 for score in scores),
        "top3": sum(0 < score.right_at <= TOP_K for score in scores),
        "absent": [
            {"text": result.text, "answered": bool(result.answers), "message": result.message}
            for result in absent
        ],
        "false_answers": sum(bool(result.answers) for result in absent),
    }


def _print_result(result: dict[str, Any]) -> None:
    for name, iou in result["iou"].items():
        if iou is not None:
            print(f"  IoU {name:<18} {iou:6.1%}")
    print(
        f"3D mIoU        {result['mean_iou']:.1%} over {result['truth_voxels']} voxels, "
        f"{result['missing_voxels']} not mapped"
    )
    for query in result["queries"]:
        rank = f"right at {query['right_at']}" if query["right_at"] else "not found"
        print(f"  {query['text']:<40} {query['name']:<16} {rank}")
    count = len(result["queries"])
    print(
        f"queries        first answer right {result['top1']} of {count}, "
        f"among three {result['top3']} of {count}"
    )
    for entry in result["absent"]:
        if entry["answered"]:
            print(f"  false answer: {entry['text']}")
    print(f"absent things  {result['false_answers']} of {len(result['absent'])} got an answer")
