"""Work in parts: each part once, whoever does it, and errors reach the caller."""

from __future__ import annotations

import threading

import pytest

from rgbd_perception.mapping.threads import Threads


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 7, 1000])
def test_every_item_is_done_once(threads, count):
    run, done, lock = Threads(threads), [], threading.Lock()

    def work(first: int, last: int) -> None:
        with lock:
            done.extend(range(first, last))

    run(work, count, 2)
    run.close()
    assert sorted(done) == list(range(count))


def test_a_busy_thread_is_not_waited_for():
    run, begun, busy = Threads(2), threading.Event(), threading.Event()

    def keep_busy() -> bool:
        begun.set()
        return busy.wait(60)

    waiting = run.beside(keep_busy)
    assert begun.wait(60)
    done: list[tuple[int, int]] = []
    run(lambda first, last: done.append((first, last)), 100, 1)
    assert sum(last - first for first, last in done) == 100
    assert run.beside(threading.current_thread)() is threading.current_thread()
    busy.set()
    assert waiting()
    run.close()


@pytest.mark.parametrize("threads", [1, 2])
def test_errors_reach_the_caller(threads):
    run = Threads(threads)
    with pytest.raises(ZeroDivisionError):
        run(lambda first, last: 1 // 0, 10, 1)
    with pytest.raises(ZeroDivisionError):
        run.beside(lambda: 1 // 0)()
    run.close()
