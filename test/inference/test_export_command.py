"""``rgbd-perception export`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest

from rgbd_perception.cli.main import main
from rgbd_perception.errors import UserError
from rgbd_perception.frame import RgbdFrame
from rgbd_perception.inference import Predictor
from rgbd_perception.inference.classes import Classes
from rgbd_perception.inference.graphs import graphs_folder
from rgbd_perception.inference.weights import read_info
from rgbd_perception.vocabulary import Vocabulary
from test.inference.test_predictor import make_frame

SIZE = (64, 96)
MAX_CLASSES = 1000


class Exported(NamedTuple):
    """A file, and what the command said about it."""

    path: Path
    summary: dict[str, Any]


@pytest.fixture(scope="module")
def exported(shallow_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("export")
    path, summary = folder / "mm.onnx", folder / "mm.json"
    options = ["--size", "64x96", "--depth", "millimetres", "--max-classes", str(MAX_CLASSES)]
    command = ["export", str(shallow_path), "--onnx", str(path), *options, "--json", str(summary)]
    assert main(command) == 0
    return Exported(path, json.loads(summary.read_text()))


def test_what_it_says(exported: Exported, shallow_path: Path) -> None:
    said = exported.summary
    assert (said["precision"], said["size"], said["max_classes"]) == ("fp32", list(SIZE), MAX_CLASSES)
    assert said["model_id"] == read_info(shallow_path).model_id
    assert said["bytes"] == exported.path.stat().st_size
    inputs = {value["name"]: (value["shape"], value["dtype"]) for value in said["inputs"]}
    assert inputs["depth"] == ([*SIZE, 2], "uint8")
    assert inputs["class_matrix"] == ([MAX_CLASSES, 384], "float32")
    outputs = {value["name"]: value["shape"] for value in said["outputs"]}
    assert outputs["labels"] == [16, 24] and outputs["embedding"] == [16, 24, 384]
    model = onnx.load(exported.path)
    assert [opset.version for opset in model.opset_import] == [17]
    assert {node.domain for node in model.graph.node} == {""}, "no operator of one run-time only"


def test_millimetres_are_as_good_as_metres_rounded(exported: Exported, shallow_path: Path) -> None:
    frame = make_frame(*SIZE)
    depth = frame.depth.copy()
    depth[:9, :14], depth[20:30], depth[40:44], depth[50] = 0, np.nan, 30.0, -1.0
    rounded = (np.rint(1000 * depth) / 1000).astype(np.float32)
    found = Predictor(exported.path)(RgbdFrame(frame.color, depth, frame.intrinsics))
    wanted = Predictor(shallow_path, backend="torch")(RgbdFrame(frame.color, rounded, frame.intrinsics))
    np.testing.assert_allclose(found.cell_confidence, wanted.cell_confidence, atol=1e-4)
    assert (found.labels == wanted.labels).mean() > 0.99


@pytest.mark.parametrize("count", [1, MAX_CLASSES])
def test_vocabularies_up_to_what_was_asked_for(exported: Exported, shallow_path: Path, count: int) -> None:
    """Rows that no name was given for never win, and take nothing of the confidence."""
    rows = np.random.default_rng(count).standard_normal((count, 384)).astype(np.float32)
    names = [f"thing {index}" for index in range(count)]
    classes = Classes(Vocabulary(names, "all-MiniLM-L6-v2"), rows, rows)
    frame = make_frame(*SIZE)
    predictions = []
    for predictor in (Predictor(exported.path), Predictor(shallow_path, backend="torch")):
        predictor.use_classes(classes)
        predictions.append(predictor(frame))
    found, wanted = predictions
    np.testing.assert_allclose(found.cell_confidence, wanted.cell_confidence, atol=5e-3)  # depth is rounded
    assert found.labels.max() < count and found.vocabulary_id == classes.vocabulary.id


def test_one_name_too_many(exported: Exported) -> None:
    rows = np.zeros((MAX_CLASSES + 1, 384), np.float32)
    names = [f"thing {index}" for index in range(len(rows))]
    with pytest.raises(UserError, match=r"takes 1000 class names, 1001 were given: .*--max-classes 1001"):
        Predictor(exported.path).use_classes(Classes(Vocabulary(names, "all-MiniLM-L6-v2"), rows, rows))


@pytest.mark.slow
def test_without_a_file_it_lies_where_the_backend_looks(
    shallow_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert main(["export", str(shallow_path), "--size", "32x64"]) == 0
    (path,) = graphs_folder().iterdir()
    assert path.is_relative_to(tmp_path) and path.stem.endswith("-fp32-v1-32x64")
    predictor = Predictor(shallow_path)
    assert predictor.backend == "onnxruntime"
    assert predictor(make_frame(32, 64)).labels.shape == (32, 64)


def test_what_cannot_be_done(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for options, message in (
        (["rgbd_mini", "--size", "64"], "expected a size as HEIGHTxWIDTH"),
        (["rgbd_giant"], "expected a model of `rgbd-perception models list`"),
        (["rgbd_mini", "--max-classes", "-1"], "expected 1 to 65534 classes, got -1"),
        (
            ["rgbd_mini", "--onnx", str(tmp_path / "no.pt")],
            "expected --onnx with a file that ends with .onnx",
        ),
    ):
        assert main(["export", "--onnx", str(tmp_path / "no.onnx"), *options]) == 2
        assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
