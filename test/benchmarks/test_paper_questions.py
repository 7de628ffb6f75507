"""The papers' questions in small: what is trained, what is left out when it is there, what the tables say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.paper_questions import rooms as rooms_module
from benchmarks.paper_questions.__main__ import append_run, check_budget, missing, read_runs
from benchmarks.paper_questions.groups import GROUPS, GroupedViews, group_numbers, grouped
from benchmarks.paper_questions.report import beyond_spread, changes, draw, tables, write_report
from benchmarks.paper_questions.rooms import FACTOR, Rooms, open_rooms, projected
from benchmarks.paper_questions.rows import BOTH, QUESTIONS, ROWS, Student
from benchmarks.paper_questions.runs import Budget, run_row
from rgbd_perception.errors import UserError
from rgbd_perception.sources.synthetic.concepts import CLASS_NAMES
from rgbd_perception.training.datasets.shard_views import ShardViews
from rgbd_perception.training.shards import ShardArrays, ShardInfo, open_shards, write_shard
from rgbd_perception.training.views_config import SplitConfig, ViewsConfig
from test.training.tiny import CLASSES, class_embeddings, write_tiny_shards

SMALL = Budget(steps=2, batch=4, test_views=2, threads=1)


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Rooms:
    root = tmp_path_factory.mktemp("rooms")
    write_tiny_shards(root / "train")
    write_tiny_shards(root / "test", count=1, seed=1)
    return Rooms(root, open_shards(root / "train"), open_shards(root / "test"), class_embeddings())


def made_up(row: str, seed: int, score: float) -> dict[str, Any]:
    names = {score for question in QUESTIONS for line in question.lines for score in line.scores}
    return {"row": row, "seed": seed, "steps": 2, "scores": dict.fromkeys(names, score)}


def test_every_line_is_of_a_row_that_is_trained_and_every_row_is_in_a_table() -> None:
    used = {line.row for question in QUESTIONS for line in question.lines}
    assert used == set(ROWS)
    assert all(len(line.scores) == len(each.columns) for each in QUESTIONS for line in each.lines)


def test_seeds_come_one_after_the_other_and_finished_runs_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "out" / "runs.jsonl"
    assert read_runs(file) == []
    append_run(file, made_up("student", 0, 0.5))
    append_run(file, made_up("student 64", 1, 0.5))
    names = ["student", "student 64"]
    assert list(missing(read_runs(file), names, 2)) == [("student 64", 0), ("student", 1)]
    assert [json.loads(line)["row"] for line in file.read_text().splitlines()] == names


def test_runs_of_another_budget_are_not_mixed(tmp_path: Path) -> None:
    check_budget([made_up("student", 0, 0.5)], SMALL, tmp_path / "runs.jsonl")
    with pytest.raises(UserError, match=r"runs\.jsonl has runs of 2 steps: use --steps 2 or another --out"):
        check_budget([made_up("student", 0, 0.5)], replace(SMALL, steps=3), tmp_path / "runs.jsonl")


def test_a_line_that_a_kill_cut_off_is_trained_again(tmp_path: Path) -> None:
    file = tmp_path / "runs.jsonl"
    append_run(file, made_up("student", 0, 0.5))
    with file.open("a") as lines:
        lines.write('{"row": "student 64", "se')
    assert [run["row"] for run in read_runs(file)] == ["student"]
    append_run(file, made_up("student 64", 0, 0.5))
    assert [run["row"] for run in read_runs(file)] == ["student", "student 64"]


def test_tables_have_means_spread_and_differences_of_equal_seeds() -> None:
    runs = [
        made_up("student", 0, 0.20),
        made_up("student", 1, 0.30),
        made_up("student", 2, 0.90),  # no partner: no difference
        made_up("student 64", 0, 0.15),
        made_up("student 64", 1, 0.27),
    ]
    dimension = next(question for question in QUESTIONS if question.name == "dimension")
    lines = {line.row: line for line in dimension.lines}
    np.testing.assert_allclose(changes(runs, lines["student 64"], lines["student"]), [-5.0, -3.0])
    text = tables(runs)
    assert "| 64 | 2 | 21.0 (15.0 to 27.0) |" in text
    assert "| -4.0 (-5.0 to -3.0) |" in text
    assert "| 128 | 0 | - | - | - |" in text


@pytest.mark.parametrize(
    ("values", "others", "differ"),
    [
        ([1.0, 2.0], [4.0, 5.5], True),  # a gap of 2, spreads of 1 and 1.5
        ([4.0, 5.5], [1.0, 2.0], True),
        ([1.0, 2.0], [4.0, 6.5], False),  # a spread of 2.5
        ([1.0, 4.5], [4.0, 5.5], False),
        ([1.0], [4.0, 4.1], False),  # one run has no spread to compare with
        ([], [4.0, 4.1], False),
    ],
)
def test_a_difference_is_a_gap_wider_than_both_spreads(
    values: list[float], others: list[float], differ: bool
) -> None:
    assert beyond_spread(values, others) == differ


def test_scores_beyond_the_spread_are_bold() -> None:
    runs = [made_up("student", 0, 0.20), made_up("student", 1, 0.21)]
    near = [made_up("student 64", seed, 0.22) for seed in (0, 1)]
    far = [made_up("student 128", seed, 0.30) for seed in (0, 1)]
    text = tables([*runs, *near, *far])
    assert "| 64 | 2 | 22.0 (22.0 to 22.0) |" in text
    assert "| 128 | 2 | **30.0** (30.0 to 30.0) |" in text


def test_report_is_written_from_whatever_is_there(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    write_report([made_up("student", 0, 0.25)], tmp_path / "new")
    assert "25.0 (25.0 to 25.0)" in (tmp_path / "new" / "tables.md").read_text()
    assert (tmp_path / "new" / "paper_questions.svg").read_text().startswith("<?xml")
    figure = draw([made_up(row, seed, 0.5) for row in ROWS for seed in (0, 1)])
    assert len(figure.axes) == len(QUESTIONS)


def test_rooms_are_reduced_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block's color is its mean, its depth and object are of one pixel; what is there is not made again."""
    rows = np.zeros((1, 8, 8), np.uint16)
    rows[0, :4, 4:] = 1
    depth = np.where(rows > 0, 1000, 2000).astype(np.uint16)
    color = np.zeros((1, 8, 8, 3), np.uint8)
    color[0, ::2, :4] = 200
    arrays = ShardArrays(color, depth, rows, np.ones((1, 1, 4), np.float16), np.zeros(1, np.uint8))
    for split in ("train", "test"):
        write_shard(tmp_path / "full" / split / "shard_00000", arrays, ShardInfo((0,), "test-space", CLASSES))
    monkeypatch.setattr(rooms_module, "render_all", lambda *_: None)
    monkeypatch.setattr(rooms_module, "load_classes", lambda _: class_embeddings())
    assert FACTOR == 4
    for _ in range(2):
        view = open_rooms(tmp_path / "full", tmp_path / "small").train[0].view(0)
        assert view.color[..., 0].tolist() == [[100, 0], [100, 0]]
        assert view.depth.tolist() == [[2000, 1000], [2000, 2000]]
        assert view.rows.tolist() == [[0, 1], [0, 0]]
        monkeypatch.setattr(rooms_module, "write_shard", None)


