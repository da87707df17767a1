"""The processor and the process: how many threads pay, processes of our own, and libraries that
talk past Python."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from dlcli.errors import UsageError

THREADS = "DLCLI_THREADS"
MOST_THREADS = 1024
LIBRARY_THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NPROC",
)
"""What the linear algebra below scikit-learn, PyTorch (OpenMP) and JAX (NPROC) read when they are
loaded. NumPy's OpenBLAS has one thread from the start (see `__main__`): its sums are rounded the
same way whatever is asked for here."""


def num_threads() -> int:
    """The threads that pay: $DLCLI_THREADS, else the processors that this process may use, and no
    more of them than its control group has time for.

    Raises:
        UsageError: if $DLCLI_THREADS is no whole number from 1 on.
    """
    asked = os.environ.get(THREADS, "")
    if asked:
        if not asked.isascii() or not asked.isdigit() or not 1 <= int(asked) <= MOST_THREADS:
            what = f"must be a whole number from 1 to {MOST_THREADS}, got {asked!r}."
            raise UsageError(what, where=f"${THREADS}")
        return int(asked)
    quota = cpu_quota()
    allowed = allowed_processors()
    return allowed if quota is None else max(1, min(allowed, math.ceil(quota)))


def allowed_processors() -> int:
    """The processors that the scheduler may give to this process."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def limit_threads(asked: int | None = None) -> None:
    """Holds this process, its children and the libraries they load to `num_threads()`.

    Each library has its own idea of how many threads are right, and few of them ask for a quota.
    They read the environment once, so this comes before they are loaded. What the user has set
    there stays, unless `asked` says otherwise.
    """
    if asked is not None:
        os.environ[THREADS] = str(asked)
    threads = str(num_threads())
    for name in LIBRARY_THREADS:
        if asked is not None:
            os.environ[name] = threads
        else:
            os.environ.setdefault(name, threads)


def cpu_quota(
    groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> float | None:
    """How many processors' time the control groups of this process leave it; None for no limit.

    A group is limited by those above it, too. Both versions are read: 2 has one tree for
    everything, 1 has one for each controller.
    """
    try:
        lines = own.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    quotas = []
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            for root in (groups, groups / "unified"):
                quotas += [_quota_of_2(folder) for folder in _up(root, path)]
        elif "cpu" in controllers.split(","):
            for root in (groups / controllers, groups / "cpu"):
                quotas += [_quota_of_1(folder) for folder in _up(root, path)]
    return min((quota for quota in quotas if quota), default=None)


def _up(root: Path, path: str) -> Iterator[Path]:
    """The folders of a group and of those above it. In a container the path may be that on the
    host, and nothing lies there: then the root is the container's own group."""
    inside = PurePosixPath(path.lstrip("/"))
    if ".." not in inside.parts:
        yield from (root / group for group in (inside, *inside.parents) if group.name)
    yield root


def _quota_of_2(folder: Path) -> float | None:
    limit, _, period = _read(folder / "cpu.max").partition(" ")
    return _ratio(limit, period)


def _quota_of_1(folder: Path) -> float | None:
    return _ratio(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))


def _ratio(limit: str, period: str) -> float | None:
    """None where there is no limit, which is `max` in version 2 and -1 in version 1."""
    if not (limit.isdigit() and period.isdigit() and int(limit) and int(period)):
        return None
    return int(limit) / int(period)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def has_int8_products(cpuinfo: str = "/proc/cpuinfo") -> bool | None:
    """Whether the processor sums products of int8 in one instruction (AVX-VNNI, AVX512-VNNI, or
    Arm's dot products); None where that is not known.

    Without one, XNNPACK's int8 kernels are no faster than its float32 ones (measured with AVX2).
    """
    try:
        with open(cpuinfo, encoding="ascii", errors="replace") as file:
            lines = [line for line in file if line.startswith(("flags", "Features"))]
    except OSError:
        return None
    known = {"avx_vnni", "avx512_vnni", "asimddp"}
    return any(known & set(line.split()) for line in lines) if lines else None


def run_python(*arguments: str) -> str | None:
    """Runs this Python with `arguments` in a process of its own, for what leaks, may crash, or
    must know nothing of this process. None if all went well, else the last line it said."""
    return ask_python(*arguments)[1]


def ask_python(*arguments: str, seconds: float | None = None) -> tuple[str, str | None]:
    """What such a process wrote on stdout, and why it failed: the last line it said, or that it
    took longer than `seconds`; None if all went well."""
    import subprocess

    try:
        done = subprocess.run(
            # -P: no module of the folder we happen to be in may take the place of a real one.
            [sys.executable, "-P", *arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(_import_path())},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "", f"it did not end within {seconds:g} s"
    if not done.returncode:
        return done.stdout, None
    said = [line for line in done.stderr.splitlines() if line.strip()]
    return done.stdout, said[-1] if said else f"it ended with {done.returncode}"


def _import_path() -> list[str]:
    """Where this package lies, so that a checkout that is not installed works as well."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return [package, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]


@contextlib.contextmanager
def silenced_stderr() -> Iterator[None]:
    """Descriptor 2 leads nowhere inside: for C and C++ libraries that talk without being asked.

    Several threads may be inside at once: silence lasts until the last one leaves. What Python
    says on `sys.stderr` is heard where that has a descriptor of its own (see `ui.console`).
    """
    _silence.enter()
    try:
        yield
    finally:
        _silence.leave()


@contextlib.contextmanager
def silenced_stdout() -> Iterator[None]:
    """Descriptor 1 leads nowhere inside; for one thread, while no other one writes."""
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


class _Silence:
    """Descriptor 2, away from its place for as long as any thread is inside."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._num_inside = 0
        self._kept: int | None = None

    def enter(self) -> None:
        with self._lock:
            if not self._num_inside:
                self._kept = _lead_nowhere()
            self._num_inside += 1

    def leave(self) -> None:
        with self._lock:
            self._num_inside -= 1
            if not self._num_inside and self._kept is not None:
                os.dup2(self._kept, 2)
                os.close(self._kept)


_silence = _Silence()


def _lead_nowhere() -> int | None:
    """A copy of what descriptor 2 was, None where it is closed: then nothing can be heard."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:
        return None
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    return kept


_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_MEGABYTE = 2**20


def keep_freed_memory() -> None:
    """Lets glibc keep memory that is freed, for a training that frees and takes the same tensors
    at every step: giving them back to the system and getting them anew took half of the time of
    small networks (measured: 320-490 against 900-990 pictures a second). Elsewhere does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    mallopt(_MMAP_THRESHOLD, 32 * _MEGABYTE)  # the most that it takes
    mallopt(_TRIM_THRESHOLD, 2047 * _MEGABYTE)
    mallopt(_TOP_PAD, 64 * _MEGABYTE)
