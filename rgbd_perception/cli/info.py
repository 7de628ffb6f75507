"""``rgbd-perception info``: what a map file or a model file contains."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rgbd_perception.cli.output import add_json_argument, text_output, write_json
from rgbd_perception.errors import UserError

NAME = "info"
HELP = "what a map file or a model contains"
EPILOG = """examples:
  rgbd-perception info room.rgbdmap
  rgbd-perception info rgbd_mini
  rgbd-perception info weights.safetensors --json -

Reads headers only; checksums are verified when a map is loaded.
"""

_MOST_CHARACTERS = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("file", metavar="MAP|MODEL", help="a map file, a weights file or the name of a model")
    add_json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print the description."""
    with text_output(args.json):
        description = describe(args.file)
        for key, value in description.items():
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            print(f"{key:<22} {text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + ' ...'}")
    write_json(args.json, description)
    return 0


def describe(name: str) -> dict[str, Any]:
    """Describe a map or model file. Raises UserError where it is neither."""
    path = _find(name)
    from safetensors import SafetensorError, safe_open

    try:
        path.open("rb").close()  # safetensors says of a file that may not be read that it is not there
        with safe_open(path, framework="numpy") as container:
            metadata = container.metadata() or {}
            tensors = {key: container.get_slice(key) for key in container.keys()}  # noqa: SIM118
            shapes = {key: list(tensor.get_shape()) for key, tensor in tensors.items()}
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is no whole map or weights file ({str(error).splitlines()[0]})") from error
    common = {"file": str(path), "bytes": path.stat().st_size}
    if "rgbd_map" in metadata:
        from rgbd_perception.mapping.storage import read_metadata

        metadata = read_metadata(path)
        metadata.pop("objects", None)  # ids and voxels of every object: for programs, pages of it
        return {"kind": "map", **common, **metadata, "columns": shapes}
    parameters = sum(_product(shape) for shape in shapes.values())
    model = {"kind": "model", **common, "parameters": parameters, "tensors": len(shapes)}
    from rgbd_perception.inference.weights import HEADER_KEY, read_info

    if HEADER_KEY not in metadata:
        return {**model, **metadata}
    info = read_info(path)
    return {**model, "model_id": info.model_id, **asdict(info), "labels": list(info.labels)}


def _find(name: str) -> Path:
    path = Path(name)
    if path.is_file():
        return path
    from rgbd_perception.inference.weights import check_exists, default_path
    from rgbd_perception.models import list_models

    if name in list_models():
        check_exists(default_path(name))
        return default_path(name)
    raise UserError(f"expected a map file, a weights file or an installed model, there is no '{name}'")


def _product(shape: list[int]) -> int:
    result = 1
    for length in shape:
        result *= length
    return result
