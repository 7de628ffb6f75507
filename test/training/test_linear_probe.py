"""The published linear probe, scores on labelled views of any size, and the authors' figures beside them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rgbd_perception.cli import main as cli
from rgbd_perception.errors import UserError
from rgbd_perception.inference.loading import LoadedNetwork
from rgbd_perception.inference.weights import WeightsFile, WeightsInfo
from rgbd_perception.models import ModelOutput
from rgbd_perception.models.network import Network
from rgbd_perception.training.datasets.class_lists import NYUV2_40
from rgbd_perception.training.datasets.opening import open_views
from rgbd_perception.training.datasets.options import ALL
from rgbd_perception.training.datasets.views import DataSetInfo, LabelledView, LabelledViews
from rgbd_perception.training.labelled_outputs import DepthStatistics, embed_views, score_rows
from rgbd_perception.training.linear_probe import ProbeConfig, base_mode, train_probe
from rgbd_perception.training.published_scores import data_name, published_scores, score_table
from rgbd_perception.training.teacher.class_rows import ClassRows, save_class_rows
from test.training.teacher.rooms import CLASSES, write_views

DEPTH = DepthStatistics(2.0, 1.0)


@dataclass(frozen=True)
class TinyConfig:
    depth_mean: float = 2.0
    depth_std: float = 1.0
    input_size: tuple[int, int] = (24, 32)
    input_multiple: int = 8
    stride: int = 4


class ColorNetwork(Network):
    """Embeds a cell as its color and a little depth, after layers that differ in train mode."""

    has_embeddings = True

    def __init__(self) -> None:
        super().__init__()
        self.config = TinyConfig()
        self.norm = nn.BatchNorm2d(3)
        self.pool = nn.Sequential(nn.AvgPool2d(4), nn.Dropout(0.5))

    def forward(self, rgb: Tensor, depth: Tensor) -> ModelOutput:
        return ModelOutput(embedding=self.pool(self.norm(rgb) + 0.1 * depth))


@dataclass(frozen=True)
class ColoredViews:
    """The views of a folder, painted by class: red walls, green chairs, blue lamps (a LabelledViews)."""

    views: LabelledViews

    @property
    def info(self) -> DataSetInfo:
        return self.views.info

    def __len__(self) -> int:
        return len(self.views)

    def name(self, index: int) -> str:
        return self.views.name(index)

    def view(self, index: int) -> LabelledView:
        view = self.views.view(index)
        return replace(view, color=(200 * np.eye(3, dtype=np.uint8))[view.semantic])


@pytest.fixture
def views(tmp_path: Path) -> ColoredViews:
    return ColoredViews(open_views(write_views(tmp_path / "data"), ALL))


def mean_iou(views: LabelledViews, rows: Tensor) -> float:
    seen = (views.view(index) for index in range(len(views)))
    return score_rows(ColorNetwork().eval(), seen, {"way": rows}, DEPTH)["way"].scores(CLASSES).mean_iou


@pytest.mark.parametrize("base", ["eval", "train"])
def test_the_probe_learns_what_the_start_does_not_know(views: ColoredViews, base: str) -> None:
    start = torch.ones(3, 3)
    torch.manual_seed(0)
    *_, rows = train_probe(ColorNetwork(), views, start, ProbeConfig(epochs=10, rate=0.8, base=base), DEPTH)
    assert mean_iou(views, start) < 0.4
    assert mean_iou(views, rows) > 0.8
    assert rows.shape == (3, 3) and not rows.requires_grad


def test_the_same_seed_gives_the_same_probe(views: ColoredViews) -> None:
    first, second = (
        train_probe(ColorNetwork(), views, torch.eye(3), ProbeConfig(epochs=2), DEPTH) for _ in range(2)
    )
    assert len(first) == 2 and not torch.equal(*first)
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_a_frozen_network_is_left_as_it_was(mode: str) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout(0.5)).train()
    network[0].bias.requires_grad_(False)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    x = torch.randn(2, 3, 4, 4)
    with base_mode(network, mode):
        one, other = network(x), network(x)
        assert torch.equal(one, other) == (mode == "eval")
        assert not one.requires_grad
    assert network.training and network[0].weight.requires_grad and not network[0].bias.requires_grad
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_scores_are_at_the_size_of_the_labels(views: ColoredViews) -> None:
    network, view = ColorNetwork().eval(), views.view(0)
    assert view.shape == (12, 16)
    counts = score_rows(network, [view], {"way": torch.eye(3)}, DEPTH)["way"]
    assert counts.matrix.sum() == 12 * 16
    with pytest.raises(UserError, match="expected rows of 3 numbers"):
        score_rows(network, [view], {"way": torch.eye(4)}, DEPTH)


def test_a_view_without_depth_has_none(views: ColoredViews) -> None:
    view = views.view(0)
    holes = replace(view, depth=np.zeros(view.shape, np.float32))
    network = ColorNetwork().eval()
    without = embed_views(network, [replace(view, depth=None)], DEPTH)
    torch.testing.assert_close(without, embed_views(network, [holes], DEPTH))


def test_the_authors_figures_stand_beside_ours() -> None:
    info = DataSetInfo("nyuv2", "test", NYUV2_40.names, NYUV2_40.colors, NYUV2_40.things)
    published = published_scores("dveformer_fullres", info)
    assert published == {"text": 44.07, "visual means": 50.31, "linear probe": 57.05}
    assert data_name(replace(info, name="scannet", split="valid")) == "ScanNet validation, 40 classes"
    assert published_scores("dveformer_fullres", replace(info, split="train")) == {}
    assert published_scores("unknown", info) == {}
    table = score_table({"text": 44.0, "linear probe (base eval)": 58.05}, published, data_name(info))
    assert "| text | 44.00 | 44.07 | -0.07 |" in table
    assert "| linear probe (base eval) | 58.05 | 57.05 | +1.00 |" in table


def test_the_command_scores_every_way(tmp_path: Path) -> None:
    data, rows = write_views(tmp_path / "data", 2), tmp_path / "rows.npz"
    random = np.random.default_rng(0).standard_normal((2, 3, 384)).astype(np.float32)
    save_class_rows(rows, ClassRows(CLASSES, random[0], random[1]))
    arguments = ["--rows", str(rows), "--train-split", "all", "--test-split", "all", "--epochs", "1"]
    result = tmp_path / "result.json"
    assert cli.main(["probe", "rgbd_mini", str(data), *arguments, "--json", str(result)]) == 0
    scores = json.loads(result.read_text())
    assert set(scores["scores"]) == {"text", "visual means", "linear probe (base eval)"}
    assert scores["views"] == 2 and scores["data"] == "folder all, 3 classes"


@pytest.mark.parametrize(("keep", "epoch"), [("best", 2), ("last", 3)])
def test_the_best_epoch_is_kept_as_the_authors_do_or_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: str, epoch: int
) -> None:
    """Of a probe that is right after its second epoch and says one class at all others."""
    data, result = write_views(tmp_path / "data", 2), tmp_path / "result.json"
    network = ColorNetwork().eval()
    info = WeightsInfo("rgbd_mini", {}, CLASSES, "test-space")
    loaded = LoadedNetwork(network, WeightsFile(info, {}, np.eye(3, dtype=np.float32)))
    monkeypatch.setattr("rgbd_perception.inference.loading.load_network", lambda *_: loaded)
    monkeypatch.setattr(
        "rgbd_perception.training.datasets.opening.open_views",
        lambda *_: ColoredViews(open_views(data, ALL)),
    )
    wrong = torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    monkeypatch.setattr(
        "rgbd_perception.training.linear_probe.train_probe", lambda *_: [wrong, torch.eye(3), wrong]
    )
    splits = ["--train-split", "all", "--test-split", "all", "--epochs", "3", "--keep", keep]
    assert cli.main(["probe", "ours", str(data), *splits, "--json", str(result)]) == 0
    report = json.loads(result.read_text())
    way = "linear probe (base eval)"
    assert report["probes"][way]["epoch"] == epoch and report["probes"][way]["keep"] == keep
    assert report["probes"][way]["last_mean_iou"] < 0.4
    assert (report["scores"][way]["mean_iou"] > 0.8) == (keep == "best")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "expected epochs and a batch of 1 or more"),
        (["--test-split", "test"], "has no split 'test'"),
        (["--rows", "ROWS"], "differ in their classes: lamp"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    data, rows = write_views(tmp_path / "data", 1), tmp_path / "rows.npz"
    save_class_rows(rows, ClassRows(CLASSES[:2], np.eye(2, 384), np.eye(2, 384)))
    given = [str(rows) if argument == "ROWS" else argument for argument in arguments]
    splits = ["--train-split", "all", "--test-split", "all"]
    if "--rows" not in given:
        save_class_rows(rows, ClassRows(CLASSES, np.eye(3, 384), np.eye(3, 384)))
        splits += ["--rows", str(rows)]
    assert cli.main(["probe", "rgbd_mini", str(data), *splits, *given]) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.strip().splitlines()) == 1
