"""Corruptions done by hand, and the studies from the command line to table, JSON and plot."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.cli import eval_model
from rgbd_perception.cli.main import main
from rgbd_perception.errors import UserError
from rgbd_perception.inference.weights import WeightsInfo, save_weights
from rgbd_perception.models import create_model
from rgbd_perception.models.network import Network
from rgbd_perception.training.corruptions import (
    Corruption,
    HoledDepth,
    NoisyDepth,
    ReplacedColor,
    ReplacedDepth,
    ShiftedDepth,
    Unchanged,
)
from rgbd_perception.training.run_study import run_study
from rgbd_perception.training.shards import View, open_shards
from rgbd_perception.training.studies import STUDIES, Study
from rgbd_perception.training.study_plot import draw_study
from test.models.tiny import tiny
from test.training.tiny import CLASSES, class_embeddings, write_tiny_shards

SHAPE = (48, 64)


def view() -> View:
    rng = np.random.default_rng(0)
    color = rng.integers(0, 256, (*SHAPE, 3), dtype=np.uint8)
    depth = rng.integers(500, 9000, SHAPE, dtype=np.uint16)
    depth[:4] = 0
    return View(color, depth, np.zeros(SHAPE, np.uint16))


@pytest.mark.parametrize("case", [case for study in STUDIES.values() for case in study.cases])
def test_corruptions_are_pure_and_repeatable(case: object) -> None:
    corruption: Corruption = case.corruption  # type: ignore[attr-defined]
    given_view, untouched = view(), view()
    first, again = corruption(given_view, 3), corruption(given_view, 3)
    for index, before in enumerate(untouched):
        np.testing.assert_array_equal(given_view[index], before)
        np.testing.assert_array_equal(first[index], again[index])
        assert (first[index].dtype, first[index].shape) == (before.dtype, before.shape)
    assert not (np.array_equal(first.color, untouched.color) and np.array_equal(first.depth, untouched.depth))


def test_replaced_images() -> None:
    assert not ReplacedColor("black")(view(), 0).color.any()
    assert (ReplacedColor("mean")(view(), 0).color == [124, 116, 104]).all()
    assert not ReplacedDepth("holes")(view(), 0).depth.any()
    noise = ReplacedDepth("noise")(view(), 0).depth
    assert 500 <= noise.min() < 700 and 5800 < noise.max() <= 6000
    assert (ReplacedColor("noise")(view(), 1).color != ReplacedColor("noise")(view(), 2).color).any()
    assert Unchanged()(view(), 0).depth[0, 0] == 0


def test_noise_grows_with_the_square_of_the_distance_and_spares_holes() -> None:
    depth = np.zeros(SHAPE, np.uint16)
    depth[16:32], depth[32:] = 1000, 3000
    noisy = NoisyDepth(0.01)(view()._replace(depth=depth), 0).depth.astype(float)
    assert not noisy[:16].any()
    assert noisy[16:32].std() == pytest.approx(10.0, rel=0.1)
    assert noisy[32:].std() == pytest.approx(90.0, rel=0.1)
    assert noisy[32:].mean() == pytest.approx(3000.0, abs=10.0)
    np.testing.assert_allclose(  # the same pattern, twice as strong
        NoisyDepth(0.02)(view()._replace(depth=depth), 0).depth[16:32] - 1000.0,
        2.0 * (noisy[16:32] - 1000.0),
        atol=2.0,
    )


@given(rows=st.integers(-3, 3), columns=st.integers(-3, 3))
def test_a_shift_moves_every_pixel_and_brings_holes_in(rows: int, columns: int) -> None:
    before = view().depth
    after = ShiftedDepth(rows, columns)(view(), 0).depth
    for row, column in ((10, 20), (30, 5), (40, 59)):
        assert after[row + rows, column + columns] == before[row, column]
    inside = np.zeros(SHAPE, bool)
    height, width = SHAPE
    inside[max(rows, 0) : height + min(rows, 0), max(columns, 0) : width + min(columns, 0)] = True
    assert not after[~inside].any()


@pytest.mark.parametrize("size", [1, 16])
def test_holes_have_their_share_and_grow(size: int) -> None:
    depth = np.full(SHAPE, 2000, np.uint16)
    holes = [HoledDepth(share, size)(view()._replace(depth=depth), 5).depth == 0 for share in (0.1, 0.5, 0.9)]
    assert [hole.mean() for hole in holes] == pytest.approx([0.1, 0.5, 0.9], abs=0.01)
    assert not (holes[0] & ~holes[1]).any() and not (holes[1] & ~holes[2]).any()
    neighbours = (holes[1][:, 1:] == holes[1][:, :-1]).mean()
    assert neighbours > 0.9 if size > 1 else neighbours < 0.6


def test_the_command_offers_the_studies_that_there_are() -> None:
    assert tuple(STUDIES) == eval_model.STUDY_NAMES


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shards")
    write_tiny_shards(root / "test")
    np.savez(root / "classes.npz", embeddings=class_embeddings(), names=np.array(CLASSES))
    (root / "tiny.yaml").write_text("model: rgbd_mini\n")
    info = WeightsInfo("rgbd_mini", {"depth_mean": 2.0}, CLASSES, "test-space")
    torch.manual_seed(0)
    save_weights(root / "mini.safetensors", create_model("rgbd_mini").state_dict(), info, class_embeddings())
    return root


def command(shards: Path, *more: str) -> list[str]:
    return [
        "eval-model",
        str(shards / "tiny.yaml"),
        *("--shards", str(shards)),
        *("--weights", str(shards / "mini.safetensors")),
        *("--no-render", "--max-views", "3", *more),
    ]


def test_a_study_from_the_command_line(
    shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plot = tmp_path / "new" / "plot.png"
    more = ("--study", "modality-dropout", "--plot", str(plot), "--json", "-")
    assert main(command(shards, *more)) == 0
    out, table = capsys.readouterr()
    result = json.loads(out)
    assert (result["study"], result["views"]) == ("modality-dropout", 3)
    assert [(case["series"], case["level"]) for case in result["cases"]][-1] == ("depth", "noise")
    assert all(set(case["iou"]) <= set(CLASSES) for case in [result["clean"], *result["cases"]])
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 1 + len(result["cases"])
    assert f"| {100 * result['clean']['mean_iou']:.1f} | +0.0 |" in rows[2]
    assert plot.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--plot", "plot.png"), "add --study"),
        (("--study", "depth-noise", "--plot", "plot.jpg"), ".png, .svg, .pdf, got plot.jpg"),
        (("--max-views", "0"), "at least 1"),
    ],
)
def test_mistakes_are_one_line(
    shards: Path, more: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(shards, *more)) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def classifier(classes: int) -> Network:
    return tiny("geminifusion_mit_b0", num_classes=classes)


def test_networks_with_a_classifier_are_studied_too(shards: Path) -> None:
    study = Study("depth-noise", "", "", STUDIES["depth-noise"].cases[-1:])
    test = open_shards(shards / "test")
    result = run_study(classifier(len(CLASSES)), test, class_embeddings(), study, max_views=1)
    assert result["clean"]["mean_iou"] != result["cases"][0]["mean_iou"]
    with pytest.raises(UserError, match="classes of the data, 4, got one with 7"):
        run_study(classifier(7), test, class_embeddings(), study, max_views=1)


@pytest.mark.parametrize("name", STUDIES)
def test_the_plot_shows_what_the_table_says(name: str) -> None:
    cases = [
        {"series": case.series, "level": case.level, "mean_iou": 0.5 - 0.01 * rank}
        for rank, case in enumerate(STUDIES[name].cases)
    ]
    result = {"study": name, "axis": "strength", "views": 2, "clean": {"mean_iou": 0.6}, "cases": cases}
    (axes,) = draw_study(result).axes
    assert axes.get_xlabel() == "strength"
    curves = [line for line in axes.lines if not line.get_label().startswith("unchanged")]
    drawn = [y for line in curves for y in line.get_ydata()] or [bar.get_height() for bar in axes.patches]
    np.testing.assert_allclose(drawn, [100 * case["mean_iou"] for case in cases])
    assert set(axes.get_legend_handles_labels()[1]) >= {case["series"] for case in cases}
