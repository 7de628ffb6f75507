"""Recorded bags, written from real and made-up frames, against the frames they were written from."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from rgbd_perception.errors import UserError
from rgbd_perception.frame import RgbdFrame
from rgbd_perception.geometry import matrix_to_quaternion
from rgbd_perception.sources import SourceOptions, open_source
from rgbd_perception.sources.base import RecordedSource
from test.bags import OPTICAL_IN_BASE, BagStyle, write_bag
from test.sources.folders import CAMERA, camera_pose, room_frame, room_walk, rounded

_UP_Z = SourceOptions(up="z")


@pytest.fixture(scope="module", params=["redkitchen", "hololens_office", "apc_shelf"])
def real_frames(request: pytest.FixtureRequest, shared_data: Path) -> list[RgbdFrame]:
    """Four frames of a real sequence in its own world, with stamps above zero."""
    source = open_source(str(shared_data / request.param))
    assert isinstance(source, RecordedSource)
    frames = [source.load(index) for index in range(0, 12, 3)]
    return [replace(frame, stamp_ns=frame.stamp_ns + 1_700_000_000_000_000_000) for frame in frames]


def _play(path: Path, options: SourceOptions = _UP_Z) -> tuple[list[RgbdFrame], dict[str, int]]:
    source = open_source(str(path), options)
    frames = list(source)
    assert len(frames) + sum(source.skipped.values()) == len(source)
    return frames, dict(source.skipped)


@pytest.mark.parametrize(
    ("storage", "pose"), [(".db3", "tf"), (".mcap", "odometry"), (".mcap", "tf"), (".db3", "pose")]
)
def test_real_frames_come_back_exactly(
    tmp_path: Path, real_frames: list[RgbdFrame], storage: str, pose: str
) -> None:
    file = write_bag(tmp_path / "bag", real_frames, BagStyle(storage=storage, pose=pose))
    for path in (file, file.parent):
        frames, skipped = _play(path)
        assert skipped == {}
        for frame, expected in zip(frames, real_frames, strict=True):
            np.testing.assert_array_equal(frame.color, expected.color)
            np.testing.assert_array_equal(frame.depth, expected.depth)
            np.testing.assert_allclose(frame.pose, expected.pose, atol=1e-9)
            assert frame.intrinsics == expected.intrinsics
            assert frame.stamp_ns == expected.stamp_ns
            assert frame.frame_id == "camera_color_optical_frame"


def test_up_of_a_bag_is_that_of_its_folder(tmp_path: Path, shared_data: Path) -> None:
    folder = open_source(str(shared_data / "hololens_office"))
    assert isinstance(folder, RecordedSource)
    frames = [replace(folder.load(i), stamp_ns=(i + 1) * 100_000_000) for i in range(0, 48, 8)]
    bag = open_source(str(write_bag(tmp_path / "bag", frames)), SourceOptions(up="auto"))
    np.testing.assert_array_equal(bag.map_from_source, folder.map_from_source)


@pytest.mark.parametrize(
    ("color", "depth", "padding"),
    [
        ("bgr8", "32FC1", 0),
        ("rgba8", "16UC1", 7),
        ("bgra8", "32FC1", 8),
        ("png", "compressedDepth", 0),
        ("png", "png", 0),
    ],
)
def test_encodings(tmp_path: Path, color: str, depth: str, padding: int) -> None:
    walk = room_walk(3)
    style = BagStyle(color=color, depth=depth, step_padding=padding)
    frames, _ = _play(write_bag(tmp_path / "bag", walk, style))
    for frame, expected in zip(frames, walk, strict=True):
        np.testing.assert_array_equal(frame.color, expected.color)
        if depth == "32FC1":
            np.testing.assert_array_equal(frame.depth, expected.depth)
        else:
            np.testing.assert_array_equal(frame.depth, rounded(expected).depth)


@pytest.mark.parametrize("color", ["mono8", "jpeg"])
def test_lossy_color_is_near(tmp_path: Path, color: str) -> None:
    walk = room_walk(2)
    frames, _ = _play(write_bag(tmp_path / "bag", walk, BagStyle(color=color)))
    for frame, expected in zip(frames, walk, strict=True):
        difference = frame.color.astype(int) - expected.color
        assert np.abs(difference).mean() < (40 if color == "mono8" else 4)


@pytest.mark.parametrize("pose", ["tf", "odometry", "pose"])
def test_poses_are_interpolated_and_never_extrapolated(tmp_path: Path, pose: str) -> None:
    """Only every second frame has a recorded pose; the motion is even, so the others are known."""
    step = 100_000_000
    walk = [room_frame(camera_pose((0.1 * i, 0, 1.2), 0.1 * i, 0.0), 10 * step + i * step) for i in range(7)]
    recorded = [frame if i in (1, 3, 5) else replace(frame, pose=None) for i, frame in enumerate(walk)]
    file = write_bag(tmp_path / "bag", recorded, BagStyle(pose=pose))
    frames, skipped = _play(file)
    assert skipped == {"pose_extrapolation": 2}
    np.testing.assert_allclose(
        np.array([f.pose for f in frames])[:, :3, :3], [f.pose[:3, :3] for f in walk[1:6]], atol=1e-9
    )  # type: ignore[index]
    # In between, base_link runs straight and the camera on its arm does not, by less than the arm's sagitta.
    np.testing.assert_allclose([f.pose for f in frames], [f.pose for f in walk[1:6]], atol=2e-3)
    assert _play(file, replace(_UP_Z, max_pose_gap=0.15))[1] == {"pose_extrapolation": 2, "pose_gap": 2}


def test_depth_is_paired_within_the_slop(tmp_path: Path) -> None:
    file = write_bag(tmp_path / "bag", room_walk(3), BagStyle(depth_delay_ns=30_000_000))
    with pytest.raises(UserError, match="depth_missing 3"):
        _play(file)
    assert len(_play(file, replace(_UP_Z, slop=0.05))[0]) == 3


@pytest.mark.parametrize("storage", [".db3", ".mcap"])
def test_images_recorded_at_one_time_are_told_apart(tmp_path: Path, storage: str) -> None:
    """``ros2 bag record --use-sim-time`` takes the time of /clock, which goes on in steps."""
    walk = room_walk(6)
    style = BagStyle(storage=storage, clock_ns=250_000_000)
    frames, skipped = _play(write_bag(tmp_path / "bag", walk, style))
    assert skipped == {}
    for frame, expected in zip(frames, walk, strict=True):
        np.testing.assert_array_equal(frame.color, expected.color)
        np.testing.assert_array_equal(frame.depth, rounded(expected).depth)


def test_distorted_images_are_rectified(tmp_path: Path) -> None:
    walk = room_walk(2)
    frames, _ = _play(write_bag(tmp_path / "bag", walk, BagStyle(distortion=(0.2, 0.0, 0.0, 0.0, 0.0))))
    assert frames[0].intrinsics == CAMERA
    assert not np.array_equal(frames[0].color, walk[0].color)
    middle = (slice(25, 35), slice(35, 45))  # next to the axis a lens does not distort
    np.testing.assert_allclose(frames[0].depth[middle], rounded(walk[0]).depth[middle], atol=0.05)
    already = BagStyle(distortion=(0.2, 0.0, 0.0, 0.0, 0.0), color_topic="/camera/color/image_rect")
    frames, _ = _play(write_bag(tmp_path / "rectified", walk, already))
    np.testing.assert_array_equal(frames[0].color, walk[0].color)


def test_camera_info_may_be_replaced_by_options(tmp_path: Path) -> None:
    file = write_bag(tmp_path / "bag", room_walk(2), BagStyle(camera_info=False))
    with pytest.raises(UserError, match="--camera-info-topic; or give --intrinsics"):
        open_source(str(file))
    frames, _ = _play(file, replace(_UP_Z, intrinsics=(50, 51, 40, 30)))
    assert frames[0].intrinsics == replace(CAMERA, fx=50, fy=51, cx=40, cy=30)


def test_camera_matrix_of_zeros(tmp_path: Path) -> None:
    zeros = replace(CAMERA)
    for name in ("fx", "fy", "cx", "cy"):
        object.__setattr__(zeros, name, 0.0)  # what CameraIntrinsics itself refuses, a driver sends
    walk = [replace(frame, intrinsics=zeros) for frame in room_walk(2)]
    with pytest.raises(UserError, match="fx, fy must be positive"):
        open_source(str(write_bag(tmp_path / "bag", walk)))


def test_stamps_of_zero_and_stamps_that_go_back(tmp_path: Path) -> None:
    stamps = [0, 1_000_000_000, 1_200_000_000, 1_100_000_000, 1_200_000_000, 1_300_000_000]
    walk = [replace(f, stamp_ns=s) for f, s in zip(room_walk(6), stamps, strict=True)]
    walk[4] = replace(walk[4], stamp_ns=1_250_000_000)
    frames, skipped = _play(write_bag(tmp_path / "bag", walk, BagStyle(pose="pose")))
    assert [f.stamp_ns for f in frames] == [1_000_000_000, 1_200_000_000, 1_250_000_000, 1_300_000_000]
    assert skipped == {"stamp_zero": 1, "stamp_backward": 1}


def test_sizes_that_differ_are_not_registered(tmp_path: Path) -> None:
    walk = room_walk(2)
    for frame in walk:
        object.__setattr__(frame, "depth", np.ascontiguousarray(frame.depth[::2, ::2]))
    with pytest.raises(UserError, match="depth_not_registered 2"):
        _play(write_bag(tmp_path / "bag", walk))


def test_without_poses_the_topics_are_listed(tmp_path: Path) -> None:
    file = write_bag(tmp_path / "bag", room_walk(2), BagStyle(pose="none"))
    with pytest.raises(UserError, match=r"no topic has poses|does not know the frame") as error:
        open_source(str(file))
    assert "/camera/color/image_raw (sensor_msgs/msg/Image, 2)" in str(error.value)
    assert "\n" not in str(error.value)


def test_odometry_without_mounting_needs_the_option(tmp_path: Path) -> None:
    walk = room_walk(3)
    file = write_bag(tmp_path / "bag", walk, BagStyle(pose="odometry", mounting=False))
    with pytest.raises(UserError, match=r"'base_link'.*--camera-in-child"):
        open_source(str(file))
    mounting = (*OPTICAL_IN_BASE[:3, 3], *matrix_to_quaternion(OPTICAL_IN_BASE[:3, :3]))
    frames, _ = _play(file, replace(_UP_Z, camera_in_child=tuple(float(value) for value in mounting)))
    np.testing.assert_allclose([f.pose for f in frames], [f.pose for f in walk], atol=1e-9)


def test_a_chosen_topic_that_is_not_there(tmp_path: Path) -> None:
    file = write_bag(tmp_path / "bag", room_walk(2))
    for option in ("color_topic", "depth_topic", "camera_info_topic", "pose_topic"):
        with pytest.raises(
            UserError, match=r"on /nowhere, it is not there; the topics of the bag are: /camera"
        ):
            open_source(str(file), SourceOptions(**{option: "/nowhere"}))  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"/tf leads from .* to .*, not to world"):
        open_source(str(file), SourceOptions(map_frame="world"))


def test_a_chosen_map_frame(tmp_path: Path) -> None:
    file = write_bag(tmp_path / "bag", room_walk(2))
    in_base, _ = _play(file, replace(_UP_Z, map_frame="odom"))
    in_map, _ = _play(file)
    assert in_base[0].pose is not None and in_map[0].pose is not None
    assert np.abs(in_base[0].pose - in_map[0].pose).max() > 0.1


@pytest.mark.parametrize("storage", [".db3", ".mcap"])
@pytest.mark.parametrize("keep", [0.0, 0.01, 0.6, 0.99])
def test_cut_files_are_refused_in_one_line(tmp_path: Path, storage: str, keep: float) -> None:
    file = write_bag(tmp_path / "bag", room_walk(8), BagStyle(storage=storage))
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * keep)])
    for path in (file, file.parent):
        with pytest.raises(UserError, match="cannot be read as a rosbag2 recording") as error:
            _play(path)
        assert "\n" not in str(error.value)


def test_storage_files_without_metadata_play(tmp_path: Path) -> None:
    file = write_bag(tmp_path / "bag", room_walk(3))
    (file.parent / "metadata.yaml").unlink()
    assert len(_play(file.parent)[0]) == 3


def test_cut_messages_are_skipped_and_counted(tmp_path: Path) -> None:
    """A recorder that was short of memory: the second color message is cut, the third has a cut image."""
    file = write_bag(tmp_path / "whole", room_walk(4))
    store = get_typestore(Stores.ROS2_HUMBLE)
    seen = 0
    with (
        Reader(file) as reader,
        Writer(tmp_path / "cut", version=9, storage_plugin=StoragePlugin.MCAP) as writer,
    ):
        topics = {
            c.topic: writer.add_connection(c.topic, c.msgtype, typestore=store) for c in reader.connections
        }
        for connection, log_ns, data in reader.messages(reader.connections):
            if connection.topic == "/camera/color/image_raw":
                seen += 1
                if seen == 2:
                    data = data[: len(data) // 2]
                elif seen == 3:
                    image = store.deserialize_cdr(data, connection.msgtype)
                    image.data = image.data[:100]
                    data = bytes(store.serialize_cdr(image, connection.msgtype))
            writer.write(topics[connection.topic], log_ns, data)
    frames, skipped = _play(tmp_path / "cut")
    assert len(frames) == 2
    assert skipped == {"message_unreadable": 1, "image_truncated": 1}


def test_a_bag_plays_in_another_thread_than_it_was_opened_in(tmp_path: Path) -> None:
    source = open_source(str(write_bag(tmp_path / "bag", room_walk(3))), _UP_Z)
    counts: list[int] = []
    thread = threading.Thread(target=lambda: counts.append(len(list(source))))
    thread.start()
    thread.join(30)
    assert counts == [3]
