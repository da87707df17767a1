"""`dlcli doctor`: what is installed, what the machine has, and what keeps a GPU from work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.events import Reporter, StageEnded, StageStarted

if TYPE_CHECKING:
    from dlcli.machine.cpu import Cpu
    from dlcli.machine.driver import Driver
    from dlcli.machine.gpu import Examination

_STAGE = "asking {}"


@dataclass(frozen=True)
class Disk:
    """The folder where things are kept between commands, and what is free there."""

    folder: Path
    free_bytes: int


@dataclass(frozen=True)
class DoctorResult:
    """`backends` holds an examination of each framework that is installed; `advice` is what to do
    for a GPU, empty where one is ready or there is none."""

    versions: dict[str, str]
    cpu: Cpu
    cache: Disk
    driver: Driver
    backends: tuple[Examination, ...]
    advice: str


def run(reporter: Reporter) -> DoctorResult:
    """Looks at everything; changes nothing.

    Raises:
        UsageError: if $DLCLI_THREADS is wrong.
    """
    from dlcli import cache
    from dlcli.machine.cpu import find_cpu
    from dlcli.machine.driver import find_driver
    from dlcli.machine.frameworks import BACKENDS
    from dlcli.machine.gpu import examine
    from dlcli.machine.packages import installed_versions

    versions = installed_versions()
    driver = find_driver()
    found = []
    for backend in (name for name in BACKENDS if name in versions):
        reporter.report(StageStarted(_STAGE.format(backend)))
        found.append(examine(backend, driver))
        reporter.report(StageEnded(_STAGE.format(backend)))
    disk = Disk(cache.cache_folder(), cache.free_bytes())
    return DoctorResult(versions, find_cpu(), disk, driver, tuple(found), _advice(found))


def _advice(examinations: list[Examination]) -> str:
    """What mends the first backend, which is the one that is taken; nothing where one has a GPU."""
    faults = [examination.fault for examination in examinations]
    first = next(iter(faults), None)
    return "" if first is None or None in faults else first.fix
