"""Frames per second: the warm-up is left out, but a short run still has a rate."""

from __future__ import annotations

import pytest

from rgbd_perception.ros import diagnostics
from rgbd_perception.ros.diagnostics import FrameRate


@pytest.fixture
def marks(monkeypatch):
    """``marks(rate, times)``: frames finished at these seconds."""

    def marks(rate, times):
        for now in times:
            monkeypatch.setattr(diagnostics.time, "monotonic", lambda now=now: now)
            rate.mark()

    return marks


def test_warm_up_is_not_counted(marks):
    """20 slow frames, the 21st at 100 s, then ten a second."""
    rate = FrameRate(warm_up=20)
    marks(rate, [5.0 * number for number in range(20)] + [100 + 0.1 * number for number in range(31)])
    assert rate.overall() == pytest.approx(10.0)


@pytest.mark.parametrize("frames", [2, 20, 21])
def test_short_run_counts_whole(marks, frames):
    rate = FrameRate(warm_up=20)
    marks(rate, [7 + 0.25 * number for number in range(frames)])
    assert rate.overall() == pytest.approx(4.0)


def test_one_frame_has_no_rate(marks):
    rate = FrameRate()
    assert rate.overall() == 0
    marks(rate, [3.0])
    assert rate.overall() == 0


def test_recent_rate_forgets(marks):
    rate = FrameRate(window_s=5)
    marks(rate, [0, 1, 2, 3, 100, 100.5, 101])
    assert rate.recent() == pytest.approx(2.0)
