"""The graph that comes with the package: up to date, without weights of its own, and without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from rgbd_perception.errors import UserError
from rgbd_perception.inference import Predictor
from rgbd_perception.inference.backends.onnx_runtime import OnnxBackend
from rgbd_perception.inference.graph_info import parse_graph_info
from rgbd_perception.inference.graphs import packaged_graphs
from rgbd_perception.inference.weights import default_path, read_info
from test.inference.test_predictor import make_frame

(GRAPH,) = packaged_graphs("rgbd_mini")
WEIGHTS = default_path("rgbd_mini")

WITHOUT_TORCH = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "transformers", "sentence_transformers", "onnx"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
import numpy as np
from rgbd_perception.frame import CameraIntrinsics, RgbdFrame
from rgbd_perception.inference import Predictor
from rgbd_perception.errors import UserError

predictor = Predictor("rgbd_mini")
camera = CameraIntrinsics(60, 60, 32, 24, 64, 48)
frame = RgbdFrame(np.full((48, 64, 3), 99, np.uint8), np.full((48, 64), 2, np.float32), camera)
masks = predictor(frame).labels
print(predictor.backend, len(predictor.label_names), masks.shape, predictor.class_embeddings.shape)
try:
    Predictor("rgbd_mini", backend="torch")
except UserError as error:
    print(error)
assert "torch" not in sys.modules
"""


def test_it_was_made_from_the_weights_that_lie_beside_it() -> None:
    model = onnx.load(GRAPH, load_external_data=False)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert parse_graph_info(metadata, GRAPH).fingerprint == read_info(WEIGHTS).fingerprint, (
        "run scripts/build_packaged_graph.py"
    )
    outside = [tensor for tensor in model.graph.initializer if tensor.external_data]
    assert {
        entry.value for tensor in outside for entry in tensor.external_data if entry.key == "location"
    } == {WEIGHTS.name}
    assert len(outside) > 200 and GRAPH.stat().st_size < 450_000, "no second copy of the weights"


def test_it_gives_what_torch_gives() -> None:
    frame = make_frame(240, 320)
    found = Predictor("rgbd_mini", backend="onnxruntime", threads=1)(frame)
    wanted = Predictor("rgbd_mini", backend="torch", threads=1)(frame)
    np.testing.assert_allclose(found.cell_confidence, wanted.cell_confidence, atol=1e-4)
    np.testing.assert_allclose(found.embedding, wanted.embedding, atol=5e-4)
    assert found.model_id == wanted.model_id and found.vocabulary_id == wanted.vocabulary_id
    assert (found.cell_labels == wanted.cell_labels).mean() > 0.999


def test_without_torch(repository: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, cwd=repository, check=False
    )
    assert result.returncode == 0, result.stderr
    first, refused = result.stdout.splitlines()
    backend, _, found = first.partition(" ")
    assert backend in ("openvino", "onnxruntime") and found == "38 (48, 64) (38, 384)"
    assert "torch is not installed" in refused


def test_weights_that_it_was_not_made_for(tmp_path: Path) -> None:
    """A weights file that was trained anew has its tensors elsewhere, or others."""
    (tmp_path / GRAPH.name).write_bytes(GRAPH.read_bytes())
    with pytest.raises(UserError, match="cannot be loaded"):
        OnnxBackend([tmp_path / GRAPH.name])