def test_groups_hold_every_class_once_and_what_is_void_stays_void(rooms: Rooms) -> None:
    members = [name for names in GROUPS.values() for name in names]
    assert len(set(members)) == len(members) and set(members) <= set(CLASS_NAMES)
    views = GroupedViews(ShardViews(rooms.root / "train", "train"))
    assert views.info.classes == tuple(GROUPS)
    other = len(GROUPS) - 1
    assert group_numbers(["rug", "wall", "mug"]).tolist() == [1, 0, other]
    before, after = ShardViews(rooms.root / "train", "train").view(0).semantic, views.view(0).semantic
    np.testing.assert_array_equal(after, np.array([0, other, other, other, -1])[before])
    shard = grouped(rooms).test[0]
    assert shard.classes.tolist() == [0, other, other, other] and shard.info.class_names == tuple(GROUPS)
    assert rooms.test[0].classes.tolist() == [0, 1, 2, 3]


def test_projected_texts_keep_what_tells_them_apart(rooms: Rooms) -> None:
    """Four texts span four dimensions: projected on these, their products are what they were."""
    small = projected(rooms, 4)
    assert small.classes.shape == (4, 4) and small.train[0].embeddings.shape[-1] == 4
    np.testing.assert_allclose(small.classes @ small.classes.T, rooms.classes @ rooms.classes.T, atol=2e-3)
    kept = small.train[0].embeddings.astype(np.float32)[:, 0] @ small.classes.T
    np.testing.assert_allclose(kept, rooms.classes @ rooms.classes.T, atol=2e-3)
    assert projected(rooms, rooms.classes.shape[1]) is rooms


def test_a_run_is_a_function_of_row_and_seed(rooms: Rooms) -> None:
    torch.set_num_threads(1)
    first, again, other = (run_row(Student(dimension=8), seed, rooms, SMALL) for seed in (0, 0, 1))
    assert first["scores"] == again["scores"] != other["scores"]
    assert first["train_views"] == 8 and first["steps"] == 2
    assert -1.0 <= first["scores"]["cosine"] <= 1.0


@pytest.mark.slow
def test_missing_rooms_are_rendered(tmp_path: Path) -> None:
    one = [SplitConfig(first_seed, 1) for first_seed in (0, 10, 20)]
    views = ViewsConfig((240, 320), 2, 6, 1, *one)
    rooms = open_rooms(tmp_path / "full", tmp_path / "small", views)
    assert [len(shard) for shard in (*rooms.train, *rooms.test)] == [2, 2]
    assert rooms.train[0].view(0).depth.shape == (60, 80)
    assert rooms.classes.shape[0] == len(rooms.test[0].info.class_names)


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS)
def test_every_row_is_trained_and_has_the_scores_of_its_tables(row: str, rooms: Rooms) -> None:
    wanted = {score for each in QUESTIONS for line in each.lines if line.row == row for score in line.scores}
    run = run_row(ROWS[row], 0, rooms, SMALL)
    assert wanted <= run["scores"].keys() and BOTH in run["scores"]
    assert all(np.isfinite(value) for value in run["scores"].values())
