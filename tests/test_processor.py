"""Work on several threads in order, and processes of their own."""

from __future__ import annotations

import itertools
import os
import platform
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dlcli.processor import (
    in_order,
    num_threads,
    run_python,
    silenced_stderr,
)


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


def test_at_least_one_thread_can_run() -> None:
    assert 1 <= num_threads() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("print('fine')", None),
        ("import sys; print('a warning', file=sys.stderr)", None),
        ("raise ValueError('why')", "ValueError: why"),
        ("import sys; sys.exit('gone wrong\\n\\n')", "gone wrong"),
        ("raise SystemExit(3)", "it ended with 3"),
    ],
)
def test_a_python_of_its_own_tells_its_last_line(
    capfd: pytest.CaptureFixture[str], program: str, said: str | None
) -> None:
    assert run_python("-c", program) == said
    assert capfd.readouterr() == ("", "")


def test_a_python_of_its_own_takes_no_module_of_the_folder_it_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    monkeypatch.chdir(tmp_path)
    assert run_python("-c", "import json, dlcli") is None


def test_stderr_is_silent_inside_and_back_afterwards(capfd: pytest.CaptureFixture[str]) -> None:
    os.write(2, b"before ")
    with silenced_stderr():
        os.write(2, b"inside ")
    os.write(2, b"after")
    assert capfd.readouterr().err == "before after"


def test_stderr_is_back_after_a_failure(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="inside"), silenced_stderr():
        raise ValueError("inside")
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_silence_lasts_until_the_last_thread_has_left(capfd: pytest.CaptureFixture[str]) -> None:
    inside, may_leave = threading.Barrier(2, timeout=30), threading.Event()

    def be_inside() -> None:
        with silenced_stderr():
            inside.wait()
            assert may_leave.wait(30)

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(be_inside)
        with silenced_stderr():
            inside.wait()
            os.write(2, b"both inside ")
        os.write(2, b"one inside ")
        may_leave.set()
        other.result()
    os.write(2, b"nobody inside")
    assert capfd.readouterr().err == "nobody inside"


def test_silence_in_many_threads_leaves_no_descriptor_behind() -> None:
    def descriptors() -> int:
        descriptor = os.open(os.devnull, os.O_RDONLY)
        os.close(descriptor)
        return descriptor

    def be_inside(_: int) -> None:
        with silenced_stderr():
            os.write(2, b"unheard")

    before = descriptors()
    assert len(list(in_order(be_inside, range(2000), 4))) == 2000
    assert descriptors() == before


@pytest.mark.parametrize("stderr", ["os.close(2)", "sys.stderr = None", "sys.stderr.close()"])
def test_where_nothing_can_be_heard_silence_does_no_harm(stderr: str) -> None:
    program = f"""
import os, sys
from dlcli.processor import silenced_stderr
{stderr}
with silenced_stderr():
    print("inside")
print("after")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True
    )
    assert done.stdout == "inside\nafter\n"


TAKE_AND_FREE = """
import resource, sys
from dlcli.processor import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
def take_and_free():
    pieces = [b"x" * (20 << 20) for _ in range(4)]
take_and_free()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    take_and_free()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_memory_that_is_freed_stays_with_the_process() -> None:
    """Taken again it is there: the system has no page to bring."""

    def page_faults(how: str) -> int:
        command = [sys.executable, "-c", TAKE_AND_FREE, how]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert page_faults("kept") < page_faults("given back") / 10
