"""``rgbd-perception export``: a network as an ONNX file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rgbd_perception.cli.output import (
    add_json_argument,
    add_untrained_argument,
    text_output,
    warn_untrained,
    write_json,
)
from rgbd_perception.errors import UserError

if TYPE_CHECKING:
    from rgbd_perception.inference.export import ExportInfo, Value

NAME = "export"
HELP = "write a network as an ONNX file for ONNX Runtime and TensorRT"
EPILOG = """examples:
  rgbd-perception export rgbd_mini --onnx rgbd_mini.onnx
  rgbd-perception export geminifusion_mit_b3                 where `--backend auto` finds it
  rgbd-perception export dveformer_reducedres --onnx d.onnx --precision fp16 --depth millimetres
  rgbd-perception export rgbd_mini --onnx hd.onnx --size 240x424 --max-classes 1024

The file holds everything from a camera's images to class scores and unit embeddings, in standard operators of
opset 17 and static shapes, and in its metadata what a program must know to run it: docs/runtime.md.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("model", metavar="MODEL", help="a name of `models list` or a weights file")
    parser.add_argument(
        "--onnx",
        metavar="FILE",
        type=Path,
        help="the file to write (default: in the user's folder for data, for backend onnxruntime)",
    )
    parser.add_argument(
        "--precision",
        choices=("fp32", "fp16"),
        default="fp32",
        help="of the network; fp16 keeps norms and softmax in float32 (default %(default)s)",
    )
    parser.add_argument(
        "--size", metavar="HxW", help="of the images (default: what the network was made for)"
    )
    parser.add_argument(
        "--depth",
        choices=("metres", "millimetres"),
        default="metres",
        help="float32 metres, or 16 bit millimetres as pairs of bytes (default %(default)s)",
    )
    parser.add_argument(
        "--max-classes",
        metavar="N",
        type=int,
        help="largest vocabulary that can be set at run time; 0: any, a dynamic axis (default: 256; any "
        "without --onnx)",
    )
    add_untrained_argument(parser)
    add_json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Export. Raises UserError where that cannot be done."""
    from rgbd_perception.inference.export import MAX_CLASSES, ExportOptions, export_onnx, input_size
    from rgbd_perception.inference.graphs import graph_path, identity

    if args.onnx is not None and (args.onnx.suffix != ".onnx" or args.onnx.is_dir()):
        raise UserError(f"expected --onnx with a file that ends with .onnx, got {args.onnx}")
    with text_output(args.json):
        size = parse_size(args.size) if args.size else input_size(args.model, args.untrained)
        rows = args.max_classes if args.max_classes is not None else (MAX_CLASSES if args.onnx else 0)
        options = ExportOptions(args.precision, size, args.depth, rows or None, lean=args.onnx is None)
        path = args.onnx or graph_path(*identity(args.model, args.untrained), args.precision, size)
        print(f"exporting {args.model} for images of {size[0]}x{size[1]}: some seconds to minutes")
        info = export_onnx(args.model, path, options, args.untrained)
        warn_untrained(info.model_id)
        for value in (*info.inputs, *info.outputs):
            print(f"  {value.name:<16} {value.dtype:<8} {' x '.join(map(str, value.shape))}")
        print(f"{info.path}: {info.path.stat().st_size / 1e6:.1f} MB, {info.precision}, {info.model_id}")
    write_json(args.json, _summary(info))
    return 0


def parse_size(text: str) -> tuple[int, int]:
    """HxW. Raises UserError for anything else."""
    height, _, width = text.lower().partition("x")
    if not height.isdigit() or not width.isdigit() or not int(height) * int(width):
        raise UserError(f"expected a size as HEIGHTxWIDTH, such as 480x640, got {text!r}")
    return int(height), int(width)


def _summary(info: ExportInfo) -> dict[str, Any]:
    return {
        "onnx": info.path,
        "bytes": info.path.stat().st_size,
        "model_id": info.model_id,
        "precision": info.precision,
        "size": info.graph.size,
        "stride": info.graph.stride,
        "depth": info.graph.depth,
        "max_classes": info.graph.max_classes,
        "inputs": [_describe(value) for value in info.inputs],
        "outputs": [_describe(value) for value in info.outputs],
    }


def _describe(value: Value) -> dict[str, Any]:
    return {"name": value.name, "shape": value.shape, "dtype": value.dtype}
