"""Every family as an ONNX file: equal to torch in float32, sound in float16, read by NVIDIA's own parser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from rgbd_perception.inference.backends import Backend, GridOutput
from rgbd_perception.inference.backends.onnx_runtime import OnnxBackend
from rgbd_perception.inference.backends.pytorch import TorchBackend
from rgbd_perception.inference.classes import make_classes
from rgbd_perception.inference.export import ExportOptions, export_onnx
from rgbd_perception.inference.fitting import Fitter
from rgbd_perception.inference.graph_parts import MatrixPool, compare_narrow
from rgbd_perception.inference.loading import LoadedNetwork
from rgbd_perception.inference.onnx_passes import widen
from rgbd_perception.inference.weights import WeightsInfo, read_weights, save_weights
from rgbd_perception.models import create_model
from test.inference.test_predictor import make_frame

FAMILIES = (
    ("rgbd_mini", {}),
    ("dveformer_reducedres", {}),
    ("dveformer_fullres", {}),
    ("emsaformer_semantic_mlp", {}),
    ("geminifusion_mit_b0", {}),
    ("geminifusion_swin_tiny", {}),
    ("diffpixelformer_mit_b0", {}),
    ("diffpixelformer_mit_b0", {"mode": "stacked"}),
)
SIZE = (96, 128)
LABELS = tuple(f"class {index}" for index in range(40))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "settings"), FAMILIES)
def test_families(name: str, settings: dict[str, str], tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = create_model(name, **settings)
    rows = None
    if network.has_embeddings:
        rows = np.random.default_rng(0).standard_normal((40, network.config.embedding_dim)).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    weights = tmp_path / "weights.safetensors"
    space = "all-MiniLM-L6-v2" if network.has_embeddings else ""
    save_weights(weights, network.state_dict(), WeightsInfo(name, settings, LABELS, space), rows)
    frame = make_frame(*SIZE)
    images = Fitter(SIZE, None, "letterbox")(frame.color, frame.depth)
    network_input = images.color, images.depth
    wanted = run(TorchBackend(LoadedNetwork(network, read_weights(weights))), network_input)
    for precision, tolerance in (("fp32", 1e-4), ("fp16", 0.05)):
        path = tmp_path / f"{precision}.onnx"
        export_onnx(weights, path, ExportOptions(precision, SIZE))
        found = run(OnnxBackend([path], threads=1), network_input)
        np.testing.assert_allclose(found.confidence, wanted.confidence, atol=tolerance)
        assert (found.labels == wanted.labels).mean() > 1 - 10 * tolerance
        if wanted.embedding is not None and found.embedding is not None:
            cosines = (found.embedding.astype(np.float32) * wanted.embedding).sum(axis=-1)
            assert cosines.mean() > 0.999
        parse_with_tensorrt(path)


def run(backend: Backend, images: tuple[np.ndarray, np.ndarray]) -> GridOutput:
    """One frame with the classes that the model has of its own."""
    rows = make_classes(backend.facts, None).rows
    if rows is not None:
        backend.set_classes(rows)
    return backend(*images)


def parse_with_tensorrt(path: Path) -> None:
    """TensorRT-RTX reads the file as strongly typed; skipped where it is not installed."""
    tensorrt = pytest.importorskip("tensorrt_rtx_bindings")
    logger = tensorrt.Logger(tensorrt.Logger.ERROR)
    builder = tensorrt.Builder(logger)
    network = builder.create_network(1 << int(tensorrt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = tensorrt.OnnxParser(network, logger)
    accepted = parser.parse(path.read_bytes())
    assert accepted, [parser.get_error(index).desc() for index in range(parser.num_errors)]


def test_pooling_by_matrices() -> None:
    for size in ((8, 10), (15, 20), (5, 5), (1, 3)):
        x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(MatrixPool(5)(x), torch.nn.AdaptiveAvgPool2d(5)(x))


def test_the_narrow_head_is_the_wide_one() -> None:
    random = torch.Generator().manual_seed(0)
    features, weight, bias, classes = (
        torch.randn(*shape, generator=random) for shape in ((3, 4, 5), (12, 5), (12,), (7, 12))
    )
    unit, logits = compare_narrow(features, weight, bias, classes)
    wide = features @ weight.T + bias
    torch.testing.assert_close(unit, torch.nn.functional.normalize(wide, dim=-1))
    torch.testing.assert_close(logits, unit @ classes.T)
    zero, _ = compare_narrow(torch.zeros(1, 1, 5), weight, torch.zeros(12), classes)
    assert not zero.any(), "no direction, and no NaN"


def test_norms_of_half_precision_are_widened() -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT16, [2, 4])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT16, [2, 4])
    node = helper.make_node("Softmax", ["x"], ["y"], name="softmax", axis=-1)
    graph = helper.make_graph([node], "test", [value], [result])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    widen(model)
    assert [node.op_type for node in model.graph.node] == ["Cast", "Softmax", "Cast"]
    onnx.checker.check_model(model, full_check=True)
