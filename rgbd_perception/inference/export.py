"""A network as an ONNX file that TensorRT 8.6 and later, and ONNX Runtime, can run.

The file holds the whole way from a camera's images to class scores and unit embeddings (``frame_graph``) and
everything a backend must know (``graph_info``): standard operators of opset 17 and static shapes. torch's
exporter writes it; no part of it is torch's when it runs.
"""

from __future__ import annotations

import contextlib
import logging
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from rgbd_perception.errors import UserError
from rgbd_perception.inference.frame_graph import DepthEncoding, FrameGraph, padded_size
from rgbd_perception.inference.graph_info import KEY, KEY_ROWS, GraphInfo, format_rows
from rgbd_perception.inference.installed import is_installed
from rgbd_perception.inference.preprocess import MAX_DEPTH

if TYPE_CHECKING:
    import onnx
    import torch

    from rgbd_perception.inference.loading import LoadedNetwork
    from rgbd_perception.inference.weights import WeightsFile
    from rgbd_perception.models.network import Network

Precision = Literal["fp32", "fp16"]
INSTALL = "pip install 'torch>=2.6' onnx onnxscript"
MAX_CLASSES = 256
"""Rows of the class matrix of a file with static shapes, unless the options say otherwise."""


@dataclass(frozen=True)
class ExportOptions:
    """How a network becomes a file.

    precision    "fp32", or "fp16": the network in float16 with norms and softmax in float32, by casts that
                 stand in the graph ("strongly typed")
    size         (H, W) of the images; None: what the network was made for
    depth        how depth comes in, see ``DepthEncoding``; "millimetres" halves what crosses a bus
    max_classes  rows of the class matrix of a network with embeddings: a vocabulary of at most so many names
                 can be set at run time. Unused rows get a large negative offset. None: a dynamic axis, no
                 wasted arithmetic, but not static
    lean         the form that a processor computes fastest, where the network has one (``lean_form``):
                 standard operators too, but float32 only
    """

    precision: Precision = "fp32"
    size: tuple[int, int] | None = None
    depth: DepthEncoding = "metres"
    max_classes: int | None = MAX_CLASSES
    lean: bool = False

    def __post_init__(self) -> None:
        if self.precision not in ("fp32", "fp16"):
            raise UserError(f"expected the precision fp32 or fp16, got {self.precision!r}")
        if self.depth not in ("metres", "millimetres"):
            raise UserError(f"expected depth as metres or millimetres, got {self.depth!r}")
        if self.size is not None and min(self.size) < 1:
            raise UserError(f"expected a size in pixels, got {self.size[0]}x{self.size[1]}")
        if self.max_classes is not None and not 1 <= self.max_classes <= 65_534:
            raise UserError(f"expected 1 to 65534 classes, got {self.max_classes}")


class Value(NamedTuple):
    """An input or output: name, shape (a name in place of a dynamic extent), numpy's name of the type."""

    name: str
    shape: tuple[int | str, ...]
    dtype: str


@dataclass(frozen=True)
class ExportInfo:
    """What was written.

    Inputs: ``color`` (H, W, 3) uint8; ``depth``; for a network with embeddings ``class_matrix`` (K, D)
    float32, the rows of the classes times the temperature, and ``class_offset`` (K,) float32, 0 or -1e9 for a
    row that stands for no class. Outputs: ``labels`` (h, w) int32, ``confidence`` (h, w) float32,
    ``log_probability`` (h, w, K) float16 (of the lean form float32), and ``embedding`` (h, w, D) float16 unit
    vectors.
    """

    path: Path
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    graph: GraphInfo

    @property
    def model_id(self) -> str:
        """Model name and hash of the weights."""
        return self.graph.model_id

    @property
    def precision(self) -> str:
        """ "fp32" or "fp16"."""
        return self.graph.precision

    @property
    def weights_sha(self) -> str:
        """Twelve hex digits of the hash over all weights; "untrained" for random ones."""
        return self.graph.fingerprint


def export_onnx(
    model: str | Path, path: Path, options: ExportOptions | None = None, untrained: bool = False
) -> ExportInfo:
    """Write the network ``model`` (a name or a weights file) to the ONNX file ``path``; takes some seconds.

    The file is checked by ``onnx.checker`` before it is put in its place, whole or not at all.
    ``untrained``: random weights where none are installed. Raises UserError where weights or the exporter are
    missing, or the disk refuses.
    """
    from rgbd_perception.inference.loading import load_network
    from rgbd_perception.inference.weights import write_whole

    options = options or ExportOptions()
    _require_exporter()
    loaded = load_network(model, untrained)
    info = graph_info_of(loaded, options)
    proto = build_model(loaded, options)
    add_metadata(proto, info, loaded.weights)
    _check(proto)
    write_whole(path, proto.SerializeToString(), "ONNX file")
    return ExportInfo(path, _values(proto.graph.input), _values(proto.graph.output), info)


def add_metadata(proto: onnx.ModelProto, info: GraphInfo, weights: WeightsFile) -> None:
    """Everything a backend must know."""
    proto.metadata_props.add(key=KEY, value=info.to_json())
    for name, key in KEY_ROWS.items():
        rows = getattr(weights, name)
        if rows is not None:
            proto.metadata_props.add(key=key, value=format_rows(rows))


def input_size(model: str | Path, untrained: bool = False) -> tuple[int, int]:
    """(H, W) that the network was made for. Raises UserError as ``export_onnx``."""
    from rgbd_perception.inference.loading import load_network

    return load_network(model, untrained).network.config.input_size


