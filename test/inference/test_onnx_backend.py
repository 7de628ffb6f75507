"""Graphs in ONNX Runtime give what torch gives, whatever the vocabulary and the frame.

The graph is that of the package, or a tiny one where numbers do not matter: none is exported here.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from rgbd_perception.bench.machine import resident_bytes
from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.frame import RgbdFrame
from rgbd_perception.inference import Predictor
from rgbd_perception.inference.backends.base import BackendRequest, Unavailable
from rgbd_perception.inference.classes import Classes
from rgbd_perception.inference.export import ExportOptions
from rgbd_perception.inference.graphs import find_graphs
from rgbd_perception.vocabulary import Vocabulary
from test.inference import frame_file
from test.inference.frame_file import write_frame_file
from test.inference.test_predictor import make_frame

SIZE = (240, 320)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor("rgbd_mini", backend="onnxruntime", threads=1)


@pytest.fixture(scope="module")
def reference() -> Predictor:
    return Predictor("rgbd_mini", backend="torch")


@pytest.fixture(scope="module")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For frames of 32x48, 5 classes at most."""
    return write_frame_file(tmp_path_factory.mktemp("graphs") / "tiny.onnx")


def test_it_gives_what_torch_gives(predictor: Predictor, reference: Predictor) -> None:
    frame = make_frame(*SIZE)
    depth = frame.depth.copy()
    depth[:29, :34], depth[60:90], depth[100:144], depth[150] = 0, np.nan, 30.0, -1.0
    frame = RgbdFrame(frame.color, depth, frame.intrinsics)
    found, wanted = predictor(frame), reference(frame)
    np.testing.assert_allclose(found.confidence, wanted.confidence, atol=1e-4)
    np.testing.assert_allclose(found.embedding, wanted.embedding, atol=5e-4)  # both are float16
    assert (found.cell_labels == wanted.cell_labels).mean() > 0.99
    assert found.stride == wanted.stride and found.vocabulary_id == wanted.vocabulary_id
    assert found.model_id == wanted.model_id and predictor.label_names == reference.label_names
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


def test_frames_of_other_sizes(tiny_file: Path) -> None:
    predictor = Predictor(tiny_file)
    for size in ((32, 48), (51, 39), (17, 250), (1, 1), (64, 96)):
        result = predictor(make_frame(*size))
        assert result.labels.shape == size and np.isfinite(result.embedding).all()
        assert result.cell_labels.shape == tuple(-(-side // result.stride) for side in size)
    with pytest.raises(FrameDropped, match="size_mismatch"):
        Predictor(tiny_file, sizes="reject")(make_frame(33, 48))


def test_a_closed_predictor_refuses(tiny_file: Path) -> None:
    predictor = Predictor(tiny_file)
    predictor.close()
    with pytest.raises(RuntimeError, match="closed"):
        predictor(make_frame(*frame_file.SIZE))


def test_files_that_are_none_of_ours(tiny_file: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(tiny_file.read_bytes()[:-500])
    with pytest.raises(UserError, match=r"damaged.onnx cannot be loaded .*: export the network again"):
        Predictor(damaged)
    with pytest.raises(UserError, match=r"absent.onnx, which does not exist"):
        Predictor(tmp_path / "absent.onnx")
    foreign = onnx.load(tiny_file)
    del foreign.metadata_props[:]
    onnx.save(foreign, tmp_path / "foreign.onnx")
    with pytest.raises(UserError, match="was not made by rgbd_perception"):
        Predictor(tmp_path / "foreign.onnx")


def test_which_backend_and_why(weights_path: Path, tiny_file: Path) -> None:
    predictor = Predictor(tiny_file)
    assert predictor.backend in ("openvino", "onnxruntime")
    assert predictor.backend_reason.startswith(f"{predictor.backend}; not tensorrt: ")
    request = BackendRequest(weights_path, automatic=True)
    with pytest.raises(Unavailable, match="is not exported"):
        find_graphs(request)
    automatic = Predictor(weights_path)
    assert automatic.backend == "torch"
    assert (
        "not onnxruntime" in automatic.backend_reason and "rgbd-perception export" in automatic.backend_reason
    )


def test_where_it_computes(tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Predictor(tiny_file, backend="onnxruntime").on_cpu
    providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime.InferenceSession, "get_providers", lambda session: providers)
    assert not Predictor(tiny_file, backend="onnxruntime").on_cpu


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


@pytest.mark.parametrize("frames", [2000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_memory_stays_flat_around_the_network(tiny_file: Path, frames: int) -> None:
    """A frame of the tiny graph takes half a millisecond: what grows would be our own."""
    growth = growth_of(Predictor(tiny_file, threads=1), frame_file.SIZE, frames)
    assert growth < 100 * frames, "the labels alone would take 600 bytes a frame"


@pytest.mark.slow
def test_memory_stays_flat(predictor: Predictor) -> None:
    assert growth_of(predictor, SIZE, frames=1000) < 4_000_000, "the labels of 1000 frames take 150 MB"


def growth_of(predictor: Predictor, size: tuple[int, int], frames: int) -> int:
    """Bytes of resident memory that so many frames take, by the quarter of them that takes least.

    What is kept for every frame grows in every quarter; a cache or the allocator takes its share once.
    """
    frame = make_frame(*size)
    resident = [resident_bytes()]
    for _ in range(4):
        for _ in range(frames // 4):
            predictor(frame)
        resident.append(resident_bytes())
    known = [size for size in resident if size is not None]
    if len(known) < len(resident):
        pytest.skip("only Linux tells the resident memory")
    return 4 * min(after - before for before, after in pairwise(known))
