"""``rgbd-perception engine``: TensorRT engines, built, described and compared with fp32."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rgbd_perception.cli.output import (
    add_json_argument,
    add_untrained_argument,
    text_output,
    with_examples,
    write_json,
)
from rgbd_perception.errors import FrameDropped, UserError

if TYPE_CHECKING:
    from rgbd_perception.frame import RgbdFrame
    from rgbd_perception.inference import Predictor
    from rgbd_perception.inference.cuda_driver import Gpu
    from rgbd_perception.inference.engine_build import OnProgress
    from rgbd_perception.inference.engine_cache import CachedEngine, EngineHeader
    from rgbd_perception.inference.engines import GraphFile
    from rgbd_perception.inference.tensorrt_api import TensorRt
    from rgbd_perception.sources import Source

NAME = "engine"
HELP = "TensorRT engines: build, describe, compare with fp32"
EPILOG = """examples:
  rgbd-perception engine build rgbd_mini                                  for the GPU of this machine
  rgbd-perception engine build rgbd_mini --precision fp32 --size 480x640
  rgbd-perception engine build rgbd_mini --ahead-of-time sm86,sm89 --out rgbd_mini.engine
  rgbd-perception engine info rgbd_mini                                   the engines kept here
  rgbd-perception engine info rgbd_mini.engine --json -
  rgbd-perception engine verify rgbd_mini --frames FOLDER_OR_BAG

Ahead of time takes TensorRT for RTX and no GPU. On a Jetson build on the device itself. What was tried, and
on what: docs/tensorrt.md.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the three actions and their options."""
    actions = parser.add_subparsers(dest="action", metavar="build|info|verify", required=True)
    build = actions.add_parser(
        "build", help="an engine for this machine or, ahead of time, for another", **with_examples(EPILOG)
    )
    _add_model_arguments(build)
    build.add_argument(
        "--ahead-of-time",
        metavar="SM",
        type=lambda text: tuple(name.strip().lower() for name in text.split(",") if name.strip()),
        default=(),
        help="for these GPUs instead of the one here: sm75, sm80, sm86, sm89, sm120, sm121",
    )
    build.add_argument(
        "--out", metavar="FILE", type=Path, help="where to write it (default: where the node looks for it)"
    )
    info = actions.add_parser(
        "info",
        help="what an engine is for, or which engines of a model are kept here",
        **with_examples(EPILOG),
    )
    info.add_argument("name", metavar="FILE|MODEL", help="an engine file, or the name of a model")
    add_json_argument(info)
    verify = actions.add_parser(
        "verify", help="an engine against the network in fp32, on your frames", **with_examples(EPILOG)
    )
    _add_model_arguments(verify)
    verify.add_argument(
        "--frames", metavar="SOURCE", required=True, help="as `map` takes it: folder, bag, ..."
    )
    verify.add_argument(
        "--count", metavar="N", type=int, default=50, help="frames, evenly spread (default %(default)s)"
    )
    verify.add_argument("--labels", metavar="A,B,C", help="class names (default: the network's own)")
    verify.add_argument(
        "--graph-only",
        action="store_true",
        help="compare the graph in ONNX Runtime: takes no GPU, proves less",
    )


def _add_model_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a name, a weights file or an ONNX file of `export`")
    parser.add_argument("--precision", choices=("fp32", "fp16"), default="fp16", help="(default %(default)s)")
    parser.add_argument(
        "--size", metavar="HxW", type=_size, help="of the images (default: what the network was made for)"
    )
    add_untrained_argument(parser)
    add_json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Build, describe or compare."""
    action = {"build": _build, "info": _info, "verify": _verify}[args.action]
    with text_output(args.json):
        result, status = action(args)
    write_json(args.json, result)
    return status


# build


