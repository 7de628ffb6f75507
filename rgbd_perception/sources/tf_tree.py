"""Recorded transforms between frames, composed along the tree as tf2 does it (REP 105)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped
from rgbd_perception.sources.trajectory import Trajectory


@dataclass
class _Edge:
    """Transforms of one child frame in its parent frame."""

    parent: str
    static: bool
    stamps: list[int] = field(default_factory=list)
    poses: list[Sequence[float]] = field(default_factory=list)
    trajectory: Trajectory | None = None


class TfTree:
    """Add all transforms first, then look poses up."""

    def __init__(self, max_gap_s: float = 1.0) -> None:
        self._edges: dict[str, _Edge] = {}
        self._max_gap_s = max_gap_s

    def add(self, parent: str, child: str, stamp_ns: int, pose: Sequence[float], static: bool) -> None:
        """One transform x y z qx qy qz qw of ``child`` in ``parent``; a static one holds for all times.

        A frame has one parent: with a new one it starts anew. What moves is not made static again.
        """
        parent, child = plain_frame(parent), plain_frame(child)
        edge = self._edges.get(child)
        if edge is None or edge.parent != parent or (edge.static and not static):
            edge = self._edges[child] = _Edge(parent, static)
        if static and not edge.static:
            return
        edge.stamps.append(stamp_ns)
        edge.poses.append(pose)
        edge.trajectory = None

    def ancestors(self, frame: str) -> list[str]:
        """The frames above ``frame``, nearest first."""
        chain: list[str] = []
        frame = plain_frame(frame)
        while frame in self._edges and self._edges[frame].parent not in chain:
            frame = self._edges[frame].parent
            chain.append(frame)
        return chain

    def moves(self, frame: str, ancestor: str) -> bool:
        """Whether any transform between ``frame`` and its ``ancestor`` is not static."""
        return any(not self._edges[child].static for child in self._path(frame, ancestor))

    def pose(self, frame: str, ancestor: str, stamp_ns: int) -> NDArray[np.float64]:
        """The (4, 4) pose of ``frame`` in ``ancestor`` (itself or one above it) at ``stamp_ns``.

        Every transform on the way is interpolated by itself. Raises FrameDropped like ``Trajectory.at``.
        """
        pose = np.eye(4)
        for child in self._path(frame, ancestor):
            edge = self._edges[child]
            try:
                pose = self._lookup(edge, stamp_ns) @ pose
            except FrameDropped as dropped:
                raise FrameDropped(dropped.reason, f"{edge.parent} to {child}: {dropped.detail}") from None
        return pose

    def _path(self, frame: str, ancestor: str) -> list[str]:
        """The frames from ``frame`` up to just below ``ancestor``."""
        frame, ancestor = plain_frame(frame), plain_frame(ancestor)
        if frame == ancestor:
            return []
        above = self.ancestors(frame)
        return [frame, *above[: above.index(ancestor)]]

    def _lookup(self, edge: _Edge, stamp_ns: int) -> NDArray[np.float64]:
        if edge.trajectory is None:
            if edge.static:
                edge.stamps, edge.poses = edge.stamps[-1:], edge.poses[-1:]
            edge.trajectory = Trajectory(edge.stamps, edge.poses, self._max_gap_s)
        return edge.trajectory.at(edge.stamps[-1] if edge.static else stamp_ns)


def plain_frame(name: str) -> str:
    """Frame names of ROS 1 times may begin with a slash that means nothing."""
    return name.lstrip("/")
