"""Counts balance whatever the threads do."""

from __future__ import annotations

import threading

import pytest

from rgbd_perception.bookkeeping import FrameLedger, StepTimer


def test_every_frame_has_one_fate_under_contention() -> None:
    ledger = FrameLedger()

    def work(index: int) -> None:
        for number in range(500):
            ledger.enter()
            if number % 3 == index % 3:
                ledger.drop(f"reason_{number % 2}")
            else:
                ledger.processed()

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = ledger.counts()
    assert counts.frames_in == 2000
    assert counts.in_flight == 0
    assert set(counts.drops) == {"reason_0", "reason_1"}


def test_a_frame_without_fate_is_in_flight() -> None:
    ledger = FrameLedger()
    ledger.enter(3)
    ledger.processed()
    assert ledger.counts().in_flight == 2


def test_percentiles_are_those_of_the_window() -> None:
    timer = StepTimer(window=100)
    for value in range(1000):
        timer.add("step", float(value))
    assert timer.percentiles()["step"]["p50"] == pytest.approx(949.5)


def test_a_step_that_fails_is_timed_too() -> None:
    timer = StepTimer()
    with pytest.raises(RuntimeError), timer.measure("broken"):
        raise RuntimeError
    assert "broken" in timer.percentiles()
