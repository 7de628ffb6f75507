"""``data check``: clean data sets are clean, and every kind of damage is one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from rgbd_perception.cli.main import main
from rgbd_perception.training.datasets import checking
from rgbd_perception.training.datasets.opening import open_views
from test.training.datasets import minis
from test.training.tiny import write_tiny_shards


def check(root: Path, *options: str, partial: bool = True) -> tuple[int, dict[str, Any]]:
    """Exit status and JSON."""
    out = root.parent / "report.json"
    arguments = ["data", "check", str(root), "--json", str(out), *options]
    status = main([*arguments, "--partial"] if partial else arguments)
    return status, json.loads(out.read_text()) if out.exists() else {}


@pytest.mark.parametrize("name", sorted(minis.WRITERS))
def test_a_whole_miniature_is_clean(name: str, tmp_path: Path) -> None:
    minis.WRITERS[name](tmp_path / name)
    status, report = check(tmp_path / name)
    assert report["problems"] == []
    assert status == 0
    assert report["layout"] == minis.LAYOUT.get(name, name)
    for split in report["splits"]:
        assert split["readable"] == split["views"] > 0
        shares = {entry["name"]: entry["share"] for entry in split["classes"]}
        assert sum(shares.values()) == pytest.approx(1.0)
        # half of the pixels are class 0, half class 3, less one or two of void in the upper half
        assert shares[split["classes"][0]["name"]] == pytest.approx(0.5, abs=0.002)
        assert split["classes"][minis.CLASS]["views"] == split["views"]


@pytest.mark.parametrize("name", ["nyuv2", "sunrgbd", "nyudv2_list", "sunrgbd_list", "deliver", "scannet"])
def test_official_sizes_are_compared(name: str, tmp_path: Path) -> None:
    minis.WRITERS[name](tmp_path / name)
    status, report = check(tmp_path / name, partial=False)
    assert status == 2
    wrong = [problem for problem in report["problems"] if "of the official split" in problem]
    assert len(wrong) == len(report["splits"]) == 2
    missing = [problem for problem in report["problems"] if problem.startswith("there is no split")]
    assert len(missing) == (name == "deliver")  # the miniature has no test split
    assert len(report["problems"]) == len(wrong) + len(missing)


def test_statistics_are_those_of_the_files(tmp_path: Path) -> None:
    root = tmp_path / "own"
    minis.write_own_folder(root)
    (split,) = check(root, "--split", "val")[1]["splits"]
    pixels = minis.SIZE[0] * minis.SIZE[1]
    depth = minis.depth() / 1000.0
    valid = depth[depth > 0]
    assert split["depth"]["mean"] == pytest.approx(valid.mean())
    assert split["depth"]["std"] == pytest.approx(valid.std())
    assert split["depth"]["nearest"] == pytest.approx(1.5)
    assert split["depth"]["farthest"] == pytest.approx(3.0)
    assert split["depth"]["missing"] == pytest.approx(1 / pixels)
    assert split["void_share"] == pytest.approx(1 / pixels)
    assert split["sizes"] == {"24x32": 1}
    assert [entry["pixels"] for entry in split["classes"]] == [pixels // 2, 0, 0, pixels // 2 - 1]


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


def _recode(path: Path, change: Callable[[Any], Any]) -> None:
    minis.write_png(path, change(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)))


def _unknown_label(path: Path) -> None:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    image[5, 5] = 77
    minis.write_png(path, image)


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing color": (lambda root: (root / "color/b.png").unlink(), "color/b.png does not exist"),
    "missing label": (lambda root: (root / "label/b.png").unlink(), "label/b.png does not exist"),
    "missing depth": (lambda root: (root / "depth/b.png").unlink(), "depth/b.png does not exist"),
    "corrupt color": (lambda root: _truncate(root / "color/b.png"), "color/b.png is not a whole PNG"),
    "corrupt label": (lambda root: _truncate(root / "label/b.png"), "label/b.png is not a whole PNG"),
    "empty depth": (lambda root: (root / "depth/b.png").write_bytes(b""), "depth/b.png is empty"),
    "unknown label": (
        lambda root: _unknown_label(root / "label/b.png"),
        "label/b.png: unknown label 77, 1 pixel: expected 0 to 3, or 255 or 65535 for void",
    ),
    "label of another size": (
        lambda root: _recode(root / "label/b.png", lambda image: image[:-4]),
        "label/b.png: semantic of 20x32, expected 24x32 as b.png",
    ),
    "depth of another size": (
        lambda root: _recode(root / "depth/b.png", lambda image: image[:, :-4]),
        "depth/b.png: depth of 24x28, expected 24x32 as b.png",
    ),
    "color as label": (
        lambda root: _recode(root / "label/b.png", lambda image: np.dstack([image] * 3)),
        "expected one channel",
    ),
    "HHA as depth": (
        lambda root: _recode(
            root / "depth/b.png", lambda image: np.dstack([image, image + 1, image]).astype(np.uint8)
        ),
        "depth/b.png: three different channels (HHA?), expected depth in one channel",
    ),
    "name twice": (lambda root: (root / "train.txt").write_text("a\nb\nb\n"), "names 'b' 2 times"),
    "empty split": (lambda root: (root / "train.txt").write_text("\n"), "train.txt is empty"),
    "no depth at all": (lambda root: (root / "depth").rename(root / "d"), "there is no such folder"),
}


@pytest.mark.parametrize("damage", sorted(DAMAGE))
def test_each_damage_is_one_line(damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "own"
    minis.write_own_folder(root)
    spoil, line = DAMAGE[damage]
    spoil(root)
    status, report = check(root, "--split", "train")
    assert status == 2
    assert len(report["problems"]) == 1
    assert line in report["problems"][0]
    assert report["problems"][0].startswith("train: ")
    assert "\n" not in report["problems"][0]
    printed = capsys.readouterr()
    assert [text for text in printed.out.splitlines() if text.startswith("problem: ")] == [
        f"problem: {report['problems'][0]}"
    ]
    assert "Traceback" not in printed.err


def test_everything_wrong_with_one_view_is_told(tmp_path: Path) -> None:
    root = tmp_path / "own"
    minis.write_own_folder(root)
    (root / "depth/b.png").unlink()
    _unknown_label(root / "label/b.png")
    problems = check(root)[1]["problems"]
    assert len(problems) == 2


def test_a_data_set_without_depth_may_be_wanted(tmp_path: Path) -> None:
    root = tmp_path / "own"
    minis.write_own_folder(root)
    (root / "depth").rename(root / "not_depth")
    status, report = check(root, "--no-depth")
    assert status == 0
    assert report["splits"][0]["depth"] is None


def test_a_view_in_two_splits_is_a_problem(tmp_path: Path) -> None:
    root = tmp_path / "own"
    minis.write_own_folder(root)
    (root / "val.txt").write_text("a\n")
    assert check(root)[1]["problems"] == ["a is in the splits train and val"]


def test_depth_in_another_unit_is_found(tmp_path: Path) -> None:
    root = tmp_path / "sunrgbd"
    minis.write_nyuv2(root)
    for path in root.glob("*/depth_raw/*.png"):
        _recode(path, lambda image: image * 8)
    problems = check(root)[1]["problems"]
    assert len(problems) == 2
    assert all("it is in another unit" in problem for problem in problems)


def test_only_void_is_a_problem(tmp_path: Path) -> None:
    root = tmp_path / "own"
    minis.write_own_folder(root)
    _recode(root / "label/c.png", lambda image: np.full_like(image, 255))
    assert check(root)[1]["problems"] == ["val: no pixel has a class: every label is void"]


def test_shards_are_checked(tmp_path: Path) -> None:
    write_tiny_shards(tmp_path / "shards" / "train", 2)
    status, report = check(tmp_path / "shards")
    assert status == 0
    assert report["layout"] == "shards"
    assert report["splits"][0]["views"] == 8
    rows = np.load(tmp_path / "shards/train/shard_00001/rows.npy")
    rows[2, 0, 0] = 99
    np.save(tmp_path / "shards/train/shard_00001/rows.npy", rows)
    (problem,) = check(tmp_path / "shards")[1]["problems"]
    assert "view 2 has object 99, expected at most 4" in problem


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--layout", "nyuv9"], "expected a layout of auto, "),
        (["--split", "tset"], "has no split 'tset': expected train, val"),
        (["--workers", "0"], "expected --workers and --views of 1 or more"),
        (["--depth-units", "0"], "expected values for a metre above 0"),
    ],
)
def test_bad_options_are_one_line(
    options: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    minis.write_own_folder(tmp_path / "own")
    assert main(["data", "check", str(tmp_path / "own"), *options]) == 2
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1


def test_a_folder_without_data_names_what_was_looked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "check", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "found no data set" in error
    assert "classes.txt" in error
    assert main(["data", "check", str(tmp_path / "nowhere")]) == 2


def test_the_contact_sheet_shows_the_views(tmp_path: Path) -> None:
    root = tmp_path / "own"
    minis.write_own_folder(root)
    (root / "depth/b.png").unlink()  # cannot be shown
    sheet = tmp_path / "out" / "sheet.png"
    assert check(root, "--split", "train", "--sheet", str(sheet))[0] == 2
    picture = cv2.imread(str(sheet))
    assert picture is not None
    reddish = np.abs(picture[..., ::-1].astype(int) - minis.COLOR).max(axis=-1) <= 2
    assert reddish.sum() == minis.SIZE[0] * minis.SIZE[1]  # the color of the one readable view
    (tmp_path / "file").write_text("")
    assert main(["data", "check", str(root), "--sheet", str(tmp_path / "file" / "sheet.png")]) == 2


def test_more_workers_find_the_same(tmp_path: Path) -> None:
    minis.write_scannet(tmp_path)
    views = open_views(tmp_path, "train")
    one, many = (checking.check_split(views, partial=True, workers=count) for count in (1, 4))
    assert np.array_equal(one.pixels, many.pixels)
    assert one.depth == many.depth
    assert one.problems == many.problems
