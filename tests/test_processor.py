"""Threads that can run, processes of their own, and libraries that are silenced."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dlcli.processor import has_int8_products, num_threads, run_python, silenced_stderr
from dlcli.workers import in_order


def test_at_least_one_thread_can_run() -> None:
    assert 1 <= num_threads() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("model name\t: X\nflags\t\t: fpu avx2 fma\nflags\t\t: fpu avx2 fma\n", False),
        ("model name\t: X\nflags\t\t: fpu avx2 avx512_vnni\n", True),
        ("flags\t\t: fpu avx2 avx_vnni fma\n", True),
        ("model name\t: my avx_vnni\nflags\t\t: fpu\n", False),
        ("Features\t: fp asimd asimddp\n", True),
        ("Features\t: fp asimd\n", False),
        ("processor\t: 0\n", None),
    ],
)
def test_whether_the_processor_multiplies_int8(
    tmp_path: Path, cpuinfo: str, expected: bool | None
) -> None:
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    assert has_int8_products(str(tmp_path / "cpuinfo")) is expected


def test_where_the_processor_is_not_described_nothing_is_known(tmp_path: Path) -> None:
    assert has_int8_products(str(tmp_path / "none")) is None


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