def _build(args: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from rgbd_perception.inference.engine_build import check_targets
    from rgbd_perception.inference.engines import GraphOptions, graph_file
    from rgbd_perception.inference.tensorrt_api import find_tensorrt

    targets: tuple[str, ...] = args.ahead_of_time
    if targets and args.out is None:
        raise UserError("expected --out FILE with --ahead-of-time: the engine is not for this machine")
    # All that may be missing is asked for before the export, which takes its time.
    api = find_tensorrt(without_gpu=bool(targets))
    check_targets(api, targets)
    device = targets or _gpu("; --ahead-of-time builds for the GPU of another machine")
    with graph_file(args.model, GraphOptions(args.precision, args.size), args.untrained) as graph:
        engine, path = _make(args.out, api, graph, device)
    print(f"{api}: {path}" + (f" ({engine.reason})" if engine.reason else " was there already"))
    _print_header(engine.header)
    return {"file": path, "reason": engine.reason, **_describe(engine.header)}, 0


def _make(
    out: Path | None, api: TensorRt, graph: GraphFile, device: Gpu | tuple[str, ...]
) -> tuple[CachedEngine, Path]:
    """The engine and its file: ``out``, or where it is kept for this machine."""
    from rgbd_perception.inference.engine_build import build_engine
    from rgbd_perception.inference.engine_cache import CachedEngine, EngineCache, make_header, write_engine
    from rgbd_perception.inference.engines import engine_for, engine_key

    key, cache = engine_key(api, graph, device), EngineCache()
    targets = device if isinstance(device, tuple) else ()
    with _bar(cache.expected_seconds(key)) as on_progress:
        if out is None:
            assert not isinstance(device, tuple)  # a target needs --out
            return engine_for(api, graph, device, cache, on_progress), cache.path(key)
        built = build_engine(api, graph.path, targets, on_progress)
    header = make_header(key, built, graph.metadata)
    write_engine(out, built.data, header)
    return CachedEngine(built.data, header, "built as asked for"), out


def _gpu(advice: str) -> Gpu:
    """The GPU of this machine. Raises UserError, with ``advice``, where there is none."""
    from rgbd_perception.inference.cuda_driver import CudaError, Gpu

    try:
        return Gpu()
    except (UserError, CudaError) as error:
        raise UserError(f"{error}{advice}") from error


@contextlib.contextmanager
def _bar(expected_seconds: float | None) -> Iterator[OnProgress]:
    """A progress bar in per cent; beside it what the last such build took."""
    from tqdm import tqdm

    last = f", last time {expected_seconds:.0f} s" if expected_seconds else ""
    with tqdm(total=100, desc=f"building{last}", unit="%", delay=2, disable=None, file=sys.stderr) as bar:

        def show(share: float, phase: str) -> None:
            bar.set_postfix_str(phase, refresh=False)
            bar.update(int(100 * share) - bar.n)

        yield show


# info


def _info(args: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from rgbd_perception.inference.engine_cache import EngineCache, read_file
    from rgbd_perception.models import list_models, unknown_model

    path = Path(args.name)
    if not path.is_file():
        kept = list(EngineCache().engines(args.name))
        if not kept and path.suffix:
            raise UserError(f"expected an engine file or the name of a model, {path} does not exist")
        if not kept and args.name not in list_models():
            raise unknown_model(args.name, " or an engine file")
        for file, header in kept:
            print(file)
            _print_header(header)
        if not kept:
            print(f"no engine of {args.name} is kept here")
        return {"engines": [{"file": file, **_describe(header)} for file, header in kept]}, 0
    header = read_file(path).header
    _print_header(header)
    return {"file": path, **_describe(header)}, 0


def _describe(header: EngineHeader) -> dict[str, Any]:
    values = dataclasses.asdict(header)
    del values["metadata"]
    return {**values.pop("key"), **values}


def _print_header(header: EngineHeader) -> None:
    key = header.key
    device = f"{key.gpu}, compute capability {key.compute_capability}" if key.compute_capability else key.gpu
    print(f"  model      {key.model} ({key.model_hash}), {key.precision}, images of {key.size}")
    print(f"  device     {device}")
    print(f"  library    {key.tensorrt} {key.version}")
    print(f"  built      {header.built}, in {header.build_seconds:.1f} s, {header.size_bytes / 1e6:.1f} MB")


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal()):
        raise argparse.ArgumentTypeError(f"expected HxW such as 240x320, got '{text}'")
    return int(height), int(width)


# verify


def _verify(args: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from rgbd_perception.inference.engine_verify import compare, shortfalls
    from rgbd_perception.inference.engines import GraphOptions, graph_file
    from rgbd_perception.sources import open_source

    if args.count < 1:
        raise UserError(f"expected --count of at least 1, got {args.count}")
    if not args.graph_only:
        from rgbd_perception.inference.tensorrt_api import find_tensorrt

        find_tensorrt()
        _gpu("; --graph-only compares the graph in ONNX Runtime instead, which proves less").close()
    frames = _spread(open_source(args.frames), args.count)
    labels = None if args.labels is None else [name.strip() for name in args.labels.split(",")]
    with graph_file(args.model, GraphOptions(args.precision, args.size), args.untrained) as graph:
        reference = _reference(args, labels)
        with contextlib.ExitStack() as held:
            held.callback(reference.close)
            candidate = _candidate(args, graph, labels)
            held.callback(candidate.close)
            agreement = compare(
                frames, lambda f: reference(f, masks=False), lambda f: candidate(f, masks=False)
            )
            names = {
                "reference": f"{reference.backend} fp32",
                "candidate": f"{candidate.backend} {args.precision}",
            }
    short = shortfalls(agreement)
    result = {**names, **dataclasses.asdict(agreement), "shortfalls": short, "good": not short}
    _print_verdict(args, result)
    return result, 2 if short else 0


def _spread(source: Source, count: int) -> Iterator[RgbdFrame]:
    """At most ``count`` frames, evenly spread over the source; those that cannot be read are left out."""
    from tqdm import tqdm

    from rgbd_perception.sources.base import RecordedSource

    step = -(-len(source) // count)
    if not isinstance(source, RecordedSource):
        yield from itertools.islice(source, 0, None, step)
        return
    chosen = range(0, len(source), step)
    for index in tqdm(chosen, desc="comparing", unit="frame", delay=2, disable=None, file=sys.stderr):
        with contextlib.suppress(FrameDropped):
            yield source.load(index)


def _reference(args: argparse.Namespace, labels: list[str] | None) -> Predictor:
    """The network in fp32. Raises UserError where there is only a file in fp16."""
    from rgbd_perception.inference import Predictor

    if args.model.endswith(".onnx") and args.precision != "fp32":
        raise UserError(f"expected a name or a weights file: what {args.model} is in fp32 cannot be known")
    return Predictor(args.model, labels=labels, untrained=args.untrained)


def _candidate(args: argparse.Namespace, graph: GraphFile, labels: list[str] | None) -> Predictor:
    from rgbd_perception.inference import Predictor

    return Predictor(graph.path, "onnxruntime" if args.graph_only else "tensorrt", labels=labels)


def _print_verdict(args: argparse.Namespace, result: dict[str, Any]) -> None:
    print(f"{result['candidate']} against {result['reference']}, {result['frames']} frames:")
    print(f"  same label          {result['label_agreement']:.3%}")
    if result["cosine"] is not None:
        lowest = f"99 % reach {result['cosine_lowest']:.6f}"
        print(f"  cosine              {result['cosine']:.6f} in the mean, {lowest}")
    print(f"  confidence differs  {result['confidence']:.4f} at most")
    print(f"  NaN or infinite in  {result['not_finite']} frames")
    if result["good"]:
        print("good: the predictions can be relied on as those of fp32")
        return
    print(f"NOT good: {'; '.join(result['shortfalls'])}")
    if args.precision == "fp16":
        print(f"use fp32 instead: rgbd-perception engine build {args.model} --precision fp32")
