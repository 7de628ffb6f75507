"""Poses by time: a bounded buffer that interpolates at a stamp and never extrapolates. No ROS in here."""

from __future__ import annotations

import bisect
import threading

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped
from rgbd_perception.geometry import interpolate_pose
from rgbd_perception.ros.pairing import CLOCK_RESET_NS
from rgbd_perception.ros.waiting_room import NotYet


class PoseBuffer:
    """The poses of the last ``duration_s`` seconds, at most ``capacity`` of them, ordered by stamp.

    Poses may arrive out of order. One that is older than the newest by more than a second says that the
    clock was set back (a bag or a simulation that starts again): everything before it is then forgotten.
    Between two poses more than ``max_gap_s`` apart nothing is interpolated. Thread-safe.
    """

    def __init__(self, duration_s: float = 10.0, capacity: int = 4000, max_gap_s: float = 1.0) -> None:
        self._duration_ns = int(duration_s * 1e9)
        self._capacity = capacity
        self._max_gap_ns = int(max_gap_s * 1e9)
        self._lock = threading.Lock()
        self._stamps: list[int] = []
        self._poses: list[NDArray[np.float64]] = []

    def __len__(self) -> int:
        with self._lock:
            return len(self._stamps)

    def clear(self) -> None:
        with self._lock:
            self._stamps.clear()
            self._poses.clear()

    def add(self, stamp_ns: int, pose: NDArray[np.float64]) -> None:
        """Insert the (4, 4) ``pose`` at ``stamp_ns``; a pose with the same stamp is replaced."""
        with self._lock:
            if self._stamps and stamp_ns < self._stamps[-1] - CLOCK_RESET_NS:
                self._stamps.clear()
                self._poses.clear()
            index = bisect.bisect_left(self._stamps, stamp_ns)
            if index < len(self._stamps) and self._stamps[index] == stamp_ns:
                self._poses[index] = pose
                return
            self._stamps.insert(index, stamp_ns)
            self._poses.insert(index, pose)
            self._forget_old()

    def lookup(self, stamp_ns: int) -> NDArray[np.float64]:
        """The (4, 4) pose at ``stamp_ns``: the stored one where stamps agree, else between its neighbours.

        Raises NotYet ``pose_missing`` (no pose at all) or ``pose_extrapolation`` (newer than the newest), and
        FrameDropped ``pose_extrapolation`` (older than the oldest) or ``pose_gap`` (neighbours far apart).
        """
        with self._lock:
            if not self._stamps:
                raise NotYet("pose_missing", "no pose has arrived")
            index = bisect.bisect_left(self._stamps, stamp_ns)
            if index == len(self._stamps):
                late = (stamp_ns - self._stamps[-1]) * 1e-9
                raise NotYet("pose_extrapolation", f"the frame is {late:.3f} s newer than the newest pose")
            if self._stamps[index] == stamp_ns:
                return self._poses[index]
            if index == 0:
                early = (self._stamps[0] - stamp_ns) * 1e-9
                raise FrameDropped(
                    "pose_extrapolation", f"the frame is {early:.3f} s older than the oldest pose"
                )
            before, after = self._stamps[index - 1], self._stamps[index]
            first, second = self._poses[index - 1], self._poses[index]
        if after - before > self._max_gap_ns:
            raise FrameDropped(
                "pose_gap", f"the poses around the frame are {(after - before) * 1e-9:.3f} s apart"
            )
        return interpolate_pose(stamp_ns, before, first, after, second)

    def _forget_old(self) -> None:
        first = bisect.bisect_left(self._stamps, self._stamps[-1] - self._duration_ns)
        first = max(first, len(self._stamps) - self._capacity)
        if first > 0:
            del self._stamps[:first], self._poses[:first]