def build_model(loaded: LoadedNetwork, options: ExportOptions) -> onnx.ModelProto:
    """The graph of a network with its weights, without metadata."""
    from rgbd_perception.inference.onnx_passes import lower_opset, remove_notes, widen
    from rgbd_perception.inference.onnx_rewrites import split_linears, standard_gelu

    size = options.size or loaded.network.config.input_size
    half = options.precision == "fp16"
    proto = trace(make_graph(loaded.network, size, options), size, options)
    lower_opset(proto)
    remove_notes(proto)
    split_linears(proto)
    standard_gelu(proto)
    if half:
        widen(proto)
    return proto


def make_graph(network: Network, size: tuple[int, int], options: ExportOptions) -> FrameGraph:
    """What is exported: for ``lean`` the network itself, with its parameters, else its fused form."""
    from rgbd_perception.inference.lean_form import LeanFrameGraph, has_lean_form
    from rgbd_perception.models.deployment import fused_copy

    half = options.precision == "fp16"
    if options.lean and not half and has_lean_form(network, size):
        return LeanFrameGraph(network, size, options.depth, half).eval().requires_grad_(False)
    graph = FrameGraph(fused_copy(network, padded_size(network, size)), size, options.depth, half).eval()
    if half:
        graph.network.half()
    return graph


def trace(
    graph: FrameGraph, size: tuple[int, int], options: ExportOptions, optimize: bool = True
) -> onnx.ModelProto:
    """What torch's exporter writes for ``graph``, opset 18; parameters keep their names.

    ``optimize``: work out what is constant; otherwise that stands in the graph as operators.
    """
    import torch

    inputs, dynamic = _example(graph.network, size, options)
    outputs = ["labels", "confidence", "log_probability"] + ["embedding"] * graph.network.has_embeddings
    with _quiet(), _nothing_kept(), torch.no_grad():
        program = torch.onnx.export(
            graph,
            tuple(inputs.values()),
            dynamo=True,
            opset_version=18,
            input_names=list(inputs),
            output_names=outputs,
            dynamic_shapes=dynamic,
            optimize=optimize,
            verbose=False,
        )
    assert program is not None  # of None torch's types speak for its other exporter
    return program.model_proto


def _example(
    network: Any, size: tuple[int, int], options: ExportOptions
) -> tuple[dict[str, torch.Tensor], Any]:
    """Inputs by name, and which of their axes are dynamic (None: none)."""
    import torch

    shape = (*size, 2) if options.depth == "millimetres" else size
    depth_type = torch.uint8 if options.depth == "millimetres" else torch.float32
    inputs = {
        "color": torch.zeros(*size, 3, dtype=torch.uint8),
        "depth": torch.ones(shape, dtype=depth_type),
    }
    if not network.has_embeddings:
        return inputs, None
    classes = options.max_classes or 7  # not 1, which the exporter would take for a constant
    inputs["class_matrix"] = torch.zeros(classes, network.config.embedding_dim)
    inputs["class_offset"] = torch.zeros(classes)
    if options.max_classes is not None:
        return inputs, None
    axis = {0: torch.export.Dim("classes", min=1, max=65_534)}
    return inputs, (None, None, (axis, axis))


def graph_info_of(loaded: LoadedNetwork, options: ExportOptions) -> GraphInfo:
    network, info = loaded.network, loaded.weights.info
    config: Any = network.config
    return GraphInfo(
        model=info.model,
        fingerprint=info.fingerprint,
        precision=options.precision,
        size=options.size or config.input_size,
        stride=config.stride,
        depth=options.depth,
        depth_mean=config.depth_mean,
        depth_std=config.depth_std,
        max_depth=MAX_DEPTH,
        labels=info.labels,
        text_space=info.text_space,
        temperature=info.temperature,
        embedding_dim=config.embedding_dim if network.has_embeddings else 0,
        max_classes=(options.max_classes or 0) if network.has_embeddings else 0,
    )


def _check(proto: onnx.ModelProto) -> None:
    import onnx

    if proto.ByteSize() >= onnx.checker.MAXIMUM_PROTOBUF:
        raise UserError("the network is larger than an ONNX file of 2 GB can be: export it as fp16")
    onnx.checker.check_model(proto, full_check=True)


def _values(values: Any) -> tuple[Value, ...]:
    from onnx import helper

    def describe(value: onnx.ValueInfoProto) -> Value:
        tensor = value.type.tensor_type
        shape = tuple(axis.dim_param or axis.dim_value for axis in tensor.shape.dim)
        return Value(value.name, shape, str(helper.tensor_dtype_to_np_dtype(tensor.elem_type)))

    return tuple(describe(value) for value in values)


def _require_exporter() -> None:
    missing = [name for name in ("torch", "onnx", "onnxscript") if not is_installed(name)]
    if missing:
        raise UserError(f"exporting needs {' and '.join(missing)}: {INSTALL}")
    import torch

    numbers = [int(part) for part in re.findall(r"\d+", torch.__version__)[:2]]
    if numbers < [2, 6]:
        raise UserError(f"exporting needs torch 2.6 or newer, got {torch.__version__}: {INSTALL}")


@contextlib.contextmanager
def _nothing_kept() -> Iterator[None]:
    """Without tensors that were made before of shapes alone, and without those of a trace, which have no
    numbers, in what is computed after it.
    """
    from rgbd_perception.inference import lean_form
    from rgbd_perception.models import windows

    caches = (*windows.CACHES, *lean_form.CACHES)
    for cached in caches:
        cached.cache_clear()
    try:
        yield
    finally:
        for cached in caches:
            cached.cache_clear()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks about packages that it could use too."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
