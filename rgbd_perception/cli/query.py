"""``rgbd-perception query``: ask a saved map where the things are that texts describe."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rgbd_perception.cli.output import add_json_argument, text_output, write_json

if TYPE_CHECKING:
    from rgbd_perception.mapping import QueryResult

NAME = "query"
HELP = "ask a saved map where the things are that texts describe"
EPILOG = """examples:
  rgbd-perception query room.rgbdmap "a place to sit" "a red mug"
  rgbd-perception query room.rgbdmap "something to sit on" --not sofa --top-k 3
  rgbd-perception query room.rgbdmap chair --json -

Positions are centres of upright boxes in the map frame (metres, z up); sizes along the box's own axes.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("map", type=Path, metavar="MAP", help="a map file")
    parser.add_argument(
        "texts", nargs="+", metavar="TEXT", help="what to look for; each is a query of its own"
    )
    parser.add_argument(
        "--not",
        dest="negatives",
        action="append",
        default=[],
        metavar="TEXT",
        help="what is not meant, by any of the texts; may be given more than once",
    )
    parser.add_argument(
        "--top-k", type=int, default=5, metavar="K", help="most answers to a text (default %(default)s)"
    )
    parser.add_argument(
        "--threshold", type=float, metavar="S", help="least score of an answer, 0..1 (default: calibrated)"
    )
    add_json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print the answers; 0 also where nothing is found."""
    from rgbd_perception.mapping import VoxelMap
    from rgbd_perception.text import DEFAULT_TEXT_SPACE, create_text_encoder

    with text_output(args.json):
        voxel_map = VoxelMap.load(args.map)
        encoder = create_text_encoder(voxel_map.text_space or DEFAULT_TEXT_SPACE)
        results = voxel_map.query(
            args.texts, args.negatives, encoder=encoder, top_k=args.top_k, threshold=args.threshold
        )
        for result in results:
            _print_result(result)
    write_json(
        args.json,
        {
            "queries": [result_to_json(result) for result in results],
            "map_from_source": voxel_map.map_from_source,
        },
    )
    return 0


def result_to_json(result: QueryResult) -> dict[str, Any]:
    """The answers to one text as the JSON outputs have them."""
    answers = [
        {key: value for key, value in asdict(answer).items() if key != "last_seen_ns"}
        for answer in result.answers
    ]
    return {"text": result.text, "message": result.message, "answers": answers}


def _print_result(result: QueryResult) -> None:
    print(f"{result.text}: {result.message or ''}".rstrip(": "))
    for rank, answer in enumerate(result.answers, start=1):
        position = " ".join(f"{value:7.2f}" for value in answer.position)
        size = " x ".join(f"{value:.2f}" for value in answer.size)
        print(
            f"  {rank}  score {answer.score:.2f}  at {position}  size {size}  yaw {answer.yaw:5.2f}  "
            f"{answer.voxels} voxels  {answer.label}"
        )
