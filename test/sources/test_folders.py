"""The folder layouts: what is written comes back, and what is missing or damaged is counted or named."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from rgbd_perception.errors import UserError
from rgbd_perception.frame import RgbdFrame
from rgbd_perception.sources import SourceOptions, indexed_frames, open_source
from rgbd_perception.sources.base import RecordedSource
from test.sources.folders import (
    CAMERA,
    camera_pose,
    room_frame,
    room_walk,
    rounded,
    write_hololens,
    write_tsdf_fusion,
    write_tum,
)

_K = (CAMERA.fx, CAMERA.fy, CAMERA.cx, CAMERA.cy)
_OPTIONS = SourceOptions(up="z", intrinsics=_K)

Writer = Callable[[Path, Sequence[RgbdFrame]], Path]


def _play(folder: Path, options: SourceOptions = _OPTIONS) -> tuple[list[RgbdFrame], dict[str, int]]:
    source = open_source(str(folder), options)
    frames = list(source)
    assert len(frames) + sum(source.skipped.values()) == len(source)
    return frames, dict(source.skipped)


@pytest.mark.parametrize("write", [write_tsdf_fusion, write_hololens, write_tum])
def test_frames_come_back(tmp_path: Path, write: Writer) -> None:
    walk = room_walk()
    frames, skipped = _play(write(tmp_path / "walk", walk))
    assert skipped == {}
    for frame, expected in zip(frames, (rounded(f) for f in walk), strict=True):
        np.testing.assert_array_equal(frame.color, expected.color)
        np.testing.assert_allclose(frame.depth, expected.depth, atol=5.1e-4)
        np.testing.assert_allclose(frame.pose, expected.pose, atol=1e-7)
        assert frame.intrinsics == expected.intrinsics


def test_stamps_of_the_recording_or_of_the_rate(tmp_path: Path) -> None:
    walk = room_walk(3)
    with_stamps, _ = _play(write_tum(tmp_path / "tum", walk))
    assert [frame.stamp_ns for frame in with_stamps] == [frame.stamp_ns for frame in walk]
    source = open_source(str(tmp_path / "tum"), _OPTIONS)
    assert source.frame_rate == pytest.approx(10)
    folder = write_tsdf_fusion(tmp_path / "tsdf", walk)
    at_rate, _ = _play(folder, SourceOptions(up="z", rate=4))
    assert [frame.stamp_ns for frame in at_rate] == [0, 250_000_000, 500_000_000]
    for i in range(3):
        (folder / f"frame-{i:06d}.stamp.txt").write_text(f"1700000000.12345678{i}\n")
    assert [frame.stamp_ns for frame in _play(folder)[0]] == [1700000000123456780 + i for i in range(3)]


def test_poses_are_turned_so_that_z_is_up(tmp_path: Path) -> None:
    walk = room_walk(4)
    source = open_source(str(write_tsdf_fusion(tmp_path, walk)), SourceOptions(up="-y"))
    assert [tuple(row) for row in source.map_from_source[:3, :3]] == [(1, 0, 0), (0, 0, 1), (0, -1, 0)]
    for frame, original in zip(source, walk, strict=True):
        assert original.pose is not None
        np.testing.assert_allclose(frame.pose, source.map_from_source @ original.pose, atol=1e-12)


def test_a_folder_may_say_which_way_is_up(tmp_path: Path) -> None:
    write_tsdf_fusion(tmp_path, room_walk(2))
    (tmp_path / "objects.json").write_text(json.dumps({"up": "x"}))
    assert open_source(str(tmp_path)).map_from_source[2, 0] == 1
    (tmp_path / "objects.json").write_text("{cut")
    assert open_source(str(tmp_path)).map_from_source[2, 2] == 1


def test_ground_truth_by_the_index_of_the_frame(tmp_path: Path) -> None:
    write_tsdf_fusion(tmp_path, room_walk(4))
    for i in range(4):
        for kind, value in (("label", 10 + i), ("instance", 20 + i)):
            ids = np.full((CAMERA.height, CAMERA.width), value, dtype=np.uint16)
            assert cv2.imwrite(str(tmp_path / f"frame-{i:06d}.{kind}.png"), ids)
    (tmp_path / "frame-000001.pose.txt").unlink()
    source = open_source(str(tmp_path), _OPTIONS)
    assert isinstance(source, RecordedSource)
    indices = [index for index, _ in indexed_frames(source)]
    assert indices == [0, 2, 3]
    truth = source.truth(2)
    assert truth is not None and truth.label[0, 0] == 12 and truth.instance[5, 5] == 22
    (tmp_path / "frame-000002.label.png").unlink()
    assert source.truth(2) is None


def _damage_tsdf(folder: Path) -> None:
    (folder / "frame-000000.color.png").unlink()
    depth = folder / "frame-000001.depth.png"
    depth.write_bytes(depth.read_bytes()[:200])
    (folder / "frame-000002.pose.txt").write_text("-inf " * 16)
    (folder / "frame-000003.pose.txt").unlink()
    (folder / "frame-000004.pose.txt").write_text(" ".join(["2 0 0 0", "0 1 0 0", "0 0 1 0", "0 0 0 1"]))
    assert cv2.imwrite(str(folder / "frame-000005.depth.png"), np.ones((30, 40), np.uint16))
    for path in folder.glob("frame-000006.*"):
        path.unlink()  # a gap in the numbers is not a frame


def test_damaged_frames_are_skipped_and_counted(tmp_path: Path) -> None:
    walk = room_walk(9)
    _damage_tsdf(write_tsdf_fusion(tmp_path, walk))
    frames, skipped = _play(tmp_path)
    assert skipped == {
        "color_missing": 1,
        "depth_unreadable": 1,
        "pose_invalid": 2,
        "pose_missing": 1,
        "depth_not_registered": 1,
    }
    np.testing.assert_allclose(frames[-1].pose, walk[8].pose)


def test_a_second_pass_counts_anew(tmp_path: Path) -> None:
    _damage_tsdf(write_tsdf_fusion(tmp_path, room_walk(9)))
    source = open_source(str(tmp_path), _OPTIONS)
    assert len(list(source)) == len(list(source)) == 2
    assert sum(source.skipped.values()) == 6


@pytest.mark.parametrize("up", ["z", "auto"])
def test_a_folder_without_a_usable_frame_is_an_error(tmp_path: Path, up: str) -> None:
    write_tsdf_fusion(tmp_path, room_walk(20))
    for path in tmp_path.glob("*.pose.txt"):
        path.unlink()
    with pytest.raises(UserError, match="pose_missing 20"):
        list(open_source(str(tmp_path), SourceOptions(up=up)))


def test_auto_up_looks_further_when_the_first_samples_are_damaged(tmp_path: Path) -> None:
    write_tsdf_fusion(tmp_path, room_walk(30))
    for i in range(29):
        (tmp_path / f"frame-{i:06d}.depth.png").write_bytes(b"")
    assert len(list(open_source(str(tmp_path)))) == 1


def test_hololens_pairs_poses_in_spite_of_missing_images(tmp_path: Path) -> None:
    walk = room_walk(6)
    write_hololens(tmp_path, walk)
    (tmp_path / "images" / "00005.png").unlink()
    for folder in ("images", "depth"):
        (tmp_path / folder / "00009.png").unlink()
    frames, skipped = _play(tmp_path)
    assert skipped == {"color_missing": 2}
    np.testing.assert_allclose([f.pose for f in frames], [walk[i].pose for i in (0, 2, 4, 5)])


def test_hololens_with_too_few_or_too_many_poses(tmp_path: Path) -> None:
    write_hololens(tmp_path, room_walk(6))
    lines = (tmp_path / "poses.txt").read_text().splitlines()
    (tmp_path / "poses.txt").write_text("\n".join(lines[:4]) + "\n0.5 0.25")  # cut while it was written
    assert _play(tmp_path)[1] == {"pose_invalid": 1, "pose_missing": 1}
    (tmp_path / "poses.txt").write_text("\n".join([*lines, *lines]))
    with pytest.raises(UserError, match="12 lines for 6 images"):
        open_source(str(tmp_path), _OPTIONS)


def test_tum_interpolates_poses_and_counts_what_lies_outside(tmp_path: Path) -> None:
    start, step = 1_000_000_000, 100_000_000
    walk = [
        room_frame(camera_pose((0.1 * i, 0, 1.2), yaw=0.1 * i, pitch=0.3), start + i * step) for i in range(7)
    ]
    write_tum(tmp_path, walk)
    lines = (tmp_path / "groundtruth.txt").read_text().splitlines()
    # Poses for frames 1, 3 and 5 only: 2 and 4 lie between, 0 and 6 outside.
    (tmp_path / "groundtruth.txt").write_text("\n".join(lines[2:7:2]))
    frames, skipped = _play(tmp_path)
    assert skipped == {"pose_extrapolation": 2}
    np.testing.assert_allclose([f.pose for f in frames], [f.pose for f in walk[1:6]], atol=1e-6)
    assert _play(tmp_path, SourceOptions(up="z", intrinsics=_K, max_pose_gap=0.15))[1] == {
        "pose_extrapolation": 2,
        "pose_gap": 2,
    }
    write_tum(tmp_path / "late", walk, depth_delay_ns=30_000_000)
    assert _play(tmp_path / "late", SourceOptions(up="z", intrinsics=_K, slop=0.05))[1] == {}
    with pytest.raises(UserError, match="depth_missing 7"):
        _play(tmp_path / "late")


@pytest.mark.parametrize("write", [write_tsdf_fusion, write_hololens, write_tum])
def test_intrinsics_of_another_resolution_are_noticed(tmp_path: Path, write: Writer) -> None:
    write(tmp_path, room_walk(2))
    with pytest.raises(UserError, match="camera_info_mismatch 2"):
        _play(tmp_path, SourceOptions(up="z", intrinsics=(500, 500, 320, 240)))


def test_tum_says_how_to_give_intrinsics(tmp_path: Path) -> None:
    write_tum(tmp_path, room_walk(2))
    with pytest.raises(UserError, match=r"--intrinsics FX,FY,CX,CY \(for example 517.3,516.5"):
        open_source(str(tmp_path))


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("groundtruth.txt", None, "groundtruth.txt, there is no such file"),
        ("groundtruth.txt", "1.0 1 2 3", "line 1: expected 7 fields"),
        ("groundtruth.txt", "1.0 a b c d e f g", "qx qy qz qw"),
        ("groundtruth.txt", "1311868164363112960 0 0 0 0 0 0 1", "line 1: .* another unit"),
        ("rgb.txt", "# stamp\nsoon rgb/1.png", "line 2: expected seconds"),
        ("rgb.txt", "nan rgb/1.png", "line 1: expected seconds"),
        ("rgb.txt", "1e999999 rgb/1.png", "line 1: .* another unit"),
    ],
)
def test_tum_names_what_is_wrong_with_a_listing(
    tmp_path: Path, file: str, content: str | None, message: str
) -> None:
    write_tum(tmp_path, room_walk(2))
    (tmp_path / file).unlink()
    if content is not None:
        (tmp_path / file).write_text(content)
    with pytest.raises(UserError, match=message):
        open_source(str(tmp_path), _OPTIONS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file: give --intrinsics"),
        ("0 0 0\n0 0 0\n0 0 0", "positive focal lengths"),
        ("1 2 3", "got 3 numbers"),
        ("nan 0 0 0 nan 0 0 0 1", "got 9 numbers"),
        ("not a matrix", "got something else"),
    ],
)
@pytest.mark.parametrize(
    ("write", "name"), [(write_tsdf_fusion, "camera-intrinsics.txt"), (write_hololens, "K.txt")]
)
def test_unusable_intrinsics_are_named(
    tmp_path: Path, write: Writer, name: str, content: str | None, message: str
) -> None:
    write(tmp_path, room_walk(1))
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=message) as error:
        open_source(str(tmp_path))
    assert "\n" not in str(error.value)
    assert len(_play(tmp_path)[0]) == 1  # by --intrinsics
