"""``rgbd-perception demo``: the whole ROS graph on a recording, questions to its map, a picture."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rgbd_perception.cli.output import add_json_argument, add_model_argument, text_output, write_json
from rgbd_perception.errors import UserError
from rgbd_perception.ros.environment import require_usable_environment
from rgbd_perception.sources.options import SourceOptions, add_source_arguments, options_from_arguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from rgbd_perception.ros.demo import DemoPlan, DemoResult
    from rgbd_perception.sources.base import Source

NAME = "demo"
HELP = "the whole ROS graph: replay, perception, mapping, queries and a picture"
EPILOG = """examples:
  rgbd-perception demo                                   a generated apartment
  rgbd-perception demo --source synthetic:7 --processes  another one, every node a process of its own
  rgbd-perception demo --source FOLDER --out out/office  a recording (layouts: map --help)
  rgbd-perception demo --query "a red mug" "somewhere to sit"

OUT gets map.rgbdmap, demo.png and, unless --json says otherwise, demo.json.
"""

DEFAULT_SOURCE = "synthetic:1000001"
"""A living room and a bedroom whose seed was not trained on."""

MAP_NAME = "map.rgbdmap"
PICTURE_NAME = "demo.png"
JSON_NAME = "demo.json"
SYNTHETIC_FPS = 30.0
PREFETCH_BYTES = 500_000_000
"""Frames decoded before the play starts: their decoding must not compete with the network."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--source",
        default=DEFAULT_SOURCE,
        metavar="S",
        help="synthetic[:SEED], a folder or a bag (default %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("out/demo"),
        metavar="DIR",
        help="where map and picture go (default %(default)s)",
    )
    add_json_argument(parser)
    parser.add_argument(
        "--processes", action="store_true", help="one process for each node, instead of one container"
    )
    add_model_argument(parser)
    parser.add_argument(
        "--query", nargs="+", metavar="TEXT", help="texts to look for, instead of the usual ones"
    )
    parser.add_argument(
        "--frames", type=int, default=0, metavar="N", help="stop after N frames (default: all)"
    )
    parser.add_argument(
        "--fps",
        type=float,
        default=None,
        metavar="HZ",
        help=f"frames per second, 0: as recorded (default: synthetic {SYNTHETIC_FPS:g}, else as recorded)",
    )
    add_source_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run the demo; 0 when everything worked."""
    with text_output(args.json):
        result, source = _run(args)
        report = result.to_json(source.map_from_source.tolist())
        print_report(report)
        _warn_of_bad_ends(result)
    write_json(args.json or str(args.out / JSON_NAME), report)
    with text_output(args.json):
        _draw(args, result, source, report["queries"])
    return 0


def _run(args: argparse.Namespace) -> tuple[DemoResult, Source]:
    if args.frames < 0 or not 0 <= (args.fps or 0) < math.inf:
        raise UserError("expected --frames and --fps not to be negative, and finite")
    if not all(text.strip() for text in args.query or ()):
        raise UserError("expected texts with at least one letter behind --query")
    from rgbd_perception.sources.opening import open_source

    options = options_from_arguments(args)
    source = open_source(args.source, options)
    out = _make_folder(args.out)
    require_usable_environment()
    try:
        from rgbd_perception.ros.demo import run_demo
    except ImportError as error:
        raise UserError(
            f"the demo needs ROS 2 ({error}): run `make install`, or source the setup file of your ROS"
        ) from error
    total = min(args.frames or len(source), len(source))
    ahead = min(_frames_ahead(source), total)
    plan = _plan(args, options, ahead, out)
    with _progress({"reading ahead": ahead, "playing": total}) as show:
        result = run_demo(plan, say=lambda text: print(f"{text} ...", file=sys.stderr), show=show)
    _record_rotation(result.map_file, source)
    return result, source


def _record_rotation(map_file: Path, source: Source) -> None:
    """Write into the map file how the recording was turned: the graph saw only the turned poses."""
    import numpy as np

    from rgbd_perception.mapping import VoxelMap

    if not np.array_equal(source.map_from_source, np.eye(4)):
        saved = VoxelMap.load(map_file)
        saved.map_from_source = source.map_from_source
        saved.save(map_file)


def _plan(args: argparse.Namespace, options: SourceOptions, ahead: int, out: Path) -> DemoPlan:
    from rgbd_perception.ros.demo import DEFAULT_QUERIES, DemoPlan, Query

    return DemoPlan(
        replay=_replay_parameters(args, options, ahead),
        map_file=out / MAP_NAME,
        queries=tuple(Query(text) for text in args.query) if args.query else DEFAULT_QUERIES,
        model=args.model,
        processes=args.processes,
    )


def _replay_parameters(args: argparse.Namespace, options: SourceOptions, ahead: int) -> dict[str, Any]:
    synthetic = args.source.partition(":")[0] == "synthetic"
    fps = args.fps if args.fps is not None else (SYNTHETIC_FPS if synthetic else 0.0)
    return {
        "source": args.source if synthetic else str(Path(args.source).expanduser().resolve()),
        "fps": float(fps),
        "frames": args.frames,
        "prefetch": ahead,
        "intrinsics": list(options.intrinsics or ()),
        "max_depth": options.max_depth,
        "up": options.up,
        "recorded_rate": options.rate,
        "depth_encoding": options.depth_encoding,
        "color_topic": options.color_topic,
        "depth_topic": options.depth_topic,
        "camera_info_topic": options.camera_info_topic,
        "pose_topic": options.pose_topic,
        "tf_root": options.map_frame,
        "camera_in_child": list(options.camera_in_child or ()),
        "slop": options.slop,
        "max_pose_gap": options.max_pose_gap,
    }


def _frames_ahead(source: Source) -> int:
    """How many frames of 5 bytes a pixel (3 color, 2 depth) fit into PREFETCH_BYTES. Raises UserError."""
    height, width = next(iter(source)).shape
    return max(30, PREFETCH_BYTES // (5 * height * width))


def _make_folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {path}: {error.strerror}: choose another --out") from error
    return path.resolve()


@contextmanager
def _progress(totals: Mapping[str, int]) -> Iterator[Callable[[str, int], None]]:
    """A progress bar of frames for each stage, drawn one after the other."""
    from tqdm import tqdm

    bars: dict[str, Any] = {}

    def close() -> None:
        for bar in bars.values():
            bar.close()

    def show(stage: str, frames: int) -> None:
        if stage not in bars:
            close()
            bars[stage] = tqdm(total=totals[stage], unit="frame", desc=stage, disable=None, file=sys.stderr)
        bars[stage].update(min(frames, totals[stage]) - bars[stage].n)
        if frames >= totals[stage]:
            bars[stage].close()  # at once: what comes after must not count as time of this stage

    try:
        yield show
    finally:
        close()


def print_report(report: dict[str, Any]) -> None:
    """Print the books and a table of the ranked answers."""
    drops = ", ".join(f"{count} {reason}" for reason, count in sorted(report["drops"].items())) or "none"
    fps = "-" if report["fps"] is None else f"{report['fps']:.1f}"
    print(f"frames    {report['frames_in']} in, {report['frames_processed']} processed, dropped: {drops}")
    print(f"speed     {fps} processed frames per second")
    print(
        f"map       {report['voxels']} voxels, {report['map_bytes'] / 1e6:.1f} MB, "
        f"{report['bytes_per_voxel']:.0f} bytes a voxel"
    )
    print(f"\n{'text':<28} {'rank':>4}  {'label':<16} {'position [m]':<22} {'size [m]':<18} {'score':>5}")
    for query in report["queries"]:
        _print_query(query)


def _print_query(query: dict[str, Any]) -> None:
    text = query["text"]
    if query.get("negatives"):
        text += f" (not {', '.join(query['negatives'])})"
    if not query["answers"]:
        print(f"{text:<28}    -  {query['message']}")
    for rank, answer in enumerate(query["answers"], start=1):
        position = " ".join(f"{value:6.2f}" for value in answer["position"])
        size = " x ".join(f"{value:.2f}" for value in answer["size"])
        head = text if rank == 1 else ""
        print(
            f"{head:<28} {rank:>4}  {answer['label']:<16} {position:<22} {size:<18} {answer['score']:>5.2f}"
        )


def _warn_of_bad_ends(result: DemoResult) -> None:
    for name, status in result.exit_statuses.items():
        if status:
            print(f"warning: the process '{name}' did not end cleanly (status {status})", file=sys.stderr)


def _draw(
    args: argparse.Namespace, result: DemoResult, source: Source, queries: list[dict[str, Any]]
) -> None:
    from rgbd_perception.cli.picture import write_run_picture

    path = args.out / PICTURE_NAME
    write_run_picture(path, source, result.map_file, queries, args.model)
    print(f"\nwrote {result.map_file} and {path}")
