"""Which depth image belongs to which color image. No ROS in here: stamps in, pairs and drops out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Color = TypeVar("Color")
Depth = TypeVar("Depth")
Info = TypeVar("Info")

CLOCK_RESET_NS = 1_000_000_000
"""Stamps that go back further are a clock set back (a bag that starts again), not frames out of order."""


@dataclass(frozen=True)
class Pair(Generic[Color, Depth, Info]):
    """Color with the depth and camera info that belong to it. ``arrival`` is time.monotonic() of color."""

    stamp_ns: int
    color: Color
    depth: Depth
    info: Info
    arrival: float


@dataclass(frozen=True, eq=False)
class _Waiting(Generic[Color]):
    stamp_ns: int
    color: Color
    arrival: float


class Pairer(Generic[Color, Depth, Info]):
    """Pairs the newest color with the nearest depth within ``slop_ns``, each depth at most once.

    Every color ends exactly once: in a returned pair, or in one call of ``drop(reason, detail)``:

    ``stamp_zero``           the driver sets no stamp
    ``stamp_backward``       not newer than the color before it
    ``clock_reset``          it was waiting when the clock was set back by more than a second
    ``depth_missing``        no depth within the slop
    ``camera_info_missing``  depth comes, but no camera info has come yet
    ``superseded``           a newer color was paired while its own depth might still have come
    ``shutdown``             it was waiting when the node was deactivated

    Buffers are bounded by ``capacity``. Depth images that are never used are counted in ``unused_depth``.
    Not thread-safe: all calls come from the executor's thread.
    """

    def __init__(
        self,
        drop: Callable[[str, str], None],
        *,
        slop_ns: int = 20_000_000,
        capacity: int = 8,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._drop = drop
        self._slop_ns = slop_ns
        self._capacity = capacity
        self._clock = clock
        self._colors: list[_Waiting[Color]] = []
        self._depths: dict[int, Depth] = {}
        self._info: Info | None = None
        self._last_color_ns = 0
        self._last_depth_ns = 0
        self._depth_spacing_ns = 0
        self.unused_depth: Counter[str] = Counter()

    def add_info(self, info: Info) -> list[Pair[Color, Depth, Info]]:
        """Camera info holds until the next one; its stamp does not matter."""
        self._info = info
        return self._match()

    def add_depth(self, stamp_ns: int, depth: Depth) -> list[Pair[Color, Depth, Info]]:
        if stamp_ns <= 0:
            self.unused_depth["stamp_zero"] += 1
            return []
        if stamp_ns < self._last_depth_ns - CLOCK_RESET_NS:
            self._set_clock_back(stamp_ns)
        elif self._last_depth_ns and stamp_ns > self._last_depth_ns:
            gap = stamp_ns - self._last_depth_ns
            self._depth_spacing_ns = min(gap, self._depth_spacing_ns or gap)
        self._last_depth_ns = max(self._last_depth_ns, stamp_ns)
        self._depths[stamp_ns] = depth
        if len(self._depths) > self._capacity:
            self._forget_depth(min(self._depths))
        return self._match()

    def add_color(self, stamp_ns: int, color: Color) -> list[Pair[Color, Depth, Info]]:
        if stamp_ns <= 0:
            self._drop("stamp_zero", "the color image has no stamp: the camera driver must set it")
            return []
        if stamp_ns < self._last_color_ns - CLOCK_RESET_NS:
            self._set_clock_back(stamp_ns)
        elif stamp_ns <= self._last_color_ns:
            late = (self._last_color_ns - stamp_ns) * 1e-9
            self._drop("stamp_backward", f"the color image is {late:.3f} s older than the one before it")
            return []
        self._last_color_ns = stamp_ns
        self._colors.append(_Waiting(stamp_ns, color, self._clock()))
        pairs = self._match()
        if len(self._colors) > self._capacity:
            oldest = self._colors[0]
            pairs += self._match(lambda waiting: waiting is oldest)
        return pairs

    def expire(self, max_wait_s: float) -> list[Pair[Color, Depth, Info]]:
        """Decide about every color that has waited longer than ``max_wait_s``: pair it with what there is."""
        now = self._clock()
        return self._match(lambda waiting: now - waiting.arrival > max_wait_s)

    def clear(self) -> None:
        """Drop everything that waits (``shutdown``) and forget all stamps."""
        for _ in self._colors:
            self._drop("shutdown", "the node was deactivated while the frame waited")
        self._colors = []
        self._depths = {}
        self._info = None
        self._last_color_ns = self._last_depth_ns = self._depth_spacing_ns = 0

    def _match(
        self, must_decide: Callable[[_Waiting[Color]], bool] = lambda waiting: False
    ) -> list[Pair[Color, Depth, Info]]:
        """Pair what can be paired, the newest color first; drop what never can be. Returns oldest first."""
        pairs = []
        for waiting in reversed(list(self._colors)):
            nearest = self._nearest_depth(waiting.stamp_ns)
            if nearest is None or self._info is None:
                continue
            if self._is_final(waiting.stamp_ns, nearest) or must_decide(waiting):
                self._colors.remove(waiting)
                depth = self._depths.pop(nearest)
                pairs.append(Pair(waiting.stamp_ns, waiting.color, depth, self._info, waiting.arrival))
        if pairs:
            self._drop_older_than(pairs[0].stamp_ns)
        for waiting in list(self._colors):
            if must_decide(waiting) or self._depth_has_passed(waiting.stamp_ns):
                self._colors.remove(waiting)
                self._give_up(waiting)
        return pairs[::-1]

    def _drop_older_than(self, color_ns: int) -> None:
        """What is older than a paired color and its slop has had its time."""
        for waiting in [waiting for waiting in self._colors if waiting.stamp_ns < color_ns]:
            self._colors.remove(waiting)
            self._give_up(waiting, passed=True)
        for depth_ns in [depth_ns for depth_ns in self._depths if depth_ns < color_ns - self._slop_ns]:
            self._forget_depth(depth_ns)

    def _nearest_depth(self, stamp_ns: int) -> int | None:
        nearest = min(self._depths, key=lambda depth_ns: abs(depth_ns - stamp_ns), default=None)
        return nearest if nearest is not None and abs(nearest - stamp_ns) <= self._slop_ns else None

    def _is_final(self, color_ns: int, nearest_ns: int) -> bool:
        """Whether no depth that is still to come can be nearer, given that depth comes in order.

        The next depth comes at least one spacing later: then waiting for it would only cost latency.
        """
        return self._last_depth_ns >= color_ns or 2 * (color_ns - nearest_ns) <= self._depth_spacing_ns

    def _depth_has_passed(self, color_ns: int) -> bool:
        return self._last_depth_ns > color_ns + self._slop_ns and self._nearest_depth(color_ns) is None

    def _give_up(self, waiting: _Waiting[Color], *, passed: bool = False) -> None:
        if self._info is None and self._last_depth_ns:
            self._drop("camera_info_missing", "no camera info was received: is its topic remapped too?")
        elif passed and not self._depth_has_passed(waiting.stamp_ns):
            self._drop("superseded", "a newer color image got its depth first")
        else:
            self._drop("depth_missing", f"no depth within {self._slop_ns * 1e-6:g} ms of the color image")

    def _forget_depth(self, stamp_ns: int) -> None:
        del self._depths[stamp_ns]
        self.unused_depth["no_color"] += 1

    def _set_clock_back(self, stamp_ns: int) -> None:
        """Forget what is from before the jump; the other stream may have jumped first, its frames stay."""
        limit = stamp_ns + CLOCK_RESET_NS
        for waiting in [w for w in self._colors if w.stamp_ns > limit]:
            self._colors.remove(waiting)
            self._drop("clock_reset", "stamps went back by more than a second while the frame waited")
        for depth_ns in [depth_ns for depth_ns in self._depths if depth_ns > limit]:
            self._forget_depth(depth_ns)
        self._last_depth_ns = max(self._depths, default=0)
