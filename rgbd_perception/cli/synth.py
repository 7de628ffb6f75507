"""``rgbd-perception synth``: rooms of the generator as folders with ground truth."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from rgbd_perception.cli.output import add_json_argument, text_output, write_json
from rgbd_perception.errors import UserError

NAME = "synth"
HELP = "write furnished rooms of the generator as folders with ground truth"
EPILOG = """examples:
  rgbd-perception synth --seed 7 --rooms 3 --out rooms                 one apartment of three rooms
  rgbd-perception synth --seed 100 --apartments 10 --out held_out      ten: held_out/seed-100 ... seed-109
  rgbd-perception synth --seed 1 --exact-depth --size 480x640 --out r  depth without the sensor's noise

The same seed and options give the same bytes. A folder holds camera-intrinsics.txt, and for every frame
frame-%06d.color.png, .depth.png (uint16 mm), .pose.txt (camera to world, z up), .label.png, .instance.png,
and objects.json: every object's class, box, description, and questions with and without an answer."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=0, help="of the first apartment (default %(default)s)")
    parser.add_argument(
        "--rooms", type=int, default=2, help="rooms in an apartment, 1 to 12 (default %(default)s)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--frames", type=int, default=300, help="of an apartment (default %(default)s)")
    parser.add_argument(
        "--size",
        type=_size,
        default=(240, 320),
        metavar="HxW",
        help="of the images in pixels (default 240x320)",
    )
    parser.add_argument(
        "--apartments", type=int, default=1, metavar="N", help="how many, with consecutive seeds (default 1)"
    )
    parser.add_argument("--exact-depth", action="store_true", help="without the noise and holes of a sensor")
    add_json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Write the apartments; 0 on success. Raises UserError for bad input."""
    if args.apartments < 1:
        raise UserError(f"expected --apartments of 1 or more, got {args.apartments}")
    start = time.perf_counter()
    folders = []
    with text_output(args.json):
        for seed in range(args.seed, args.seed + args.apartments):
            folder = args.out if args.apartments == 1 else args.out / f"seed-{seed}"
            folders.append(_write(args, seed, folder))
            print(f"{folder}: {folders[-1]['frames']} frames, {folders[-1]['objects']} objects")
    seconds = round(time.perf_counter() - start, 3)
    write_json(args.json, {"folders": folders, "seconds": seconds, "size": list(args.size)})
    return 0


def _write(args: argparse.Namespace, seed: int, folder: Path) -> dict[str, Any]:
    from rgbd_perception.sources.synthetic import SyntheticSource, write_folder

    source = SyntheticSource(
        seed, frames=args.frames, size=args.size, rooms=args.rooms, exact_depth=args.exact_depth
    )
    content = write_folder(source, folder)
    return {
        "path": str(folder),
        "seed": seed,
        "rooms": [room.kind for room in source.apartment.rooms],
        "frames": len(source),
        "objects": len(content["objects"]),
        "queries": [query["text"] for query in content["queries"]],
        "absent": content["absent"],
    }


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal()):
        raise argparse.ArgumentTypeError(f"expected HxW such as 240x320, got '{text}'")
    return int(height), int(width)
