"""Whole commands, measured from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

DLCLI = (sys.executable, "-m", "dlcli")


@dataclass(frozen=True)
class Measured:
    """One finished process: wall-clock seconds, its own peak of memory, what it wrote."""

    seconds: float
    peak_megabytes: float
    stdout: str


def run(command: Sequence[object], **environment: str) -> Measured:
    """Runs a command to its end.

    Raises:
        RuntimeError: if it fails, with what it said.
    """
    words = [str(word) for word in command]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        started = time.perf_counter()
        process = subprocess.Popen(words, stdout=out, stderr=err, env={**os.environ, **environment})
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode:
            raise RuntimeError(f"{' '.join(words)}: {process.returncode}\n{err.read()}")
        return Measured(seconds, usage.ru_maxrss / 1000, out.read())


def repeat(times: int, *works: Callable[[], Measured]) -> list[list[Measured]]:
    """Each work `times` times, taken in turn so that a noisy minute meets all of them alike."""
    results: list[list[Measured]] = [[] for _ in works]
    for _ in range(times):
        for result, work in zip(results, works, strict=True):
            result.append(work())
    return results


def seconds(measured: Sequence[Measured]) -> tuple[float, ...]:
    """The wall-clock seconds of each."""
    return tuple(one.seconds for one in measured)


def megabytes(measured: Sequence[Measured]) -> tuple[float, ...]:
    """The peak of memory of each."""
    return tuple(one.peak_megabytes for one in measured)


def frameworks_imported(command: Sequence[object], **environment: str) -> str:
    """The names of the frameworks that a `python -m ...` command imports, or "none"."""
    python, *rest = (str(word) for word in command)
    done = subprocess.run(
        [python, "-X", "importtime", *rest],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    found = sorted(imported & {"keras", "tensorflow", "jax", "torch"})
    return ", ".join(found) or "none"


def machine() -> str:
    """The processor and how many of it this process may use."""
    name = "an unknown processor"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        flags = next((line for line in lines if line.startswith("flags")), "")
        wide = "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "no AVX2"
        name = f"{names[0] if names else name} ({wide})"
    return f"{len(os.sched_getaffinity(0))} cores of {name}"
