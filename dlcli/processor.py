"""The processor and the process: how many threads pay, processes of our own, and libraries that
talk past Python."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator


def num_threads() -> int:
    """The threads that can run at the same time: the processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
    import subprocess

    done = subprocess.run(
        # -P: no module of the folder we happen to be in may take the place of a real one.
        [sys.executable, "-P", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(_import_path())},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if not done.returncode:
        return None
    said = [line for line in done.stderr.splitlines() if line.strip()]
    return said[-1] if said else f"it ended with {done.returncode}"


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
