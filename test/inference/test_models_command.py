"""``rgbd-perception models`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from rgbd_perception.cli.main import main
from rgbd_perception.inference.weights import imported_path
from rgbd_perception.models import create_model, list_models, measure

NAME = "geminifusion_mit_b0"


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As the authors' training writes it."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    state = {f"module.{name}": value for name, value in create_model(NAME).state_dict().items()}
    torch.save({"segmenter": state, "epoch_start": 1}, tmp_path / "model-best.pth.tar")
    return tmp_path / "model-best.pth.tar"


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list", "--json", "-"]) == 0
    captured = capsys.readouterr()
    models = {row["name"]: row for row in json.loads(captured.out)["models"]}
    assert list(models) == list_models()
    assert models["rgbd_mini"]["weights"] and not models[NAME]["weights"]
    assert models["dveformer_fullres"]["parameters"] == 56_281_912
    nyu = {"data": "NYUv2 test, 40 classes", "metric": "mIoU", "value": 56.8}
    assert nyu.items() <= models["geminifusion_mit_b3"]["published"][0].items()
    for name, row in models.items():
        assert f"\n{name} " in captured.err and row["licence"] in captured.err
        assert row["gmac"] > 0


def test_measured_sizes_are_listed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measure, "measure", lambda name: measure.NetworkSize(len(name), 1.23456))
    assert main(["models", "list", "--measure", "--json", str(tmp_path / "list.json")]) == 0
    result = json.loads((tmp_path / "list.json").read_text())
    assert result["measured"] is True
    assert all(row["parameters"] == len(row["name"]) and row["gmac"] == 1.235 for row in result["models"])
    assert "rgbd_mini" in capsys.readouterr().out


def test_info_on_a_model_without_weights_says_how_to_get_them(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", NAME]) == 2
    assert f"rgbd-perception models import {NAME} FILE" in capsys.readouterr().err


def test_import_then_info(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "import", NAME, str(checkpoint), "--depth-std", "0.3", "--json", "-"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["path"] == str(imported_path(NAME)) and result["file"] == "model-best.pth.tar"
    assert result["settings"]["depth_std"] == result["preprocessing"]["depth_std"] == 0.3
    assert len(result["labels"]) == 40
    folder = imported_path(NAME).parent
    assert sorted(path.name for path in folder.iterdir()) == [f"{NAME}.card.json", f"{NAME}.safetensors"]
    assert main(["info", NAME]) == 0
    assert "model-best.pth.tar" in capsys.readouterr().out


def test_what_does_not_fit_is_listed_and_nothing_written(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, report = tmp_path / "x.safetensors", tmp_path / "report.json"
    command = ["models", "import", "tokenfusion_mit_b2", str(checkpoint), "--out", str(out)]
    assert main([*command, "--json", str(report)]) == 2
    lines = capsys.readouterr().err.splitlines()
    misfits = json.loads(report.read_text())["misfits"]
    assert len(lines) == 22 and len(misfits) > 100
    assert lines[-2] == f"  and {len(misfits) - 20} more; --json FILE has all"
    assert lines[-1].startswith("error: ") and "is no checkpoint of tokenfusion_mit_b2" in lines[-1]
    assert "missing; the network has" in " ".join(misfits.values())
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--depth-std", "0"], "--depth-std in metres above 0"),
        (["--trained-on", "nyuv2"], "--trained-on is for DVEFormer and EMSAFormer"),
        (["--mode", "paper"], "no setting mode"),
    ],
)
def test_wrong_options(
    checkpoint: Path, options: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "import", NAME, str(checkpoint), *options]) == 2
    error = capsys.readouterr().err
    assert part in error and error.count("\n") == 1


def test_a_file_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "import", NAME, str(tmp_path / "absent.pth.tar")]) == 2
    assert "which does not exist" in capsys.readouterr().err
