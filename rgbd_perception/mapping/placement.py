"""How well one upright box lies to another as a relation says: 0 (not at all) to 1.

Boxes from a map are off by about a voxel on each side, so a limit on a length has the slack of two voxels: a
condition holds fully until it is exceeded by the slack, half at twice the slack, and not at all at three
times. For a target and an anchor, their footprints seen from above, and the gap g between the footprints:

    on       the target's bottom is no higher than the anchor's top and no lower than its middle (a pillow on
             a sofa lies far below the top of the sofa's box); times the share of the target's footprint over
             the anchor's, grown by the slack
    in       share of the target's volume inside the anchor's box, grown by the slack but not upward: what
             stands on top is not in
    under    the target's top and middle are no higher than the anchor's; times the share of the smaller
             footprint that is shared, both grown by twice the slack (a picture hangs behind the sofa)
    above    the target's bottom is no lower than the anchor's top; times the same share
    next to  1 - g / 1 m, at heights that overlap; times what the smaller footprint does not share
    near     1 - d / 2 m for the distance d between the boxes

A thing has no relation to itself: boxes that overlap by an IoU of more than a half are taken for one. All of
this is the same for any turn about z and any shift.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.boxes import OrientedBox, box_overlap, footprint_overlap, seen_from
from rgbd_perception.mapping.relations import Relation

HOLDS = 0.5
"""A relation holds from this degree on."""
_NEXT_TO_METRES = 1.0
_NEAR_METRES = 2.0
_SLACK_VOXELS = 2.0
_SAME_THING = 0.5


@dataclass(frozen=True)
class _Pair:
    """Two boxes and the slack of the limits in metres."""

    target: OrientedBox
    anchor: OrientedBox
    slack: float

    def not_above(self, height: float, limit: float) -> float:
        """1 where ``height`` is at most ``limit``, less and less beyond the slack."""
        return min(max(1.5 - (height - limit) / (2 * self.slack), 0.0), 1.0)

    @property
    def levels_apart(self) -> float:
        """Vertical distance between the boxes, negative where they share heights."""
        return max(self.target.bottom - self.anchor.top, self.anchor.bottom - self.target.top)

    @property
    def shared(self) -> float:
        """Share of the smaller footprint, both grown by twice the slack, that the two have in common."""
        target, anchor = grown(self.target, 2 * self.slack), grown(self.anchor, 2 * self.slack)
        return min(footprint_overlap(target, anchor) / min(_area(target), _area(anchor)), 1.0)


def degree(relation: Relation, target: OrientedBox, anchor: OrientedBox, voxel_size: float) -> float:
    """How well ``target`` lies to ``anchor`` as ``relation`` says, 0..1."""
    if box_overlap(target, anchor) > _SAME_THING:
        return 0.0
    return _DEGREES[relation](_Pair(target, anchor, _SLACK_VOXELS * voxel_size))


def grown(box: OrientedBox, by: float) -> OrientedBox:
    """``box`` with its four sides moved outward by ``by`` metres."""
    return OrientedBox(box.center, box.size + np.array([2 * by, 2 * by, 0.0]), box.yaw)


def gap_between(first: OrientedBox, second: OrientedBox) -> float:
    """Horizontal distance (metres) between two footprints, 0 where they touch or overlap."""
    if footprint_overlap(first, second) > 0:
        return 0.0
    return min(_corners_to(first, second), _corners_to(second, first))


def _on(pair: _Pair) -> float:
    middle = float(pair.anchor.center[2])
    upright = pair.not_above(pair.target.bottom, pair.anchor.top) * pair.not_above(middle, pair.target.bottom)
    over = footprint_overlap(pair.target, grown(pair.anchor, pair.slack)) / _area(pair.target)
    return upright * min(over, 1.0)


def _in(pair: _Pair) -> float:
    target, anchor = pair.target, pair.anchor
    inside = min(target.top, anchor.top) - max(target.bottom, anchor.bottom - pair.slack)
    share = footprint_overlap(target, grown(anchor, pair.slack)) / _area(target)
    return min(share, 1.0) * min(max(inside / float(target.size[2]), 0.0), 1.0)


def _under(pair: _Pair) -> float:
    target, anchor = pair.target, pair.anchor
    lower = pair.not_above(float(target.center[2]), float(anchor.center[2]))
    return lower * pair.not_above(target.top, anchor.top) * pair.shared


def _above(pair: _Pair) -> float:
    return pair.not_above(pair.anchor.top, pair.target.bottom) * pair.shared


def _next_to(pair: _Pair) -> float:
    smaller = min(_area(pair.target), _area(pair.anchor))
    beside = 1 - min(footprint_overlap(pair.target, pair.anchor) / smaller, 1.0)
    closeness = max(1 - gap_between(pair.target, pair.anchor) / _NEXT_TO_METRES, 0.0)
    return closeness * beside * pair.not_above(pair.levels_apart, 0.0)


def _near(pair: _Pair) -> float:
    distance = math.hypot(gap_between(pair.target, pair.anchor), max(pair.levels_apart, 0.0))
    return max(1 - distance / _NEAR_METRES, 0.0)


_DEGREES: dict[Relation, Callable[[_Pair], float]] = {
    Relation.NEXT_TO: _next_to,
    Relation.ON: _on,
    Relation.UNDER: _under,
    Relation.ABOVE: _above,
    Relation.IN: _in,
    Relation.NEAR: _near,
}


def _area(box: OrientedBox) -> float:
    return float(box.size[0] * box.size[1])


def _corners_to(first: OrientedBox, second: OrientedBox) -> float:
    """Least horizontal distance from a corner of ``second`` to the rectangle of ``first``."""
    place, turn = seen_from(first, second)
    half = second.size[:2] / 2
    signs: NDArray[np.float64] = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], np.float64)
    axes = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    corners = place + (signs * half) @ axes
    outside = np.maximum(np.abs(corners) - first.size[:2] / 2, 0.0)
    return float(np.hypot(outside[:, 0], outside[:, 1]).min())
