"""Work on several threads or processes, in order."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from dlcli.errors import ResourceError
from dlcli.workers import batches_in_order, in_order, worker_processes


def in_time(work: Callable[[], object]) -> None:
    """Runs `work` and fails where it hangs."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result(60)


def square(number: int) -> int:
    return number * number


@pytest.mark.parametrize("num_workers", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 7, 300])
def test_results_come_in_the_order_of_the_inputs(num_workers: int, count: int) -> None:
    expected = [square(number) for number in range(count)]
    assert list(in_order(square, range(count), num_workers)) == expected


def test_a_slow_first_result_is_still_the_first() -> None:
    later_done = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert later_done.wait(30)
        if number == 3:
            later_done.set()
        return number

    assert list(in_order(work, range(6), 2)) == list(range(6))


def test_work_is_shared_by_several_threads() -> None:
    together = threading.Barrier(3, timeout=30)
    assert sorted(in_order(lambda _: together.wait(), range(3), 3)) == [0, 1, 2]


def test_inputs_are_taken_only_a_little_ahead() -> None:
    taken: list[int] = []

    def inputs() -> Iterator[int]:
        for number in range(2000):
            taken.append(number)
            yield number

    results = in_order(lambda number: number, inputs(), num_workers=2, ahead=3)
    ahead = [len(taken) - 1 - result for result in results]
    assert len(ahead) == 2000
    assert max(ahead) <= 2 * 3 + 2


def test_a_result_is_there_before_the_next_input() -> None:
    answered = [threading.Event() for _ in range(4)]

    def inputs() -> Iterator[int]:
        for number in range(4):
            yield number
            assert answered[number].wait(30), f"no result of {number} while the input goes on"

    for number, result in enumerate(in_order(square, inputs(), 2)):
        assert result == square(number)
        answered[number].set()
    assert all(event.is_set() for event in answered)


def test_a_failure_of_the_work_comes_at_its_place() -> None:
    def work(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number

    results = in_order(work, range(100), 2)
    assert list(itertools.islice(results, 3)) == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
    assert list(results) == []


def test_a_failure_of_the_inputs_comes_after_the_results() -> None:
    def inputs() -> Iterator[int]:
        yield from range(3)
        raise OSError("the pipe broke")

    results = in_order(square, inputs(), 2)
    assert list(itertools.islice(results, 3)) == [0, 1, 4]
    with pytest.raises(OSError, match="the pipe broke"):
        next(results)


def test_closing_early_ends_the_work() -> None:
    worked_on: list[int] = []

    def work(number: int) -> int:
        worked_on.append(number)
        return number

    def take_three() -> None:
        results = in_order(work, itertools.count(), 2)
        assert list(itertools.islice(results, 3)) == [0, 1, 2]
        results.close()  # type: ignore[attr-defined]

    for _ in range(20):
        worked_on.clear()
        in_time(take_three)
        assert len(worked_on) < 20


def test_closing_early_does_not_wait_for_an_input_that_never_comes() -> None:
    never = threading.Event()

    def inputs() -> Iterator[int]:
        yield 1
        never.wait(120)

    def take_one() -> None:
        results = in_order(square, inputs(), 2)
        assert next(results) == 1
        results.close()  # type: ignore[attr-defined]
        assert not never.is_set()

    try:
        in_time(take_one)
    finally:
        never.set()


def process_of(_: int) -> int:
    return os.getpid()


def die(number: int) -> int:
    if number == 5:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    return number


def takes_a_moment(number: int) -> int:
    time.sleep(0.01)
    return number


def test_processes_answer_in_order_too() -> None:
    with worker_processes(2) as pool:
        assert list(in_order(square, range(50), 2, pool=pool)) == [n * n for n in range(50)]
        processes = set(in_order(process_of, range(50), 2, pool=pool))
    assert os.getpid() not in processes
    assert 1 <= len(processes) <= 2


def test_a_failure_in_a_process_is_raised_here() -> None:
    with worker_processes(1) as pool:
        results = in_order(bytes, [3, "x"], 1, pool=pool)
        assert next(results) == bytes(3)
        with pytest.raises(TypeError, match="encoding"):
            next(results)


def test_a_process_that_dies_is_a_sentence() -> None:
    with (
        pytest.raises(ResourceError, match="ended from outside, or crashed"),
        worker_processes(2) as pool,
    ):
        list(in_order(die, range(100), 2, pool=pool))


PARENT = """
import os, sys, time
from tests.test_workers import process_of, takes_a_moment
from dlcli.workers import batches_in_order, in_order, worker_processes
if __name__ == "__main__":
    with worker_processes(2) as pool:
        print(*set(in_order(process_of, range(20), 2, pool=pool)), flush=True)
        for _ in in_order(takes_a_moment, range(1_000_000), 2, pool=pool):
            pass
"""


def start_parent() -> tuple[subprocess.Popen[str], list[int]]:
    """A process at work, and its workers."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert parent.stdout is not None
    workers = [int(pid) for pid in parent.stdout.readline().split()]
    assert workers
    return parent, workers


def has_ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_workers_end_with_a_parent_that_is_killed() -> None:
    parent, workers = start_parent()
    parent.kill()
    parent.wait(30)
    deadline = time.monotonic() + 30
    while not all(map(has_ended, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert all(map(has_ended, workers))


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_ctrl_c_is_the_parents_alone() -> None:
    parent, workers = start_parent()
    os.killpg(parent.pid, signal.SIGINT)
    try:
        _, said = parent.communicate(timeout=60)
    finally:
        parent.kill()
    assert said.count("Traceback") == said.count("KeyboardInterrupt") == 1, said
    assert all(map(has_ended, workers))


@pytest.mark.parametrize("most", [1, 3, 100])
@pytest.mark.parametrize("count", [0, 1, 7, 300])
def test_batches_hold_all_results_in_order(count: int, most: int) -> None:
    batches = list(batches_in_order(square, range(count), 2, most))
    assert all(1 <= len(batch) <= most for batch in batches)
    assert [one for batch in batches for one in batch] == [square(one) for one in range(count)]


def test_what_is_there_comes_together() -> None:
    held, done = threading.Event(), threading.Semaphore(0)

    def work(number: int) -> int:
        if number == 0:
            held.wait(30)
        done.release()
        return number

    batches = batches_in_order(work, range(21), 2, 8)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(next, batches)
        assert all(done.acquire(timeout=30) for _ in range(5))  # while the first is waited for
        held.set()
        assert first.result(30)[:4] == [0, 1, 2, 3]
    assert [one for batch in batches for one in batch][-1] == 20


def test_a_batch_waits_for_nothing() -> None:
    held = threading.Event()

    def work(number: int) -> int:
        if number == 1:
            held.wait(30)
        return number

    batches = batches_in_order(work, range(3), 2, 8)
    assert next(batches) == [0]
    held.set()
    assert [one for batch in batches for one in batch] == [1, 2]


def test_what_came_before_a_failure_is_not_lost() -> None:
    def inputs() -> Iterator[int]:
        yield from range(5)
        raise OSError("the list ended")

    batches = batches_in_order(square, inputs(), 2, 8)
    found: list[int] = []
    while len(found) < 5:
        found += next(batches)
    assert found == [0, 1, 4, 9, 16]
    with pytest.raises(OSError, match="the list ended"):
        next(batches)
