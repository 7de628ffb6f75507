"""One command from nothing to a weights file that predicts, and what it answers to mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from rgbd_perception.cli.main import main
from rgbd_perception.frame import CameraIntrinsics, RgbdFrame
from rgbd_perception.inference import Predictor
from rgbd_perception.training.metrics import Confusion
from rgbd_perception.training.shards import open_shards
from rgbd_perception.training.view_outputs import label_image

CONFIG = {
    "processes": 1,
    "budget": {"steps": 2},
    "views": {
        "size": [64, 96],
        "views_per_apartment": 1,
        "apartments_per_shard": 1,
        "descriptions": 1,
        "train": {"first_seed": 0, "apartments": 2},
        "validation": {"first_seed": 10, "apartments": 1},
        "test": {"first_seed": 20, "apartments": 1},
    },
    "phases": [{"start": 0.0, "batch": 2, "crop": {"size": [64, 64], "zoom": [0.9, 1.1]}}],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("distill")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(CONFIG))
    return folder


def _distill(folder: Path, *more: str) -> int:
    arguments = ["distill", str(folder / "tiny.yaml"), "--shards", str(folder / "shards")]
    return main([*arguments, "--out", str(folder / "run"), *more])


@pytest.fixture(scope="module")
def weights(folder: Path) -> Path:
    assert _distill(folder, "--json", str(folder / "distill.json")) == 0
    return Path(json.loads((folder / "distill.json").read_text())["weights"])


def test_it_renders_trains_and_writes_weights_that_predict(weights: Path) -> None:
    predictor = Predictor(weights)
    frame = RgbdFrame(
        color=np.full((48, 64, 3), 90, np.uint8),
        depth=np.full((48, 64), 2.0, np.float32),
        intrinsics=CameraIntrinsics(60.0, 60.0, 31.5, 23.5, 64, 48),
    )
    prediction = predictor(frame)
    assert prediction.cell_labels.max() < len(predictor.vocabulary.names)
    assert prediction.embedding is not None and np.isfinite(prediction.embedding.astype(np.float32)).all()


@pytest.mark.slow
def test_two_processes_do_all_of_it_too(folder: Path) -> None:
    shards, out = folder / "shards_of_two", folder / "run_of_two"
    phases = [{**phase, "batch": 4} for phase in CONFIG["phases"]]
    (folder / "two.yaml").write_text(yaml.safe_dump({**CONFIG, "processes": 2, "phases": phases}))
    arguments = ["distill", str(folder / "two.yaml"), "--shards", str(shards), "--out", str(out)]
    assert main(arguments) == 0
    predictor = Predictor(out / "weights.safetensors")
    assert predictor.vocabulary.names == open_shards(shards / "test")[0].info.class_names


def test_a_run_is_not_overwritten_and_its_weights_can_be_written_again(
    folder: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _distill(folder) == 2
    assert "--resume" in capsys.readouterr().err
    again = folder / "again.safetensors"
    assert _distill(folder, "--export-only", str(again)) == 0
    assert again.read_bytes() == weights.read_bytes()


def test_the_written_weights_are_scored_on_the_held_out_views(folder: Path, weights: Path) -> None:
    report = folder / "scores.json"
    arguments = ["eval-model", str(folder / "tiny.yaml"), "--shards", str(folder / "shards")]
    assert main([*arguments, "--weights", str(weights), "--json", str(report)]) == 0
    scores = json.loads(report.read_text())
    assert set(scores["by_text"]) == {"color_and_depth", "color_only", "depth_only"}
    for way in (scores["by_text"]["color_and_depth"], scores["by_visual_means"], scores["by_linear_probe"]):
        assert 0.0 <= way["mean_iou"] <= 1.0


def test_visual_means_and_a_linear_probe_become_weights_that_predict(folder: Path, weights: Path) -> None:
    arguments = ["eval-model", str(folder / "tiny.yaml"), "--shards", str(folder / "shards")]
    files = {way: folder / f"{way}.safetensors" for way in ("visual-means", "linear-probe")}
    saving = [text for way, path in files.items() for text in (f"--save-{way}", str(path))]
    report = folder / "classifiers.json"
    assert main([*arguments, "--weights", str(weights), *saving, "--json", str(report)]) == 0
    scores = json.loads(report.read_text())
    for way, path in files.items():
        predictor = Predictor(path)
        assert predictor.class_embeddings is not None, "the map needs the texts still"
        shards = open_shards(folder / "shards" / "test")
        confusion = Confusion(len(predictor.vocabulary.names))
        for shard in shards:
            for index in range(len(shard)):
                view = shard.view(index)
                height, width = view.depth.shape
                camera = CameraIntrinsics(60.0, 60.0, (width - 1) / 2, (height - 1) / 2, width, height)
                prediction = predictor(RgbdFrame(view.color, view.depth.astype(np.float32) * 0.001, camera))
                assert prediction.labels is not None
                confusion.add(label_image(shard, view), prediction.labels)
        found = confusion.scores(shards[0].info.class_names)
        wanted = scores["by_" + way.replace("-", "_")]
        assert found.accuracy == pytest.approx(wanted["accuracy"], abs=0.01)


def test_what_cannot_be_saved_is_said_before_the_work(
    folder: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "eval-model",
        str(folder / "tiny.yaml"),
        "--save-visual-means",
        str(folder / "x.safetensors"),
    ]
    assert main([*arguments, "--no-probe"]) == 2
    assert "cannot go with" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("budget: {minutes: soon}", "expected float"),
        ("budgets: {}", "unknown budgets"),
        ("phases: [{start: 0.0, batch: 2, crop: {size: [64, 64], zoom: [1.0, 1.0]}}]", "at least 2 views"),
        ("views: {test: {first_seed: 0, apartments: 3}}", "overlap"),
    ],
)
def test_a_wrong_configuration_is_one_line(
    tmp_path: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wrong.yaml").write_text(text)
    assert main(["distill", str(tmp_path / "wrong.yaml"), "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
