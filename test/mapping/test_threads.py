"""Work in parts: each part once, whoever does it, and errors reach the caller."""

from __future__ import annotations

import threading
import time

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

    with run.beside() as begin:
        waiting = begin(keep_busy)
        assert begun.wait(60)
        done: list[tuple[int, int]] = []
        run(lambda first, last: done.append((first, last)), 100, 1)
        assert sum(last - first for first, last in done) == 100
        assert begin(threading.current_thread)() is threading.current_thread()
        with run.beside() as begin_more:
            begin_more(lambda: done.append((0, 0)))
        busy.set()
        assert waiting()
    run.close()
    assert (0, 0) not in done, "what nobody asks for and no thread began is left out"


@pytest.mark.parametrize("threads", [1, 2])
def test_errors_reach_the_caller(threads):
    run = Threads(threads)
    with pytest.raises(ZeroDivisionError):
        run(lambda first, last: 1 // 0, 10, 1)
    with pytest.raises(ZeroDivisionError), run.beside() as begin:
        begin(lambda: 1 // 0)()
    run.close()


def test_an_error_in_one_part_waits_for_the_others():
    run, all_begun, ended = Threads(3), threading.Barrier(3), []

    def work(first: int, last: int) -> None:
        all_begun.wait(60)
        if threading.current_thread() is threading.main_thread():
            raise ZeroDivisionError("of the caller")
        time.sleep(0.05)
        ended.append(first)
        raise ArithmeticError("of a helper")

    with pytest.raises(ZeroDivisionError, match="of the caller"):
        run(work, 3, 1)
    assert len(ended) == 2
    run.close()


def test_those_at_work_share_the_threads():
    run, both = Threads(2), threading.Barrier(2)
    workers: set[int] = set()

    def work(first: int, last: int) -> None:
        workers.add(threading.get_ident())

    def meet(first: int, last: int) -> None:
        both.wait(60)

    with run.at_work():
        run(meet, 2, 1)  # alone it has help
        with run.at_work(), run.beside() as begin:
            run(work, 100, 1)
            assert workers == {threading.get_ident()}
            assert begin(threading.get_ident)() == threading.get_ident()
        run(meet, 2, 1)
    run.close()
