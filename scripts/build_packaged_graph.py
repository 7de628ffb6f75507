"""Write the ONNX graph of a packaged model without its weights: those stay in the weights file.

    python scripts/build_packaged_graph.py [MODEL] [--size HxW]

ONNX files may keep tensors in another file, as bytes at an offset; a safetensors file has each tensor as
bytes at an offset. So the graph points into the weights file beside it, and there is no second copy.
For that the parameters must stay as they are: the graph computes what is made of them (``lean_form``), and
ONNX Runtime does so once, when it loads. Run it again after training: a test compares the fingerprints.
"""

from __future__ import annotations

import argparse
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from rgbd_perception.cli.export import parse_size
from rgbd_perception.inference.export import ExportOptions, graph_info_of, make_graph, trace
from rgbd_perception.inference.graph_info import KEY
from rgbd_perception.inference.loading import load_network
from rgbd_perception.inference.onnx_passes import lower_opset, remove_notes
from rgbd_perception.inference.onnx_rewrites import standard_gelu
from rgbd_perception.inference.weights import FOLDER, default_path, write_whole

PREFIX = "network."
"""Of the parameters' names in the graph."""

SMALL = 256
"""Bytes of a constant that nothing is gained with."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", default="rgbd_mini")
    parser.add_argument("--size", metavar="HxW", help="of the images (default: the network's own)")
    args = parser.parse_args()
    path = build(args.model, parse_size(args.size) if args.size else None)
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


def build(model: str, size: tuple[int, int] | None, folder: Path = FOLDER) -> Path:
    """Write the graph of ``model`` into ``folder``, beside its weights file."""
    loaded = load_network(model)
    options = ExportOptions(size=size or loaded.network.config.input_size, max_classes=None, lean=True)
    assert options.size is not None
    graph = make_graph(loaded.network, options.size, options)
    names = set(loaded.network.state_dict())
    proto = _fold_all_but(trace(graph, options.size, options, optimize=False), names)
    lower_opset(proto)
    standard_gelu(proto)
    shrink(proto)
    remove_notes(proto)
    weights = default_path(model)
    point_into(proto, weights)
    proto.metadata_props.add(key=KEY, value=graph_info_of(loaded, options).to_json())
    path = folder / f"{model}-{options.size[0]}x{options.size[1]}.onnx"
    write_whole(path, proto.SerializeToString(), "graph")
    return path


def _fold_all_but(proto: onnx.ModelProto, parameters: set[str]) -> onnx.ModelProto:
    """Work out what is constant without the parameters, which become tensors of another file."""
    import onnxscript.optimizer

    names = {PREFIX + name for name in parameters}
    kept = [tensor for tensor in proto.graph.initializer if tensor.name in names]
    others = [tensor for tensor in proto.graph.initializer if tensor.name not in names]
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(others)
    # As inputs they are no constants to the optimizer.
    for tensor in kept:
        value = helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        proto.graph.input.append(value)
    folded: onnx.ModelProto = onnxscript.optimizer.optimize(proto)
    inputs = [value for value in folded.graph.input if value.name not in names]
    del folded.graph.input[:]
    folded.graph.input.extend(inputs)
    used = {name for node in folded.graph.node for name in node.input}
    for tensor in kept:
        if tensor.name in used:
            empty = TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
            folded.graph.initializer.append(empty)
    return folded


def shrink(proto: onnx.ModelProto) -> None:
    """Constants in fewer bytes: one number where all are equal, short ones for indices."""
    small: dict[str, TensorProto] = {}
    constants = {tensor.name: tensor for tensor in proto.graph.initializer if len(tensor.raw_data) > SMALL}
    made: list[onnx.NodeProto] = []
    for node in proto.graph.node:
        for position, name in enumerate(node.input):
            if name not in constants:
                continue
            values, short = numpy_helper.to_array(constants[name]), f"{name}_small"
            if node.op_type == "Where" and position > 0 and (values == values.flat[0]).all():
                small[short] = numpy_helper.from_array(values.reshape(-1)[:1].reshape(()), short)
            elif values.dtype == np.int64 and values.min() >= 0:
                small[short] = numpy_helper.from_array(values.astype(np.min_scalar_type(values.max())), short)
                made.append(helper.make_node("Cast", [short], [f"{name}_cast"], to=TensorProto.INT64))
                short = f"{name}_cast"
            elif (values == values.flat[0]).all():
                small[short] = numpy_helper.from_array(np.asarray(values.flat[0]), short)
                shape = numpy_helper.from_array(np.array(values.shape, np.int64), f"{name}_shape")
                small[shape.name] = shape
                made.append(helper.make_node("Expand", [short, shape.name], [f"{name}_expanded"]))
                short = f"{name}_expanded"
            else:
                continue
            node.input[position] = short
    nodes = [*{node.output[0]: node for node in made}.values(), *proto.graph.node]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    proto.graph.initializer.extend(small.values())
    used = {name for node in proto.graph.node for name in node.input}
    kept = [tensor for tensor in proto.graph.initializer if tensor.name in used]
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(kept)
    _shorten_names(proto)


def _shorten_names(proto: onnx.ModelProto) -> None:
    """Values inside the graph by number: their names are most of what is left."""
    fixed = {value.name for value in (*proto.graph.input, *proto.graph.output)}
    fixed |= {tensor.name for tensor in proto.graph.initializer}
    short: dict[str, str] = {"": ""}
    for node in proto.graph.node:
        node.name = ""
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name not in fixed:
                    names[index] = short.setdefault(name, f"{len(short):x}")


def point_into(proto: onnx.ModelProto, weights: Path) -> None:
    """Make the empty tensors point to those of their names in the safetensors file ``weights``."""
    places = tensor_places(weights)
    for tensor in proto.graph.initializer:
        if not tensor.name.startswith(PREFIX) or tensor.raw_data:
            continue
        offset, length = places[tensor.name.removeprefix(PREFIX)]
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", weights.name), ("offset", offset), ("length", length)):
            tensor.external_data.add(key=key, value=str(value))


def tensor_places(weights: Path) -> dict[str, tuple[int, int]]:
    """Offset and length in bytes of each tensor in a safetensors file."""
    with weights.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header: dict[str, Any] = json.loads(file.read(size))
    header.pop("__metadata__", None)
    places = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        places[name] = 8 + size + begin, end - begin
    return places


if __name__ == "__main__":
    main()
