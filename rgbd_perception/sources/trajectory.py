"""The recorded poses of one moving frame, looked up by stamp."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped
from rgbd_perception.geometry import interpolate_pose, pose_from_numbers


class Trajectory:
    """Poses x y z qx qy qz qw with stamps in nanoseconds.

    They are kept as they were recorded and made into matrices when they are looked up, because a robot's /tf
    holds hundreds of transforms a second and a camera asks for few of them. Samples that are not finite are
    left out, of several with one stamp the last is kept.
    """

    def __init__(
        self, stamps_ns: Sequence[int], poses: Sequence[Sequence[float]], max_gap_s: float = 1.0
    ) -> None:
        stamps = np.asarray(stamps_ns, dtype=np.int64)
        values = np.asarray(poses, dtype=np.float64).reshape(-1, 7)
        usable = np.all(np.isfinite(values), axis=1)
        stamps, values = stamps[usable], values[usable]
        order = np.argsort(stamps, kind="stable")
        stamps, values = stamps[order], values[order]
        last_of_stamp = np.append(np.diff(stamps) > 0, True)[: len(stamps)]
        self._stamps, self._values = stamps[last_of_stamp], values[last_of_stamp]
        self._max_gap_ns = round(max_gap_s * 1e9)

    def __len__(self) -> int:
        return len(self._stamps)

    def at(self, stamp_ns: int) -> NDArray[np.float64]:
        """The (4, 4) pose at ``stamp_ns``, interpolated between its neighbours.

        Raises FrameDropped: ``pose_missing`` (no pose at all), ``pose_extrapolation`` (before the first or
        after the last), ``pose_gap`` (the neighbours are too far apart), ``pose_invalid`` (zero quaternion).
        """
        if not len(self._stamps):
            raise FrameDropped("pose_missing", "the trajectory is empty")
        index = int(np.searchsorted(self._stamps, stamp_ns))
        if index < len(self._stamps) and self._stamps[index] == stamp_ns:
            return pose_from_numbers(self._values[index])
        if index in (0, len(self._stamps)):
            outside = (int(self._stamps[min(index, len(self._stamps) - 1)]) - stamp_ns) * 1e-9
            raise FrameDropped("pose_extrapolation", f"{abs(outside):.3f} s outside of the recorded poses")
        before, after = int(self._stamps[index - 1]), int(self._stamps[index])
        if after - before > self._max_gap_ns:
            raise FrameDropped("pose_gap", f"the poses around it are {(after - before) * 1e-9:.3f} s apart")
        return interpolate_pose(
            stamp_ns,
            before,
            pose_from_numbers(self._values[index - 1]),
            after,
            pose_from_numbers(self._values[index]),
        )
