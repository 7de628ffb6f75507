"""The source: a walk through all rooms without collisions, frames with truth, folders that read back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rgbd_perception.cli.main import main
from rgbd_perception.errors import UserError
from rgbd_perception.sources import open_source
from rgbd_perception.sources.synthetic import SyntheticSource, write_folder
from rgbd_perception.sources.synthetic.concepts import ABSENT_TEXTS, CLASS_NAMES, concept

SIZE = (96, 128)


@pytest.fixture(scope="module")
def source() -> SyntheticSource:
    return SyntheticSource(6, frames=40, size=SIZE, rooms=2)


@pytest.fixture(scope="module")
def folder(source: SyntheticSource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("synthetic") / "out"
    write_folder(source, path, progress=False)
    return path


@pytest.mark.parametrize("seed", [0, 3, 6])
def test_walk_keeps_away_from_things_and_turns_smoothly(seed: int) -> None:
    source = SyntheticSource(seed, frames=150, size=SIZE, rooms=3)
    poses = np.array([view.pose for view in source.views])
    rotations, positions = poses[:, :3, :3], poses[:, :3, 3]
    np.testing.assert_allclose(
        rotations @ rotations.transpose(0, 2, 1), np.broadcast_to(np.eye(3), rotations.shape), atol=1e-9
    )
    np.testing.assert_allclose(np.linalg.det(rotations), 1.0)
    assert source._renderer.clearance(positions).min() > 0.1
    assert np.all((positions[:, 2] >= 0.4) & (positions[:, 2] <= 1.7))
    cosine = (np.einsum("nij,nij->n", rotations[1:], rotations[:-1]) - 1) / 2
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 20
    for room in source.apartment.rooms:
        inside = (positions[:, :2] > (room.x0, room.y0)) & (positions[:, :2] < (room.x1, room.y1))
        assert np.any(np.all(inside, axis=1)), f"{room.kind} is never entered"


def test_frames_have_rising_stamps_poses_and_truth(source: SyntheticSource) -> None:
    frames = list(source)
    assert len(frames) == len(source) == 40
    stamps = [frame.stamp_ns for frame in frames]
    assert stamps == sorted(set(stamps))
    np.testing.assert_array_equal(source.map_from_source, np.eye(4))
    assert frames[3].color.shape == (*SIZE, 3)
    assert source.truth(3).label.shape == SIZE
    assert not source.skipped


def test_same_seed_gives_the_same_frames(source: SyntheticSource) -> None:
    other = SyntheticSource(6, frames=40, size=SIZE, rooms=2)
    for index in (17, 5):
        a, b = source.load(index), other.load(index)
        assert a.color.tobytes() == b.color.tobytes()
        assert a.depth.tobytes() == b.depth.tobytes()
        assert a.pose is not None and b.pose is not None
        assert a.pose.tobytes() == b.pose.tobytes()


def test_folder_reads_back(source: SyntheticSource, folder: Path) -> None:
    again = open_source(str(folder))
    assert len(again) == len(source)
    for index, frame in enumerate(again):
        if index not in (0, 11, 39):
            continue
        expected, truth = source.load(index), again.truth(index)
        np.testing.assert_array_equal(frame.color, expected.color)
        np.testing.assert_allclose(frame.depth, expected.depth, atol=0.00051)
        np.testing.assert_allclose(frame.pose, expected.pose, atol=1e-6)
        assert truth is not None
        np.testing.assert_array_equal(truth.label, source.truth(index).label)
        np.testing.assert_array_equal(truth.instance, source.truth(index).instance)


def test_objects_json_agrees_with_the_images(source: SyntheticSource, folder: Path) -> None:
    content = json.loads((folder / "objects.json").read_text(encoding="utf-8"))
    assert content["seed"] == 6
    assert content["up"] == "z"
    assert content["label_names"] == list(CLASS_NAMES)
    seen = np.zeros(len(content["objects"]) + 1, dtype=int)
    for index in range(len(source)):
        seen += np.bincount(source.truth(index).instance.ravel(), minlength=len(seen))
    for entry in content["objects"]:
        assert entry["visible_pixels"] == seen[entry["instance"]]
        assert entry["class"] == source.apartment.instances[entry["instance"] - 1].class_name
        assert entry["description"]
    assert source.ground_truth() == content


def test_queries_use_held_out_words_of_visible_classes_and_have_distractors(folder: Path) -> None:
    content = json.loads((folder / "objects.json").read_text(encoding="utf-8"))
    objects = {entry["instance"]: entry for entry in content["objects"]}
    assert len(content["queries"]) == 10
    for query in content["queries"]:
        assert query["text"] in concept(query["class"]).heldout
        matches = [e for e in objects.values() if e["class"] == query["class"] and e["visible_frames"] >= 3]
        assert matches
        assert len(query["distractors"]) >= 2
        for index in query["distractors"]:
            assert objects[index]["class"] != query["class"]
            assert objects[index]["visible_pixels"] > 0
    assert len(set(content["absent"])) == 10
    assert set(content["absent"]) <= set(ABSENT_TEXTS)


def test_a_folder_with_frames_is_not_overwritten(source: SyntheticSource, folder: Path) -> None:
    with pytest.raises(UserError, match="already holds frames"):
        write_folder(source, folder, progress=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"frames": 0}, "at least one frame"), ({"size": (8, 8)}, "pixels a side"), ({"seed": -1}, "0 or more")],
)
def test_senseless_numbers_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        SyntheticSource(**arguments)  # type: ignore[arg-type]


def test_command_writes_folders_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "rooms"
    command = [
        "synth",
        "--seed",
        "2",
        "--rooms",
        "1",
        "--frames",
        "3",
        "--size",
        "48x64",
        "--apartments",
        "2",
    ]
    assert main([*command, "--exact-depth", "--out", str(out), "--json", "-"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [entry["seed"] for entry in report["folders"]] == [2, 3]
    for entry in report["folders"]:
        assert (Path(entry["path"]) / "frame-000002.instance.png").is_file()
        assert (Path(entry["path"]) / "objects.json").is_file()


def test_command_refuses_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["synth", "--rooms", "99", "--out", str(tmp_path / "x")]) == 2
    assert "1 to 12 rooms" in capsys.readouterr().err
