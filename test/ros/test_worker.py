"""The worker: newest wins, everything is counted, nothing ends the thread."""

from __future__ import annotations

import threading
from collections import Counter

from rgbd_perception.bookkeeping import FrameLedger
from rgbd_perception.errors import FrameDropped
from rgbd_perception.ros.drops import DropReporter
from rgbd_perception.ros.worker import NewestFrameWorker


class Recorder:
    """Processes integers: waits at the gate, fails on request, remembers what it has done."""

    def __init__(self) -> None:
        self.ledger = FrameLedger()
        self.gate = threading.Event()
        self.begun = threading.Event()
        self.seen: list[int] = []
        self.details: list[str] = []
        self.worker: NewestFrameWorker[int] = NewestFrameWorker(
            self.process, drop=self.drop, done=self.ledger.processed
        )

    def submit(self, item: int) -> None:
        self.ledger.enter()
        self.worker.submit(item)

    def process(self, item: int) -> None:
        self.begun.set()
        self.gate.wait(5)
        if item < -10:
            raise FrameDropped("too_low", str(item))
        if item < 0:
            raise ZeroDivisionError(f"item {item}")
        self.seen.append(item)

    def drop(self, reason: str, detail: str) -> None:
        self.ledger.drop(reason)
        self.details.append(detail)


def test_the_newest_item_wins_and_the_others_are_counted() -> None:
    recorder = Recorder()
    recorder.submit(0)
    assert recorder.begun.wait(5)
    for item in range(1, 10):
        recorder.submit(item)
    recorder.gate.set()
    assert recorder.worker.drain(5)
    assert recorder.seen == [0, 9]
    counts = recorder.ledger.counts()
    assert (counts.frames_in, counts.frames_processed, counts.drops) == (10, 2, {"superseded": 8})
    assert recorder.worker.close()


def test_an_exception_is_counted_and_the_thread_lives_on() -> None:
    recorder = Recorder()
    recorder.gate.set()
    for item in (1, -1, -20, 2):
        recorder.submit(item)
        assert recorder.worker.drain(5)
    assert recorder.seen == [1, 2]
    assert recorder.ledger.counts().drops == {"internal_error": 1, "too_low": 1}
    assert "ZeroDivisionError: item -1 (test_worker.py:" in recorder.details[0]
    assert recorder.worker.close()


def test_close_finishes_what_runs_and_drops_what_waits() -> None:
    recorder = Recorder()
    recorder.submit(0)
    assert recorder.begun.wait(5)
    recorder.submit(1)
    threading.Timer(0.05, recorder.gate.set).start()
    assert recorder.worker.close()
    recorder.submit(2)
    counts = recorder.ledger.counts()
    assert recorder.seen == [0]
    assert counts.drops == {"shutdown": 2} and counts.in_flight == 0


def test_every_item_ends_once_under_load() -> None:
    ends: Counter[str] = Counter()
    lock = threading.Lock()

    def end(reason: str, detail: str = "") -> None:
        with lock:
            ends[reason] += 1

    worker: NewestFrameWorker[int] = NewestFrameWorker(
        lambda item: None, drop=end, done=lambda: end("processed")
    )
    threads = [
        threading.Thread(target=lambda: [worker.submit(index) for index in range(2000)]) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert worker.drain(5) and worker.close()
    assert sum(ends.values()) == 4000 and ends["processed"] >= 1


def test_drops_are_logged_once_per_kind_and_again_after_a_while() -> None:
    now = [0.0]
    lines: list[str] = []
    ledger = FrameLedger()
    drop = DropReporter(ledger, lines.append, repeat_s=30, clock=lambda: now[0])
    for _ in range(5):
        drop("stamp_zero", "no stamp")
        drop("superseded", "as it should be")
    drop("internal_error", "ValueError: 1")
    drop("internal_error", "ValueError: 2")
    drop("internal_error", "KeyError: 3")
    assert lines == [
        "frame dropped: stamp_zero: no stamp",
        "frame dropped: internal_error: ValueError: 1",
        "frame dropped: internal_error: KeyError: 3",
    ]
    now[0] = 31.0
    drop("stamp_zero", "no stamp")
    assert lines[-1] == "frame dropped: stamp_zero (5 times since the last line): no stamp"
    assert ledger.counts().drops == {"stamp_zero": 6, "superseded": 5, "internal_error": 3}


def test_what_fails_while_the_process_stops_is_no_error() -> None:
    stopping = [False]
    lines: list[str] = []
    ledger = FrameLedger()
    drop = DropReporter(ledger, lines.append, stopping=lambda: stopping[0])
    stopping[0] = True
    drop("internal_error", "RCLError: the context is invalid")
    drop("pose_missing", "still said")
    assert lines == ["frame dropped: pose_missing: still said"]
    assert ledger.counts().drops == {"shutdown": 1, "pose_missing": 1}
