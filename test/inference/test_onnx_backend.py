"""An exported graph in ONNX Runtime gives what torch gives, whatever the vocabulary and the frame."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from rgbd_perception.bench.machine import resident_bytes
from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.frame import RgbdFrame
from rgbd_perception.inference import Predictor
from rgbd_perception.inference.backends.base import BackendRequest, Unavailable
from rgbd_perception.inference.classes import Classes
from rgbd_perception.inference.export import ExportInfo, ExportOptions, export_onnx
from rgbd_perception.inference.graphs import find_graphs
from rgbd_perception.inference.weights import read_info
from rgbd_perception.vocabulary import Vocabulary
from test.inference.conftest import LABELS
from test.inference.test_predictor import make_frame

SIZE = (64, 96)


@pytest.fixture(scope="module")
def exported(shallow_path: Path, tmp_path_factory: pytest.TempPathFactory) -> ExportInfo:
    path = tmp_path_factory.mktemp("graphs") / "random.onnx"
    return export_onnx(shallow_path, path, ExportOptions(size=SIZE, max_classes=None, lean=True))


@pytest.fixture(scope="module")
def predictor(exported: ExportInfo) -> Predictor:
    return Predictor(exported.path, threads=1)


@pytest.fixture(scope="module")
def reference(shallow_path: Path) -> Predictor:
    return Predictor(shallow_path, backend="torch")


def test_the_file_says_everything(exported: ExportInfo, shallow_path: Path) -> None:
    info = read_info(shallow_path)
    assert exported.model_id == info.model_id and exported.weights_sha == info.fingerprint
    assert [value.name for value in exported.inputs] == ["color", "depth", "class_matrix", "class_offset"]
    shapes = {value.name: value.shape for value in exported.outputs}
    assert shapes["labels"] == (16, 24) and shapes["embedding"] == (16, 24, 384)
    model = onnx.load(exported.path)
    assert [opset.version for opset in model.opset_import] == [17]
    assert {node.domain for node in model.graph.node} == {""}, "no operator of one run-time only"


def test_it_gives_what_torch_gives(predictor: Predictor, reference: Predictor) -> None:
    frame = make_frame(*SIZE)
    depth = frame.depth.copy()
    depth[:9, :14], depth[20:30], depth[40:44], depth[50] = 0, np.nan, 30.0, -1.0
    frame = RgbdFrame(frame.color, depth, frame.intrinsics)
    found, wanted = predictor(frame), reference(frame)
    np.testing.assert_allclose(found.confidence, wanted.confidence, atol=1e-4)
    np.testing.assert_allclose(found.embedding, wanted.embedding, atol=5e-4)  # both are float16
    assert (found.cell_labels == wanted.cell_labels).mean() > 0.99
    assert found.stride == wanted.stride and found.vocabulary_id == wanted.vocabulary_id
    assert found.model_id == wanted.model_id and predictor.label_names == LABELS
    np.testing.assert_array_equal(predictor.class_embeddings, reference.class_embeddings)


@pytest.mark.parametrize("count", [1, 5, 1000])
def test_vocabularies_of_any_length_at_run_time(
    predictor: Predictor, reference: Predictor, count: int
) -> None:
    rows = np.random.default_rng(count).standard_normal((count, 384)).astype(np.float32)
    names = [f"thing {index}" for index in range(count)]
    classes = Classes(Vocabulary(names, "all-MiniLM-L6-v2"), rows, rows)
    frame = make_frame(*SIZE)
    before = predictor(frame, masks=False)
    kept = before.embedding.copy(), before.cell_confidence.copy()
    for each in (predictor, reference):
        each.use_classes(classes)
    found, wanted = predictor(frame), reference(frame)
    np.testing.assert_allclose(found.cell_confidence, wanted.cell_confidence, atol=1e-4)
    assert found.vocabulary_id == classes.vocabulary.id and found.labels.max() < count
    # What was handed out stays as it was.
    np.testing.assert_array_equal(before.embedding, kept[0])
    np.testing.assert_array_equal(before.cell_confidence, kept[1])


def test_frames_of_other_sizes(predictor: Predictor, exported: ExportInfo) -> None:
    for size in ((64, 96), (101, 77), (33, 500), (1, 1), (128, 192)):
        result = predictor(make_frame(*size))
        assert result.labels.shape == size and np.isfinite(result.embedding).all()
        assert result.cell_labels.shape == tuple(-(-side // result.stride) for side in size)
    with pytest.raises(FrameDropped, match="size_mismatch"):
        Predictor(exported.path, sizes="reject")(make_frame(65, 96))


def test_a_closed_predictor_refuses(exported: ExportInfo) -> None:
    predictor = Predictor(exported.path)
    predictor.close()
    with pytest.raises(RuntimeError, match="closed"):
        predictor(make_frame(*SIZE))


def test_files_that_are_none_of_ours(exported: ExportInfo, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(exported.path.read_bytes()[:100_000])
    with pytest.raises(UserError, match=r"damaged.onnx cannot be loaded .*: export the network again"):
        Predictor(damaged)
    with pytest.raises(UserError, match=r"absent.onnx, which does not exist"):
        Predictor(tmp_path / "absent.onnx")
    foreign = onnx.load(exported.path)
    del foreign.metadata_props[:]
    onnx.save(foreign, tmp_path / "foreign.onnx")
    with pytest.raises(UserError, match="was not made by rgbd_perception"):
        Predictor(tmp_path / "foreign.onnx")


def test_which_backend_and_why(shallow_path: Path, predictor: Predictor) -> None:
    assert predictor.backend == "onnxruntime"
    assert predictor.backend_reason.startswith("onnxruntime; not tensorrt: ")
    request = BackendRequest(shallow_path, automatic=True)
    with pytest.raises(Unavailable, match="is not exported"):
        find_graphs(request)
    automatic = Predictor(shallow_path)
    assert automatic.backend == "torch"
    assert (
        "not onnxruntime" in automatic.backend_reason and "rgbd-perception export" in automatic.backend_reason
    )


def test_options_that_make_no_sense() -> None:
    options = ExportOptions()
    for change, message in (
        ({"precision": "int8"}, "fp32 or fp16, got 'int8'"),
        ({"size": (0, 5)}, "in pixels, got 0x5"),
        ({"depth": "feet"}, "metres or millimetres, got 'feet'"),
        ({"max_classes": 0}, "1 to 65534 classes, got 0"),
    ):
        with pytest.raises(UserError, match=message):
            replace(options, **change)


def test_memory_stays_flat(predictor: Predictor) -> None:
    assert growth_of(predictor, warm_up=100, frames=300) < 2_000_000, "7 kB a frame"


@pytest.mark.slow
def test_memory_stays_flat_for_long(predictor: Predictor) -> None:
    assert growth_of(predictor, warm_up=500, frames=10_000) < 4_000_000, "400 bytes a frame"


def growth_of(predictor: Predictor, warm_up: int, frames: int) -> int:
    """Bytes of resident memory that so many frames take after the first ones."""
    frame = make_frame(*SIZE)
    for _ in range(warm_up):
        predictor(frame)
    before = resident_bytes()
    if before is None:
        pytest.skip("only Linux tells the resident memory")
    for _ in range(frames):
        predictor(frame)
    after = resident_bytes()
    assert after is not None
    return after - before
