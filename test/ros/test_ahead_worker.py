"""The worker in two threads: what is prepared beside what, which item wins, that every item ends once."""

from __future__ import annotations

import threading
from collections import Counter

from rgbd_perception.bookkeeping import FrameLedger
from rgbd_perception.errors import FrameDropped
from rgbd_perception.ros.ahead_worker import AheadWorker
from test.ros.node_thread import wait_for

PREPARE, PROCESS = "prepare", "process"


class Recorder:
    """Prepares and processes integers, notes when it does; either step waits at its gate, open at first."""

    def __init__(self, ahead: bool) -> None:
        self.ahead = ahead
        self.ledger = FrameLedger()
        self.gates = {PREPARE: threading.Event(), PROCESS: threading.Event()}
        self.begun: list[tuple[str, int]] = []
        self.threads: dict[tuple[str, int], int] = {}
        self.open(PREPARE)
        self.open(PROCESS)
        self.worker: AheadWorker[int, int] = AheadWorker(
            self.prepare,
            self.process,
            ahead=lambda: self.ahead,
            drop=lambda reason, detail: self.ledger.drop(reason),
            done=self.ledger.processed,
        )

    def open(self, step: str) -> None:
        self.gates[step].set()

    def shut(self, step: str) -> None:
        self.gates[step].clear()

    def submit(self, *items: int) -> None:
        for item in items:
            self.ledger.enter()
            self.worker.submit(item)

    def wait(self, step: str, item: int) -> None:
        """Until the step has begun with the item."""
        wait_for(lambda: (step, item) in self.begun, what=f"{step} {item}")

    def prepare(self, item: int) -> int:
        self._pass(PREPARE, item)
        if item < -10:
            raise FrameDropped("too_low", str(item))
        if item < 0:
            raise ZeroDivisionError(f"item {item}")
        return item

    def process(self, item: int) -> None:
        self._pass(PROCESS, item)

    def processed(self) -> list[int]:
        return [item for step, item in self.begun if step == PROCESS]

    def drops(self) -> dict[str, int]:
        return self.ledger.counts().drops

    def _pass(self, step: str, item: int) -> None:
        self.threads[step, item] = threading.get_ident()
        self.begun.append((step, item))
        assert self.gates[step].wait(10)


def _busy(ahead: bool) -> Recorder:
    """One that processes item 0 until that gate is opened."""
    recorder = Recorder(ahead=ahead)
    recorder.shut(PROCESS)
    recorder.submit(0)
    recorder.wait(PROCESS, 0)
    return recorder


def test_an_item_is_prepared_while_the_one_before_it_is_processed() -> None:
    recorder = _busy(ahead=True)
    recorder.submit(1)
    recorder.wait(PREPARE, 1)
    assert recorder.processed() == [0]
    recorder.open(PROCESS)
    assert recorder.worker.drain(10)
    assert recorder.processed() == [0, 1] and recorder.drops() == {}
    assert recorder.worker.close()


def test_the_newest_prepared_item_wins() -> None:
    recorder = _busy(ahead=True)
    for item in range(1, 5):
        recorder.submit(item)
        recorder.wait(PREPARE, item)
    wait_for(lambda: recorder.drops() == {"superseded": 3}, what="all of them are prepared")
    recorder.open(PROCESS)
    assert recorder.worker.drain(10)
    assert recorder.processed() == [0, 4] and recorder.ledger.counts().in_flight == 0
    assert recorder.worker.close()


def test_an_item_may_be_superseded_before_it_is_prepared() -> None:
    recorder = _busy(ahead=True)
    recorder.shut(PREPARE)
    recorder.submit(1)
    recorder.wait(PREPARE, 1)
    recorder.submit(2, 3, 4)
    assert recorder.drops() == {"superseded": 2}
    recorder.open(PREPARE)
    recorder.wait(PREPARE, 4)
    recorder.open(PROCESS)
    assert recorder.worker.drain(10)
    assert (PREPARE, 2) not in recorder.begun and (PREPARE, 3) not in recorder.begun
    assert recorder.processed()[-1] == 4
    assert recorder.worker.close()


def test_without_it_an_item_is_prepared_when_its_turn_comes() -> None:
    recorder = _busy(ahead=False)
    recorder.submit(1, 2)
    assert recorder.drops() == {"superseded": 1}
    recorder.open(PROCESS)
    assert recorder.worker.drain(10)
    assert recorder.begun == [(PREPARE, 0), (PROCESS, 0), (PREPARE, 2), (PROCESS, 2)]
    assert len(set(recorder.threads.values())) == 1
    assert recorder.worker.close()


def test_an_item_that_waits_for_nothing_changes_no_thread() -> None:
    recorder = Recorder(ahead=True)
    recorder.submit(0)
    assert recorder.worker.drain(10)
    assert recorder.threads[PREPARE, 0] == recorder.threads[PROCESS, 0]
    assert recorder.worker.close()


def test_no_item_is_overtaken_when_it_changes_its_mind() -> None:
    """As when a GPU dies and the processor goes on."""
    recorder = _busy(ahead=True)
    recorder.shut(PREPARE)
    recorder.submit(1)
    recorder.wait(PREPARE, 1)
    recorder.ahead = False
    recorder.submit(2)
    recorder.open(PREPARE)
    recorder.wait(PREPARE, 2)
    recorder.open(PROCESS)
    assert recorder.worker.drain(10)
    assert recorder.processed()[-1] == 2
    recorder.submit(3)
    assert recorder.worker.drain(10)
    assert recorder.processed()[-1] == 3
    assert recorder.worker.close()


def test_what_fails_while_it_is_prepared_is_counted_and_the_threads_live_on() -> None:
    recorder = _busy(ahead=True)
    for item in (-1, -20, 1):
        recorder.submit(item)
        recorder.wait(PREPARE, item)
    recorder.open(PROCESS)
    assert recorder.worker.drain(10)
    assert recorder.processed() == [0, 1]
    assert recorder.drops() == {"internal_error": 1, "too_low": 1}
    assert recorder.worker.close()


def test_close_drops_what_is_prepared_and_what_is_not() -> None:
    recorder = _busy(ahead=True)
    recorder.submit(1)
    recorder.wait(PREPARE, 1)
    recorder.submit(2)
    wait_for(lambda: recorder.drops() == {"superseded": 1}, what="2 is prepared and waits")
    recorder.shut(PREPARE)
    recorder.submit(3)
    recorder.wait(PREPARE, 3)
    recorder.submit(4)
    for step in (PREPARE, PROCESS):
        threading.Timer(0.05, recorder.open, [step]).start()
    assert recorder.worker.close()
    recorder.submit(5)
    assert recorder.ledger.counts().in_flight == 0 and recorder.drops()["shutdown"] >= 2
    assert 4 not in recorder.processed() and 5 not in recorder.processed()


def test_every_item_ends_once_under_load() -> None:
    ends: Counter[str] = Counter()
    lock = threading.Lock()
    last = 0

    def end(reason: str, detail: str = "") -> None:
        with lock:
            ends[reason] += 1

    def process(item: int) -> None:
        nonlocal last
        assert item > last
        last = item

    turns = iter(range(10_000))
    worker: AheadWorker[int, int] = AheadWorker(
        lambda item: item,
        process,
        ahead=lambda: next(turns) % 7 > 2,
        drop=end,
        done=lambda: end("processed"),
    )
    for item in range(1, 4001):
        worker.submit(item)
    assert worker.drain(10) and worker.close()
    assert sum(ends.values()) == 4000 and set(ends) == {"processed", "superseded"}
    assert last == 4000
