"""``rgbd-perception segment`` from image files to result files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from rgbd_perception.cli.main import main
from test.inference.conftest import LABELS


@pytest.fixture
def images(tmp_path: Path) -> tuple[str, str]:
    rng = np.random.default_rng(0)
    color, depth = tmp_path / "color.png", tmp_path / "depth.png"
    cv2.imwrite(str(color), rng.integers(0, 256, (90, 120, 3), dtype=np.uint8))
    cv2.imwrite(str(depth), rng.integers(0, 5000, (90, 120), dtype=np.uint16))
    return str(color), str(depth)


def test_results(
    images: tuple[str, str], weights_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["segment", *images, "--out", str(out), "--model", str(weights_path), "--json", "-"]) == 0
    result = json.loads(capsys.readouterr().out)
    labels = cv2.imread(str(out / "labels.png"), cv2.IMREAD_UNCHANGED)
    assert labels.dtype == np.uint16 and labels.shape == (90, 120)
    assert result["label_names"] == list(LABELS)
    assert sum(entry["pixels"] for entry in result["classes"]) == labels.size
    for entry in result["classes"]:
        assert (labels == entry["id"]).sum() == entry["pixels"]
        assert LABELS[entry["id"]] == entry["label"]
    masks = cv2.cvtColor(cv2.imread(str(out / "masks.png")), cv2.COLOR_BGR2RGB)
    with (out / "legend.csv").open(encoding="utf-8") as file:
        legend = list(csv.DictReader(file))
    assert [entry["name"] for entry in legend] == list(LABELS)
    for entry in legend:
        inside = labels == int(entry["id"])
        assert inside.sum() == int(entry["pixels"])
        assert {"#" + bytes(color).hex() for color in masks[inside]} <= {entry["color"]}
    assert {(entry["label"], entry["color"]) for entry in result["classes"]} <= {
        (entry["name"], entry["color"]) for entry in legend
    }
    confidence = cv2.imread(str(out / "confidence.png"), cv2.IMREAD_UNCHANGED)
    assert confidence.dtype == np.uint8 and confidence.shape == labels.shape
    overlay = cv2.imread(str(out / "overlay.png"))
    assert overlay.shape[1] == 120 and overlay.shape[0] > 90
    with np.load(out / "embeddings.npz") as file:
        assert file["embedding"].shape == (23, 30, 384) and file["embedding"].dtype == np.float16
        assert int(file["stride"]) == result["stride"] == 4
        assert str(file["model_id"]) == result["model_id"]


def test_depth_scale(
    images: tuple[str, str], weights_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Depth in other units with the right scale gives the same result."""
    color, depth = images
    tenths = tmp_path / "tenths.png"
    cv2.imwrite(str(tenths), 10 * cv2.imread(depth, cv2.IMREAD_UNCHANGED))
    arguments = ["--model", str(weights_path), "--out"]
    assert main(["segment", color, depth, *arguments, str(tmp_path / "a")]) == 0
    assert (
        main(["segment", color, str(tenths), "--depth-scale", "0.0001", *arguments, str(tmp_path / "b")]) == 0
    )
    first, second = (np.load(tmp_path / name / "embeddings.npz")["embedding"] for name in "ab")
    np.testing.assert_allclose(first, second, atol=2e-3)


def test_a_real_pair(shared_data: Path, weights_path: Path, tmp_path: Path) -> None:
    pair = [str(shared_data / "nicr_sample" / kind / "sample.png") for kind in ("rgb", "depth")]
    assert main(["segment", *pair, "--out", str(tmp_path), "--model", str(weights_path)]) == 0
    for name in ("labels", "confidence", "masks"):
        assert cv2.imread(str(tmp_path / f"{name}.png"), cv2.IMREAD_UNCHANGED).shape[:2] == (1080, 1440)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({0: "absent.png"}, "absent.png does not exist"),
        ({1: "color.png"}, "expected one channel of 16 bits"),
        ({1: "small.png"}, "depth is 9x12, color 90x120"),
    ],
)
def test_unusable_images(
    images: tuple[str, str],
    weights_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: dict[int, str],
    message: str,
) -> None:
    cv2.imwrite(str(tmp_path / "small.png"), np.ones((9, 12), np.uint16))
    paths = list(images)
    for index, name in change.items():
        paths[index] = str(tmp_path / name)
    assert main(["segment", *paths, "--out", str(tmp_path / "out"), "--model", str(weights_path)]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_a_scale_in_the_wrong_unit(
    images: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["segment", *images, "--out", str(tmp_path), "--depth-scale", "1000"]) == 2
    assert "--depth-scale in metres" in capsys.readouterr().err


def test_a_network_with_classes_only_and_no_weights(
    images: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["segment", *images, "--out", str(out), "--model", "geminifusion_mit_b0"]
    assert main(command) == 2
    assert "models import geminifusion_mit_b0 FILE" in capsys.readouterr().err
    assert not out.exists()
    assert main([*command, "--untrained", "--json", "-"]) == 0
    captured = capsys.readouterr()
    assert "geminifusion_mit_b0-untrained has random weights" in captured.err
    result = json.loads(captured.out)
    assert set(result["files"]) == {"labels", "confidence", "masks", "legend", "overlay"}
    assert sorted(result["files"].values()) == sorted(str(path) for path in out.iterdir())
    assert len(result["label_names"]) == 40 and result["text_space"] == ""
