"""export-map as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from rgbd_perception.cli.main import main
from rgbd_perception.mapping import VoxelMap
from test.mapping.scenes import NAMES, ROOM, VOCABULARY, looking_along, observe


@pytest.fixture(scope="module")
def map_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "room.rgbdmap"
    voxel_map = VoxelMap(frame_id="house")
    voxel_map.set_vocabulary(VOCABULARY)
    voxel_map.integrate(*observe(ROOM, looking_along(0.0), with_embedding=False))
    voxel_map.save(path)
    return path


def _export(map_file: Path, path: Path, *options: str) -> dict:
    report = path.with_suffix(".report")
    assert main(["export-map", str(map_file), "--to", str(path), "--json", str(report), *options]) == 0
    return json.loads(report.read_text())


@pytest.mark.parametrize(("suffix", "end"), [("ply", b"end_header\n"), ("pcd", b"DATA binary\n")])
def test_clouds_hold_the_well_observed_voxels(map_file, tmp_path, suffix, end):
    path = tmp_path / f"room.{suffix}"
    report = _export(map_file, path)
    voxel_map = VoxelMap.load(map_file)
    voxels = voxel_map.voxels(voxel_map.config.min_weight)
    assert report["counts"]["voxels"] == len(voxels.centers) < len(voxel_map)
    assert report["bytes"] == path.stat().st_size
    body = path.read_bytes().split(end, 1)[1]
    width = len(body) // len(voxels.centers)
    first = np.frombuffer(body, "<f4", 3)
    assert len(body) == width * len(voxels.centers)
    np.testing.assert_array_equal(first, voxels.centers[0])
    assert _export(map_file, path, "--min-weight", "0")["counts"]["voxels"] == len(voxel_map)


@pytest.mark.parametrize("name", ["room.yaml", "room.pgm"])
def test_the_pair_of_map_server(map_file, tmp_path, name):
    report = _export(map_file, tmp_path / name, "--floor-height", "0", "--robot-height", "1.0")
    assert [Path(file).name for file in report["files"]] == ["room.pgm", "room.yaml"]
    description = yaml.safe_load((tmp_path / "room.yaml").read_text())
    assert description["image"] == "room.pgm"
    assert description["resolution"] == 0.05
    counts = report["counts"]
    assert Image.open(tmp_path / "room.pgm").size == (counts["columns"], counts["rows"])
    assert counts["occupied"] > 10
    assert counts["free"] + counts["occupied"] + counts["unknown"] == counts["columns"] * counts["rows"]


def test_objects(map_file, tmp_path):
    report = _export(map_file, tmp_path / "things.json")
    content = json.loads((tmp_path / "things.json").read_text())
    assert content["frame_id"] == "house"
    assert content["label_names"] == list(NAMES)
    assert report["counts"]["objects"] == len(content["objects"]) == 2
    chair = next(item for item in content["objects"] if item["label"] == "chair")
    np.testing.assert_allclose(chair["position"], [2.15, 0.67, 0.82], atol=0.2)


def test_the_format_can_be_said(map_file, tmp_path):
    assert _export(map_file, tmp_path / "points.dat", "--format", "ply")["format"] == "ply"
    assert (tmp_path / "points.dat").read_bytes().startswith(b"ply\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--to", "{folder}/room.obj"], "suffixes .ply"),
        (["--to", "{map}", "--format", "ply"], "another file than the map"),
        (["--to", "{folder}/no/such/room.ply"], "could not be written"),
        (["--to", "{folder}/room.yaml", "--floor-height", "50"], "no voxel lies between"),
        (["--to", "{folder}/room.yaml", "--robot-height", "0.01"], "robot_height"),
        (["--to", "{folder}/room.ply", "--min-weight", "-1"], "min_weight"),
    ],
)
def test_mistakes_are_one_line_and_leave_no_file(map_file, tmp_path, capsys, options, message):
    before = map_file.read_bytes()
    filled = [option.format(folder=tmp_path, map=map_file) for option in options]
    assert main(["export-map", str(map_file), *filled]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
    assert map_file.read_bytes() == before
