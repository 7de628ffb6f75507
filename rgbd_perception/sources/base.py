"""What a source of recorded frames is, and the one loop that plays them all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.frame import CameraIntrinsics, RgbdFrame
from rgbd_perception.sources.options import SourceOptions
from rgbd_perception.sources.up import find_map_from_source

__all__ = [
    "FrameTruth",
    "RecordedSource",
    "Source",
    "SourceOptions",
    "camera_of_image",
    "indexed_frames",
]

_UP_SAMPLES = 16
"""Frames looked at to find the direction up: enough to see a floor or a table in a short walk."""


@dataclass(frozen=True)
class FrameTruth:
    """What is known exactly about a frame of a recording with ground truth.

    label       (H, W) uint16 0-based class ids, 65535 unknown
    instance    (H, W) uint16, 0 = none
    """

    label: NDArray[np.uint16]
    instance: NDArray[np.uint16]


class Source(Protocol):
    """Frames in the order of time, with poses in a z-up map frame."""

    name: str
    skipped: Counter[str]
    """Reason to number of frames that could not be used, counted anew by every pass."""

    @property
    def map_from_source(self) -> NDArray[np.float64]:
        """(4, 4) from the world of the recording to the z-up map frame."""

    @property
    def frame_rate(self) -> float:
        """Frames a second."""

    def __len__(self) -> int:
        """Number of frames that will be yielded at most (skipped ones included)."""

    def __iter__(self) -> Iterator[RgbdFrame]:
        """Yield the usable frames, poses in the map frame, stamps strictly increasing."""

    def truth(self, index: int) -> FrameTruth | None:
        """Ground truth of frame ``index`` of 0 .. len - 1, None where there is none."""


class RecordedSource(ABC):
    """A Source over frames that can be loaded by index, in any order; images are decoded only then."""

    def __init__(self, name: str, options: SourceOptions) -> None:
        self.name = name
        self.options = options
        self.skipped: Counter[str] = Counter()

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def load(self, index: int) -> RgbdFrame:
        """Frame ``index`` with its pose in the world of the recording. Raises FrameDropped."""

    def truth(self, index: int) -> FrameTruth | None:
        """Ground truth of frame ``index``; None: this layout has none."""
        del index
        return None

    @property
    def frame_rate(self) -> float:
        """Frames a second."""
        return self.options.rate

    def stated_up(self) -> str | None:
        """The axis that points up (one of ``UP_CHOICES``) where the recording itself says so."""
        return None

    @cached_property
    def map_from_source(self) -> NDArray[np.float64]:
        """(4, 4) rotation from the world of the recording to the z-up map frame, by ``options.up``.

        Raises UserError for "auto" where no frame can be read.
        """
        up = self.options.up
        if up == "auto":
            up = self.stated_up() or "auto"
        return find_map_from_source(up, self._samples() if up == "auto" else [])

    def __iter__(self) -> Iterator[RgbdFrame]:
        return (frame for _, frame in indexed_frames(self))

    def _samples(self) -> list[RgbdFrame]:
        """Usable frames spread over the recording; every frame is tried before giving up."""
        count = len(self)
        skipped: Counter[str] = Counter()
        spread = np.unique(np.linspace(0, count - 1, min(count, _UP_SAMPLES)).astype(int)).tolist()
        samples = [frame for _, frame in _usable_frames(self, spread, skipped)]
        if samples or count <= _UP_SAMPLES:
            return samples or _raise_no_usable_frame(self.name, skipped)
        for _, frame in _usable_frames(self, range(count), skipped := Counter()):
            return [frame]
        return _raise_no_usable_frame(self.name, skipped)


def indexed_frames(source: RecordedSource, first: int = 0) -> Iterator[tuple[int, RgbdFrame]]:
    """Play ``source`` from ``first`` on: pairs of the frame's index (as ``truth`` takes it) and the frame in
    the map frame.

    What cannot be used is skipped and counted in ``source.skipped``, which a new pass empties first. Raises
    UserError where no frame at all could be used.
    """
    source.skipped.clear()
    map_from_source = source.map_from_source
    last_stamp: int | None = None
    for index, frame in _usable_frames(source, range(first, len(source)), source.skipped):
        if last_stamp is not None and frame.stamp_ns <= last_stamp:
            source.skipped["stamp_backward"] += 1
            continue
        last_stamp = frame.stamp_ns
        assert frame.pose is not None  # by _usable_frames
        yield index, frame.with_pose(map_from_source @ frame.pose)
    if last_stamp is None and first == 0:
        _raise_no_usable_frame(source.name, source.skipped)


def camera_of_image(
    intrinsics: tuple[float, float, float, float], color: NDArray[np.uint8]
) -> CameraIntrinsics:
    """fx, fy, cx, cy with the size of the image that they belong to.

    Raises FrameDropped ``camera_info_mismatch`` where the principal point is outside of the image: then they
    are those of another resolution.
    """
    fx, fy, cx, cy = intrinsics
    height, width = color.shape[:2]
    if not (0 < cx < width and 0 < cy < height):
        raise FrameDropped(
            "camera_info_mismatch", f"cx {cx:g}, cy {cy:g} do not belong to an image of {height}x{width}"
        )
    return CameraIntrinsics(fx, fy, cx, cy, width=width, height=height)


def _usable_frames(
    source: RecordedSource, indices: Iterable[int], skipped: Counter[str]
) -> Iterator[tuple[int, RgbdFrame]]:
    for index in indices:
        try:
            frame = source.load(index)
            if frame.pose is None:
                raise FrameDropped("pose_missing")
        except FrameDropped as dropped:
            skipped[dropped.reason] += 1
        else:
            yield index, frame


def _raise_no_usable_frame(name: str, skipped: Counter[str]) -> NoReturn:
    reasons = ", ".join(f"{reason} {count}" for reason, count in skipped.most_common()) or "it is empty"
    raise UserError(f"expected frames with color, depth and pose in {name}, none is usable: {reasons}")
