"""Poses that cannot be: missing, outside of what a map can hold, or farther from the last one than the camera
can have moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped
from rgbd_perception.frame import RgbdFrame
from rgbd_perception.mapping.config import MapConfig
from rgbd_perception.mapping.keys import OFFSET

_SLACK_METRES = 0.05
_SLACK_RADIANS = 0.05


@dataclass(frozen=True)
class _Stamped:
    stamp_ns: int
    pose: NDArray[np.float64]


class PoseGate:
    """Refuses frames without a pose and, where speeds are limited, frames with an impossible one.

    A jump is believed after ``pose_jump_patience`` successive refused poses that agree with one another: that
    is a relocalisation, and refusing it for ever would stop the map.
    """

    def __init__(self, config: MapConfig) -> None:
        self._config = config
        self._last: _Stamped | None = None
        self._refused: _Stamped | None = None
        self._agreeing = 0

    def check(self, frame: RgbdFrame) -> NDArray[np.float64]:
        """Return the pose (4, 4) of the frame; raise FrameDropped ``pose_missing``, ``pose_out_of_range`` or
        ``pose_jump``."""
        if frame.pose is None:
            raise FrameDropped("pose_missing", "the frame has no pose")
        far, limit = float(np.abs(frame.pose[:3, 3]).max()), OFFSET * self._config.voxel_size
        if far >= limit:
            raise FrameDropped(
                "pose_out_of_range",
                f"the camera is {far:.0f} m from the origin of the map, whose voxels reach to {limit:.0f} m: "
                "give poses in a local frame",
            )
        now = _Stamped(frame.stamp_ns, frame.pose)
        detail = self._excess(self._last, now)
        if not detail:
            return frame.pose
        self._agreeing = self._agreeing + 1 if not self._excess(self._refused, now) else 1
        self._refused = now
        if self._agreeing >= self._config.pose_jump_patience:
            return frame.pose
        raise FrameDropped("pose_jump", detail)

    def accept(self, frame: RgbdFrame) -> None:
        """Remember the pose of a frame that was integrated."""
        assert frame.pose is not None
        self._last, self._refused, self._agreeing = _Stamped(frame.stamp_ns, frame.pose), None, 0

    def _excess(self, before: _Stamped | None, now: _Stamped) -> str:
        """What is impossible about the way from ``before`` to ``now``; empty where nothing is."""
        if before is None:
            return ""
        seconds = abs(now.stamp_ns - before.stamp_ns) * 1e-9
        moved = float(np.linalg.norm(now.pose[:3, 3] - before.pose[:3, 3]))
        speed = self._config.max_linear_speed
        if speed > 0 and moved > speed * seconds + _SLACK_METRES:
            return f"moved {moved:.2f} m in {seconds:.3f} s, max_linear_speed is {speed} m/s"
        cosine = (np.trace(before.pose[:3, :3].T @ now.pose[:3, :3]) - 1.0) / 2.0
        turned = float(np.arccos(np.clip(cosine, -1.0, 1.0)))
        rate = self._config.max_angular_speed
        if rate > 0 and turned > rate * seconds + _SLACK_RADIANS:
            return f"turned {turned:.2f} rad in {seconds:.3f} s, max_angular_speed is {rate} rad/s"
        return ""
