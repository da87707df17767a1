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

from dlcli import processor
from dlcli.errors import UsageError
from dlcli.processor import (
    allowed_processors,
    cpu_quota,
    has_int8_products,
    limit_threads,
    num_threads,
    run_python,
    silenced_stderr,
)
from dlcli.workers import in_order


def test_at_least_one_thread_can_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DLCLI_THREADS", raising=False)
    assert 1 <= num_threads() <= allowed_processors() <= (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no such call here")
def test_a_process_held_to_one_processor_has_one_thread() -> None:
    program = """
import os
os.environ.pop("DLCLI_THREADS", None)
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from dlcli.processor import num_threads
print(num_threads())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"1"


def test_threads_that_were_asked_for_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLCLI_THREADS", "3")
    assert num_threads() == 3


@pytest.mark.parametrize("wrong", ["0", "-1", "two", "1.5", " 2", "²", "9999"])
def test_a_wrong_number_of_threads_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    monkeypatch.setenv("DLCLI_THREADS", wrong)
    with pytest.raises(UsageError, match=r"\$DLCLI_THREADS: must be a whole number from 1 to 1024"):
        num_threads()


def write_groups(folder: Path, own: str, files: dict[str, str]) -> float | None:
    """The quota that a folder of control groups with these `files` gives."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{content}\n")
    (folder / "own").write_text(own)
    return cpu_quota(folder, folder / "own")


@pytest.mark.parametrize(
    ("own", "files", "quota"),
    [
        ("0::/\n", {"cpu.max": "150000 100000"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000"}, None),
        ("0::/\n", {}, None),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000", "a/cpu.max": "300000 100000"}, 3.0),
        ("0::/a/b\n", {"a/b/cpu.max": "400000 100000", "a/cpu.max": "50000 100000"}, 0.5),
        ("0::/of/the/host\n", {"cpu.max": "200000 100000"}, 2.0),
        ("0::/../../other\n", {"cpu.max": "200000 100000", "other/cpu.max": "100 100"}, 2.0),
        ("0::/\n", {"cpu.max": "nonsense"}, None),
        (
            "3:memory:/\n2:cpu,cpuacct:/docker/1\n",
            {
                "cpu,cpuacct/docker/1/cpu.cfs_quota_us": "250000",
                "cpu,cpuacct/docker/1/cpu.cfs_period_us": "100000",
            },
            2.5,
        ),
        (
            "2:cpu:/docker/1\n0::/\n",
            {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "50000"},
            2.0,
        ),
        (
            "2:cpu:/\n",
            {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"},
            None,
        ),
        ("4:cpuset:/\n", {"cpu/cpu.cfs_quota_us": "1", "cpu/cpu.cfs_period_us": "1"}, None),
        ("", {}, None),
        ("no group at all\n", {"cpu.max": "100 100"}, None),
    ],
)
def test_a_quota_is_that_of_the_group_or_of_one_above_it(
    tmp_path: Path, own: str, files: dict[str, str], quota: float | None
) -> None:
    assert write_groups(tmp_path, own, files) == quota


def test_where_there_are_no_groups_there_is_no_quota(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path, tmp_path / "nowhere") is None


LIBRARIES = """
import os, sys
from dlcli.processor import limit_threads
limit_threads(int(sys.argv[1]) if sys.argv[1] else None)
import numpy, sklearn.linear_model
from threadpoolctl import threadpool_info
pools = [pool["num_threads"] for pool in threadpool_info()]
print(len(pools) >= 2, set(pools), os.environ["DLCLI_THREADS"])
"""


@pytest.mark.parametrize(
    ("asked", "environment", "said"),
    [
        ("1", {}, "True {1} 1"),
        ("1", {"OMP_NUM_THREADS": "2"}, "True {1} 1"),
        ("", {"DLCLI_THREADS": "1"}, "True {1} 1"),
        ("", {"DLCLI_THREADS": "1", "OMP_NUM_THREADS": "2"}, "True {2} 1"),
    ],
)
def test_numpy_and_scikit_learn_take_as_many_threads(
    asked: str, environment: dict[str, str], said: str
) -> None:
    if allowed_processors() < 2 and "2" in said:
        pytest.skip("one processor")
    hidden = ("DLCLI_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        [sys.executable, "-c", LIBRARIES, asked],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == said


def test_children_are_held_to_as_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DLCLI_THREADS", *processor.LIBRARY_THREADS):
        monkeypatch.setenv(name, "1")  # which is put back when the test ends
    limit_threads(5)
    program = "from dlcli.processor import num_threads; raise SystemExit(num_threads() != 5)"
    assert run_python("-c", program) is None


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
