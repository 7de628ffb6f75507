"""``rgbd-perception query``: ask a saved map where things are that texts describe, or what is at a point."""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rgbd_perception.cli.compiling import compiling_is_said
from rgbd_perception.cli.output import add_json_argument, text_output, write_json
from rgbd_perception.errors import UserError

if TYPE_CHECKING:
    from rgbd_perception.mapping import Answer, PointAnswer, QueryResult, VoxelMap
    from rgbd_perception.text import TextEncoder

NAME = "query"
HELP = "ask a saved map where things are, or what is at a point"
EPILOG = """examples:
  rgbd-perception query room.rgbdmap "a place to sit" "a red mug"
  rgbd-perception query room.rgbdmap "something to sit on" --not sofa --top-k 3
  rgbd-perception query room.rgbdmap "the mug on the table" "a chair next to the bed near the window"
  rgbd-perception query room.rgbdmap '"portrait on the wall"'     in double quotes: not taken apart
  rgbd-perception query room.rgbdmap --at 1.2 0.4 0.8 "a mug"     what is there, and is it a mug?
  rgbd-perception query room.rgbdmap chair --json -

Relations are next to, on, under, above, in, near (docs/queries.md: words and limits). A score is the
probability that the answer is right. Positions are centres of upright boxes in the map frame (metres, z up);
sizes along the box's own axes.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.usage = (
        "%(prog)s [-h] MAP TEXT [TEXT ...] [--not TEXT] [--top-k K] [--threshold S] [--json FILE]\n"
        "       %(prog)s [-h] MAP --at X Y Z [TEXT ...] [--radius M] [--json FILE]"
    )
    parser.add_argument("map", type=Path, metavar="MAP", help="a map file")
    texts = parser.add_argument(
        "texts", nargs="+", default=[], metavar="TEXT", help="what to look for; each is a query of its own"
    )

    class PointInstead(argparse.Action):
        """A point needs no text. With nargs="*" the texts could not stand after an option."""

        def __call__(
            self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, *_: Any
        ) -> None:
            setattr(namespace, self.dest, values)
            texts.required = False

    parser.add_argument(
        "--at",
        nargs=3,
        type=float,
        metavar=("X", "Y", "Z"),
        action=PointInstead,
        help="say what is at this point of the map frame",
    )
    parser.add_argument(
        "--radius", type=float, metavar="M", help="how far around the point of --at (default: two voxels)"
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
    if args.radius is not None and args.at is None:
        raise UserError("--radius belongs to --at X Y Z")
    if args.at is not None and (args.negatives or args.threshold is not None):
        raise UserError("--at scores each TEXT at one point: leave out --not and --threshold")
    if args.top_k < 1:
        raise UserError(f"expected --top-k of 1 or more, got {args.top_k}")
    if args.threshold is not None and not 0 <= args.threshold <= 1:
        raise UserError(f"expected --threshold as a probability from 0 to 1, got {args.threshold:g}")
    from rgbd_perception.mapping import VoxelMap

    with text_output(args.json), compiling_is_said():
        voxel_map = VoxelMap.load(args.map)
        content = _point(voxel_map, args) if args.at is not None else _places(voxel_map, args)
    write_json(args.json, {**content, "map_from_source": voxel_map.map_from_source})
    return 0


def _places(voxel_map: VoxelMap, args: argparse.Namespace) -> dict[str, Any]:
    """Where things are."""
    results = voxel_map.query(
        args.texts, args.negatives, encoder=_encoder(voxel_map), top_k=args.top_k, threshold=args.threshold
    )
    for result in results:
        _print_result(result)
    return {"queries": [result_to_json(result) for result in results]}


def _point(voxel_map: VoxelMap, args: argparse.Namespace) -> dict[str, Any]:
    """What is at a point."""
    encoder = _encoder(voxel_map) if args.texts else None
    answer = voxel_map.at(args.at, radius=args.radius, texts=args.texts, encoder=encoder)
    _print_point(answer)
    content = {key: value for key, value in asdict(answer).items() if key != "last_seen_ns"}
    content["classes"] = [{"label": name, "probability": share} for name, share in answer.classes]
    content["texts"] = [{"text": text, "score": score} for text, score in answer.texts]
    if math.isinf(answer.nearest_distance):
        content["nearest_distance"] = None
    return {"at": content}


def _encoder(voxel_map: VoxelMap) -> TextEncoder:
    from rgbd_perception.text import DEFAULT_TEXT_SPACE, create_text_encoder

    return create_text_encoder(voxel_map.text_space or DEFAULT_TEXT_SPACE)


def result_to_json(result: QueryResult) -> dict[str, Any]:
    """The answers to one text as the JSON outputs have them."""
    answers = [_answer_to_json(answer) for answer in result.answers]
    return {"text": result.text, "message": result.message, "note": result.note, "answers": answers}


def _answer_to_json(answer: Answer) -> dict[str, Any]:
    """One answer; ``relation`` and ``anchor`` only where it has them."""
    left_out = {"last_seen_ns", "relation", "anchor"}
    content = {key: value for key, value in asdict(answer).items() if key not in left_out}
    if answer.anchor is not None:
        content.update(relation=answer.relation, anchor=_answer_to_json(answer.anchor))
    return content


def _print_result(result: QueryResult) -> None:
    print(f"{result.text}: {result.message or ''}".rstrip(": "))
    if result.note:
        print(f"  ({result.note})")
    for rank, answer in enumerate(result.answers, start=1):
        position = " ".join(f"{value:7.2f}" for value in answer.position)
        size = " x ".join(f"{value:.2f}" for value in answer.size)
        print(
            f"  {rank}  score {answer.score:.2f}  at {position}  size {size}  yaw {answer.yaw:5.2f}  "
            f"{answer.voxels} voxels  {answer.label}{_placed_by(answer)}"
        )


def _placed_by(answer: Answer) -> str:
    """What an answer was placed by, as in "on table at 1.20 0.40 0.40", and that one's anchor."""
    if answer.anchor is None:
        return ""
    anchor = answer.anchor
    position = " ".join(f"{value:.2f}" for value in anchor.position)
    return f"  {answer.relation} {anchor.label or 'thing'} at {position}{_placed_by(anchor)}"


def _print_point(answer: PointAnswer) -> None:
    place = " ".join(f"{value:.2f}" for value in answer.position)
    if answer.message:
        print(f"at {place}: {answer.message}")
        return
    print(
        f"at {place}: {answer.label or 'no class'}, {answer.voxels} voxels within {answer.radius:.2f} m, "
        f"color {answer.color}, last seen {answer.last_seen_ns / 1e9:.1f} s"
    )
    for name, probability in answer.classes:
        print(f"  {probability:6.1%}  {name}")
    for text, score in answer.texts:
        print(f"  score {score:.2f}  {text}")
