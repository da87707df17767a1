"""What the doctor found, as lines of text for a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dlcli.ui.console import bold, printable

if TYPE_CHECKING:
    from dlcli.commands.doctor import DoctorResult
    from dlcli.machine.cpu import Cpu
    from dlcli.machine.gpu import Check

_COMMON = 2
"""The first checks are the same for every backend."""

_WIDTH = 20


def doctor_lines(result: DoctorResult) -> Iterator[str]:
    """Versions, processor, disk, then each step on the way to a GPU, and what to do."""
    yield bold(" versions")
    for name, version in result.versions.items():
        yield f"   {name:<{_WIDTH}}  {printable(version)}"
    yield bold(" machine")
    yield f"   {'processor':<{_WIDTH}}  {printable(_processor(result.cpu))}"
    memory = result.cpu.memory_bytes
    yield f"   {'memory':<{_WIDTH}}  {'not known' if memory is None else _gigabytes(memory)}"
    cache = result.cache
    place = printable(str(cache.folder))
    yield f"   {'cache':<{_WIDTH}}  {place}, {_gigabytes(cache.free_bytes)} free"
    yield bold(" GPU")
    for number, examination in enumerate(result.backends):
        if not number:
            yield from map(_line, examination.checks[:_COMMON])
        yield f"   for {examination.backend}"
        yield from (f"  {_line(check)}" for check in examination.checks[_COMMON:])
    ready = [one.backend for one in result.backends if one.fault is None]
    yield ""
    yield f" Training runs on the {'GPU with ' + ', '.join(ready) if ready else 'CPU'}."
    if result.advice:
        yield f" For a GPU:  {printable(result.advice)}"


def _line(check: Check) -> str:
    status = "FAULT" if check.status == "fault" else check.status
    return f"   {check.name:<{_WIDTH}}  {status:<7}  {printable(check.detail)}".rstrip()


def _processor(cpu: Cpu) -> str:
    parts = [cpu.model]
    if cpu.cores:
        parts.append(f"{cpu.cores} cores")
    parts.append(f"{cpu.processors} processors")
    if cpu.allowed < cpu.processors:
        parts.append(f"{cpu.allowed} of them for this process")
    if cpu.quota is not None:
        parts.append(f"a quota of {cpu.quota:g}")
    parts.append(f"{cpu.threads} thread{'s' if cpu.threads > 1 else ''} used")
    if cpu.instructions:
        parts.append(", ".join(cpu.instructions))
    return " · ".join(parts)


def _gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB"
