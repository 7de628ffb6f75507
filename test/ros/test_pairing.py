"""Pairing: every color ends exactly once; nearest depth; clocks that jump; nothing waits for ever."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.ros.pairing import Pair, Pairer

MS = 1_000_000
START = 1_000 * 1_000 * MS


class Bench:
    """A pairer with a clock that stands still unless told, and everything that comes out of it."""

    def __init__(self, *, info: bool = True, slop_ms: float = 20.0) -> None:
        self.now = 0.0
        self.drops: Counter[str] = Counter()
        self.pairs: list[tuple[int, int]] = []
        self.pairer: Pairer[int, int, str] = Pairer(
            lambda reason, detail: self.drops.update([reason]),
            slop_ns=round(slop_ms * MS),
            clock=lambda: self.now,
        )
        if info:
            self.keep(self.pairer.add_info("info"))

    def keep(self, pairs: list[Pair[int, int, str]]) -> None:
        self.pairs += [(pair.color, pair.depth) for pair in pairs]

    def color(self, ms: float) -> None:
        stamp = START + round(ms * MS)
        self.keep(self.pairer.add_color(stamp, stamp))

    def depth(self, ms: float) -> None:
        stamp = START + round(ms * MS)
        self.keep(self.pairer.add_depth(stamp, stamp))

    def paired_ms(self) -> list[tuple[float, float]]:
        return [((color - START) / MS, (depth - START) / MS) for color, depth in self.pairs]


def test_equal_stamps_pair_at_once_in_either_order() -> None:
    bench = Bench()
    bench.color(0)
    assert not bench.pairs
    bench.depth(0)
    bench.depth(33)
    bench.color(33)
    assert bench.paired_ms() == [(0, 0), (33, 33)]
    assert not bench.drops


def test_a_later_depth_that_is_nearer_is_waited_for() -> None:
    bench = Bench(slop_ms=30)
    for stamp in (0, 33):
        bench.depth(stamp)
    bench.color(52)  # 19 ms after the depth of 33, 14 ms before that of 66
    assert not bench.pairs
    bench.depth(66)
    assert bench.paired_ms() == [(52, 66)]


def test_a_depth_that_nothing_can_beat_is_not_waited_for() -> None:
    bench = Bench()
    for stamp in (0, 33):
        bench.depth(stamp)
    bench.color(38)  # the next depth comes at 66 at the earliest
    assert bench.paired_ms() == [(38, 33)]


def test_outside_the_slop_is_depth_missing() -> None:
    bench = Bench()
    bench.color(0)
    bench.depth(21)
    assert bench.drops == {"depth_missing": 1}
    assert not bench.pairs


def test_a_depth_is_used_once() -> None:
    bench = Bench()
    bench.depth(0)
    bench.color(0)
    bench.color(10)
    bench.depth(100)
    assert bench.paired_ms() == [(0, 0)]
    assert bench.drops == {"depth_missing": 1}


def test_the_newest_color_wins_and_older_ones_are_superseded() -> None:
    bench = Bench()
    bench.color(0)
    bench.color(10)
    bench.depth(10)
    assert bench.paired_ms() == [(10, 10)]
    assert bench.drops == {"superseded": 1}


def test_bad_stamps() -> None:
    bench = Bench()
    bench.keep(bench.pairer.add_color(0, 0))
    bench.color(100)
    bench.color(100)
    bench.color(50)
    assert bench.drops == {"stamp_zero": 1, "stamp_backward": 2}
    bench.keep(bench.pairer.add_depth(0, 0))
    assert bench.pairer.unused_depth == {"stamp_zero": 1}


def test_a_bag_that_starts_again_goes_on_working() -> None:
    for color_first in (True, False):
        bench = Bench()
        for stamp in (5000, 5033):
            bench.depth(stamp)
            bench.color(stamp)
        bench.color(5066)  # waits when the clock is set back
        for stamp in (0, 33):
            for add in (bench.color, bench.depth) if color_first else (bench.depth, bench.color):
                add(stamp)
        assert bench.paired_ms() == [(5000, 5000), (5033, 5033), (0, 0), (33, 33)]
        assert bench.drops == {"clock_reset": 1}


def test_frames_wait_for_the_first_camera_info() -> None:
    bench = Bench(info=False)
    bench.color(0)
    bench.depth(0)
    assert not bench.pairs
    bench.keep(bench.pairer.add_info("info"))
    assert bench.paired_ms() == [(0, 0)]


def test_without_camera_info_the_reason_says_so() -> None:
    bench = Bench(info=False)
    for index in range(20):
        bench.depth(33 * index)
        bench.color(33 * index)
    bench.now = 10.0
    bench.keep(bench.pairer.expire(0.5))
    assert bench.drops == {"camera_info_missing": 20} and not bench.pairs


def test_nothing_waits_longer_than_it_may() -> None:
    bench = Bench()
    bench.color(0)
    bench.keep(bench.pairer.expire(0.5))
    assert not bench.drops
    bench.now = 0.6
    bench.keep(bench.pairer.expire(0.5))
    assert bench.drops == {"depth_missing": 1}


def test_what_waited_for_a_better_depth_takes_what_there_is() -> None:
    bench = Bench(slop_ms=30)
    bench.depth(0)
    bench.color(25)
    bench.now = 0.6
    bench.keep(bench.pairer.expire(0.5))
    assert bench.paired_ms() == [(25, 0)]


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["color", "depth"]), st.integers(-1, 400).map(lambda step: step * 7)),
        st.tuples(st.sampled_from(["color_zero", "depth_zero", "info", "expire", "clear"]), st.just(0)),
        # two live streams, as they come from a camera
        st.tuples(st.sampled_from(["both"]), st.integers(0, 60).map(lambda step: step * 33)),
    ),
    max_size=60,
)


@given(events=EVENTS, info=st.booleans())
def test_every_color_ends_exactly_once(events: list[tuple[str, int]], info: bool) -> None:
    bench = Bench(info=info)
    colors_in = 0
    for kind, ms in events:
        bench.now += 0.01
        if kind in ("color", "both"):
            colors_in += 1
            bench.color(ms)
        if kind in ("depth", "both"):
            bench.depth(ms + 3)
        if kind == "color_zero":
            colors_in += 1
            bench.keep(bench.pairer.add_color(0, 0))
        elif kind == "depth_zero":
            bench.keep(bench.pairer.add_depth(0, 0))
        elif kind == "info":
            bench.keep(bench.pairer.add_info("info"))
        elif kind == "expire":
            bench.keep(bench.pairer.expire(0.05))
        elif kind == "clear":
            bench.pairer.clear()
        waiting = colors_in - len(bench.pairs) - sum(bench.drops.values())
        assert 0 <= waiting <= 8
    bench.pairer.clear()
    assert colors_in == len(bench.pairs) + sum(bench.drops.values())
    assert all(abs(color - depth) <= 20 * MS for color, depth in bench.pairs)


@given(offset=st.integers(-15, 15), lost=st.sets(st.integers(0, 29)), delay=st.integers(0, 2))
def test_a_steady_camera_loses_only_frames_without_depth(offset: int, lost: set[int], delay: int) -> None:
    """Depth ``delay`` frames late, with a fixed offset in time and some images missing."""
    bench = Bench()
    for index in range(30 + delay):
        if index < 30:
            bench.color(33 * index)
        if index >= delay and index - delay not in lost:
            bench.depth(33 * (index - delay) + offset)
    bench.now = 10.0
    bench.keep(bench.pairer.expire(0.5))
    assert len(bench.pairs) == 30 - len(lost)
    assert all(depth - color == offset for color, depth in bench.paired_ms())
    assert sum(bench.drops.values()) == len(lost)
