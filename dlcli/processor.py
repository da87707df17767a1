"""The processor and the process: how many threads pay, and libraries that talk past Python."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

_redirecting = threading.Lock()


def num_threads() -> int:
    """The threads that can run at the same time: the processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def silenced_stderr() -> Iterator[None]:
    """Descriptor 2 leads nowhere inside: for C++ libraries that greet without being asked."""
    with _redirecting:
        if sys.stderr is not None:
            sys.stderr.flush()
        kept = os.dup(2)
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
