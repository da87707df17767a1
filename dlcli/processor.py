"""The processor and the process: how many threads pay, work in order on several of them, and
libraries that talk past Python."""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def num_threads() -> int:
    """The threads that can run at the same time: the processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(
    work: Callable[[_In], _Out], inputs: Iterable[_In], num_workers: int, ahead: int = 4
) -> Iterator[_Out]:
    """`map` over a small pool of threads: results in input order, each as soon as it is there.

    Inputs are taken lazily, by a thread of their own, at most `ahead` for each worker before
    their results are: whoever writes one input may wait for its result before writing the next.
    """
    from concurrent.futures import Future, ThreadPoolExecutor

    waiting: queue.Queue[Future[_Out] | None] = queue.Queue(ahead * num_workers)
    ended = threading.Event()

    def feed() -> None:
        try:
            for item in inputs:
                if ended.is_set():
                    return
                waiting.put(pool.submit(work, item))
        except BaseException as error:  # noqa: BLE001 - it is raised where the results are read
            failed: Future[_Out] = Future()
            failed.set_exception(error)
            waiting.put(failed)
        finally:
            waiting.put(None)

    with ThreadPoolExecutor(num_workers) as pool:
        threading.Thread(target=feed, daemon=True).start()
        try:
            while (future := waiting.get()) is not None:
                yield future.result()
        finally:
            ended.set()
            _drain(waiting)


def _drain(waiting: queue.Queue[Future[_Out] | None]) -> None:
    """Cancels what has not begun, and makes room for a feeder that is about to put its last."""
    with contextlib.suppress(queue.Empty):
        while (future := waiting.get_nowait()) is not None:
            future.cancel()


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
