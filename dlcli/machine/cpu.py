"""The processor and the memory, as the operating system tells of them."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dlcli.processor import allowed_processors, cpu_quota, num_threads

_INSTRUCTIONS = {"AVX2": "avx2", "AVX-512": "avx512f", "AMX": "amx_tile"}
_CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Cpu:
    """`processors` are those of the machine, `allowed` those the scheduler may give this process,
    `quota` how many of them its control group has time for, and `threads` what dlcli makes of it.
    `instructions` are those of AVX2, AVX-512 and AMX that are there; None where that is not known,
    as `cores` and `memory_bytes`."""

    model: str
    processors: int
    cores: int | None
    allowed: int
    quota: float | None
    threads: int
    instructions: tuple[str, ...] | None
    memory_bytes: int | None


def find_cpu() -> Cpu:
    """Of this machine.

    Raises:
        UsageError: if $DLCLI_THREADS is wrong.
    """
    text = _read(_CPUINFO)
    return Cpu(
        model_of(text) or platform.processor() or platform.machine(),
        os.cpu_count() or 1,
        cores_of(text),
        allowed_processors(),
        cpu_quota(),
        num_threads(),
        instructions_of(text),
        _memory_bytes(),
    )


def model_of(cpuinfo: str) -> str | None:
    """The name of the processor in the text of /proc/cpuinfo."""
    return next(iter(_values(cpuinfo, "model name")), None)


def cores_of(cpuinfo: str) -> int | None:
    """The cores in that text; two processors that share one count once."""
    packages, numbers = _values(cpuinfo, "physical id"), _values(cpuinfo, "core id")
    return len(set(zip(packages, numbers, strict=False))) or None


def instructions_of(cpuinfo: str) -> tuple[str, ...] | None:
    """Which of AVX2, AVX-512 and AMX that text names; None where it names none at all."""
    flags = next(iter(_values(cpuinfo, "flags")), "").split()
    if not flags:
        return None
    return tuple(name for name, flag in _INSTRUCTIONS.items() if flag in flags)


def _values(cpuinfo: str, key: str) -> list[str]:
    lines: Iterable[tuple[str, str, str]] = (line.partition(":") for line in cpuinfo.splitlines())
    return [value.strip() for name, _, value in lines if name.strip() == key]


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # as on Windows
        return None


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
