"""Recognising a source, the options, and the errors a user sees."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rgbd_perception.errors import UserError
from rgbd_perception.sources import (
    SourceOptions,
    add_source_arguments,
    open_source,
    options_from_arguments,
)
from test.sources.folders import room_walk, write_tsdf_fusion


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    add_source_arguments(parser)
    return parser


def test_arguments_without_options_are_the_defaults() -> None:
    assert options_from_arguments(_parser().parse_args([])) == SourceOptions()


def test_arguments_reach_the_options() -> None:
    line = "--intrinsics 500,501,320.5,240 --max-depth 4 --up=-y --rate 30 --depth-encoding sunrgbd "
    line += "--color-topic /c --depth-topic /d --camera-info-topic /i --pose-topic /p --map-frame world "
    line += "--camera-in-child=0,0,1,0,0,0,1 --slop 0.1 --max-pose-gap 3"
    assert options_from_arguments(_parser().parse_args(line.split())) == SourceOptions(
        intrinsics=(500, 501, 320.5, 240),
        max_depth=4,
        up="-y",
        rate=30,
        depth_encoding="sunrgbd",
        color_topic="/c",
        depth_topic="/d",
        camera_info_topic="/i",
        pose_topic="/p",
        map_frame="world",
        camera_in_child=(0, 0, 1, 0, 0, 0, 1),
        slop=0.1,
        max_pose_gap=3,
    )


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("intrinsics", (500, 500, 320)),
        ("intrinsics", (0, 500, 320, 240)),
        ("intrinsics", (float("nan"), 500, 320, 240)),
        ("max_depth", 0),
        ("rate", float("inf")),
        ("slop", -1),
        ("up", "north"),
        ("depth_encoding", "feet"),
        ("camera_in_child", (0, 0, 0)),
    ],
)
def test_values_that_cannot_be_meant_are_refused(option: str, value: object) -> None:
    with pytest.raises(UserError, match=f"--{option.replace('_', '-')}"):
        SourceOptions(**{option: value})  # type: ignore[arg-type]


def test_a_path_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        open_source(str(tmp_path / "nowhere"))


def test_an_empty_folder_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"7-Scenes.*TUM.*deep-video-mvs.*rosbag2"):
        open_source(str(tmp_path))


def test_one_folder_too_high_is_hinted_at(tmp_path: Path) -> None:
    write_tsdf_fusion(tmp_path / "seq-01", room_walk(1))
    with pytest.raises(UserError, match=r"did you mean .*seq-01\?"):
        open_source(str(tmp_path))


def test_a_file_that_is_no_bag(tmp_path: Path) -> None:
    (tmp_path / "video.mp4").write_bytes(b"x")
    with pytest.raises(UserError, match=r"\.db3 or \.mcap"):
        open_source(str(tmp_path / "video.mp4"))


def test_a_seed_is_a_number() -> None:
    with pytest.raises(UserError, match="whole number"):
        open_source("synthetic:one")


def test_a_generated_room_takes_the_options() -> None:
    source = open_source("synthetic:3", SourceOptions(rate=20))
    assert (source.name, source.frame_rate) == ("synthetic:3", 20)
    assert len(source) > 100
    np.testing.assert_array_equal(source.map_from_source, np.eye(4))


def test_the_command_line_does_not_pay_for_image_libraries() -> None:
    code = (
        "import sys, rgbd_perception.sources as s; s.SourceOptions(); "
        "sys.exit(any(name in sys.modules for name in ('cv2', 'rosbags', 'open3d', 'torch')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
