"""rosbag2 recordings (.db3, .mcap) of an RGB-D camera with its pose.

A bag is read once from end to end to learn its stamps and poses; images are then read again one by one when
their frame is loaded, so that memory does not grow with the recording.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.camera_model import IGNORE, RECTIFY, CameraModel, camera_model
from rgbd_perception.encodings import decode_color, decode_depth
from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.frame import RgbdFrame
from rgbd_perception.sources.association import pair_nearest
from rgbd_perception.sources.bag_poses import PoseAt, PoseRecorder
from rgbd_perception.sources.bag_reader import BagReader, RawMessage, Topic, stamp_of
from rgbd_perception.sources.bag_topics import COMPRESSED_IMAGE, choose_camera_topics, is_rectified
from rgbd_perception.sources.base import RecordedSource, camera_of_image
from rgbd_perception.sources.images_io import decode_color_file, decode_compressed_depth, limit_depth
from rgbd_perception.sources.options import SourceOptions
from rgbd_perception.sources.tum import median_rate


@dataclass(frozen=True)
class _Stamped:
    """Where an image is in the bag, and when it was taken; a stamp of 0 means that it has none."""

    stamp_ns: int
    log_ns: int


class BagSource(RecordedSource):
    """A recording; every color image is a frame, with the nearest depth within the slop and its pose.

    Raises UserError where the recording cannot be read or has no color, depth, camera info or pose.
    """

    def __init__(self, path: Path, options: SourceOptions) -> None:
        super().__init__(str(path), options)
        self._bag = BagReader(path)
        self._topics = choose_camera_topics(self._bag.topics, options)
        self._colors: list[_Stamped] = []
        self._depths: list[_Stamped] = []
        self._info: Any = None
        self._info_problem = "it has no readable message"
        poses = PoseRecorder(self._bag.topics, options)
        self._read_once(poses)
        self._frame_id = self._find_frame_id()
        self._camera = self._find_camera()
        self._pose_at: PoseAt = poses.resolve(self._frame_id)
        self._partners = self._pair()

    def __len__(self) -> int:
        return len(self._colors)

    @cached_property
    def frame_rate(self) -> float:
        """Frames a second by the stamps of the color images."""
        stamps = sorted(color.stamp_ns for color in self._colors if color.stamp_ns > 0)
        return median_rate(np.array(stamps, dtype=np.int64), self.options.rate)

    def load(self, index: int) -> RgbdFrame:
        """Color image ``index`` in the order of the recording. Raises FrameDropped."""
        stamp_ns = self._colors[index].stamp_ns
        if stamp_ns <= 0:
            raise FrameDropped("stamp_zero", "the driver set no stamp")
        partner = self._partners[index]
        if partner < 0:
            raise FrameDropped("depth_missing", f"no depth within {self.options.slop} s")
        pose = self._pose_at(stamp_ns)
        color = _decode_color(self._message(self._topics.color, self._colors[index]), self._topics.color)
        depth = _decode_depth(self._message(self._topics.depth, self._depths[partner]), self._topics.depth)
        camera = self._camera or self._given_camera(color)
        color, depth = camera.rectify(color, depth)
        return RgbdFrame(
            color=color,
            depth=limit_depth(depth, self.options.max_depth),
            intrinsics=camera.intrinsics,
            stamp_ns=stamp_ns,
            frame_id=self._frame_id,
            pose=pose,
        )

    def _read_once(self, poses: PoseRecorder) -> None:
        """Learn stamps, camera info and poses; unreadable messages of topics without images are left out."""
        topics = self._topics
        kinds = {topic.name: topic.type for topic in self._bag.topics}
        info = [topics.info.name] if topics.info else []
        images = {topics.color.name: self._colors, topics.depth.name: self._depths}
        wanted = {*images, *info, *poses.topics}
        total = sum(topic.count for topic in self._bag.topics if topic.name in wanted)
        for message in _with_progress(self._bag.messages(wanted), total):
            try:
                if message.topic in images:
                    images[message.topic].append(_Stamped(stamp_of(message.data), message.log_ns))
                    continue
                decoded = self._bag.decode(message.data, kinds[message.topic])
            except FrameDropped:
                if message.topic in images:
                    images[message.topic].append(_Stamped(0, message.log_ns))
                continue
            if message.topic in info:
                self._keep_info(decoded)
            else:
                poses.add(message.topic, decoded)

    def _keep_info(self, info: Any) -> None:
        """Keep the first usable camera info: some drivers send zeros before they know their calibration."""
        if self._info is not None:
            return
        try:
            camera_model(info, IGNORE)
        except FrameDropped as dropped:
            self._info_problem = dropped.detail
        else:
            self._info = info

    def _find_camera(self) -> CameraModel | None:
        """The camera of the recording; None: by the options, as soon as the image size is known."""
        if self._topics.info is None:
            return None
        if self._info is None:
            raise UserError(
                f"expected a camera matrix on {self._topics.info.name}: {self._info_problem}; "
                "give --intrinsics"
            )
        # image_proc passes the camera info of the raw image on: a rectified image has P and no distortion.
        policy = IGNORE if is_rectified(self._topics.color) else RECTIFY
        try:
            return camera_model(self._info, policy)
        except FrameDropped as dropped:
            raise UserError(f"cannot rectify by {self._topics.info.name}: {dropped.detail}") from None

    def _given_camera(self, color: NDArray[np.uint8]) -> CameraModel:
        assert self.options.intrinsics is not None  # by choose_camera_topics
        return CameraModel(camera_of_image(self.options.intrinsics, color))

    def _find_frame_id(self) -> str:
        """The optical frame, by the first color image that can be read, else by the camera info."""
        for color in self._colors:
            try:
                frame_id = str(self._message(self._topics.color, color).header.frame_id)
            except FrameDropped:
                continue
            if frame_id:
                return frame_id
            break
        return str(self._info.header.frame_id) if self._info is not None else ""

    def _pair(self) -> NDArray[np.int64]:
        """For each color image the index of its depth image, -1 where it has none."""
        colors = np.array([color.stamp_ns for color in self._colors], dtype=np.int64)
        depths = np.array([depth.stamp_ns for depth in self._depths], dtype=np.int64)
        color_order = [int(i) for i in np.argsort(colors, kind="stable") if colors[i] > 0]
        depth_order = [int(i) for i in np.argsort(depths, kind="stable") if depths[i] > 0]
        found = pair_nearest(colors[color_order], depths[depth_order], round(self.options.slop * 1e9))
        partners = np.full(len(colors), -1, dtype=np.int64)
        for color, depth in zip(color_order, found, strict=True):
            partners[color] = depth_order[depth] if depth >= 0 else -1
        return partners

    def _message(self, topic: Topic, stamped: _Stamped) -> Any:
        data = self._bag.message(topic.name, stamped.log_ns, stamped.stamp_ns)
        return self._bag.decode(data, topic.type)


def _with_progress(messages: Iterator[RawMessage], total: int) -> Iterator[RawMessage]:
    """A bar on standard error for recordings that take longer than two seconds to read."""
    from tqdm import tqdm

    yield from tqdm(
        messages, total=total, desc="reading the bag", unit="message", delay=2, disable=None, file=sys.stderr
    )


def _decode_color(message: Any, topic: Topic) -> NDArray[np.uint8]:
    if topic.type == COMPRESSED_IMAGE:
        return decode_color_file(message.data.tobytes(), topic.name)
    return decode_color(*_raw_fields(message))


def _decode_depth(message: Any, topic: Topic) -> NDArray[np.float32]:
    if topic.type == COMPRESSED_IMAGE:
        return decode_compressed_depth(message.data.tobytes(), message.format)
    return decode_depth(*_raw_fields(message))


def _raw_fields(message: Any) -> tuple[int, int, str, int, bool, Any]:
    big = bool(message.is_bigendian)
    return message.height, message.width, message.encoding, message.step, big, message.data
