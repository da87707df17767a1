"""What is kept between commands in the user's cache folder: pixels, features, activations, bodies.

An entry is a folder named by a key that says all it depends on. It is made under another name
and renamed when it is whole, so a reader never sees half of one. Locks, which end with the process
that holds them, keep two processes from making the same entry and from dropping what one uses.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.errors import DlcliError, ResourceError, UsageError
from dlcli.events import NullReporter, Reporter, Said

if TYPE_CHECKING:
    from filelock import BaseFileLock

DEFAULT_SIZE = "10GB"
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_STALE_SECONDS = 7 * 24 * 3600
KINDS = (PIXELS, FEATURES, ACTIVATIONS, BODIES, INT8_BODIES) = (
    "pixels",
    "features",
    "activations",
    "bodies",
    "int8-bodies",
)
_LASTING_KINDS = (BODIES,)
LOCKS = "locks"
_in_use: dict[Path, BaseFileLock] = {}


class DiskFullError(ResourceError):
    """There is no room for an entry."""


def cache_folder() -> Path:
    """`$DLCLI_CACHE`, else the folder the operating system keeps for caches."""
    if named := os.environ.get("DLCLI_CACHE"):
        return Path(named)
    import platformdirs

    return platformdirs.user_cache_path("dlcli", appauthor=False)


def key_of(**parts: Any) -> str:
    """A short name for everything an entry depends on; `parts` must be JSON's own types."""
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:20]


def keep(
    kind: str,
    key: str,
    make: Callable[[Path], None],
    is_sound: Callable[[Path], bool],
    *,
    resumes: bool = False,
    reporter: Reporter | None = None,
) -> Path:
    """The folder of an entry: the one that is there, or the one that `make` fills.

    An entry that is not sound (a power cut, a cleaner that took a file) is made anew. Only one
    process makes an entry; another that wants the same one waits for it, which it tells
    `reporter`. With `resumes` the folder that `make` is given may hold what an interrupted one
    has left, else it is empty.

    Raises:
        ResourceError: if the cache folder cannot be written, DiskFullError if the disk is full.
    """
    entry = cache_folder() / kind / key
    if kind in _LASTING_KINDS and _is_there(entry, is_sound):
        return entry  # nobody drops it: no lock is needed
    with _locked(entry, reporter or NullReporter()):
        _mark_as_used(entry)
        if _is_there(entry, is_sound):
            return entry
        shutil.rmtree(entry, ignore_errors=True)
        _make(entry, make, resumes=resumes)
    _drop_old_entries()
    return entry


def _is_there(entry: Path, is_sound: Callable[[Path], bool]) -> bool:
    if not entry.is_dir() or not _looks_sound(entry, is_sound):
        return False
    with contextlib.suppress(OSError):  # a cache on a read-only file system serves as well
        os.utime(entry)
    return True


def _looks_sound(entry: Path, is_sound: Callable[[Path], bool]) -> bool:
    try:
        return is_sound(entry)
    except (OSError, EOFError, ValueError, KeyError, TypeError, DlcliError):
        return False


def _make(entry: Path, make: Callable[[Path], None], *, resumes: bool) -> None:
    """Fills a folder beside the entry, which becomes the entry when it is whole."""
    building = entry.with_name(f".{entry.name}")
    try:
        if not resumes:
            shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(entry.parent, error) from error
    try:
        make(building)
        building.rename(entry)
    except OSError as error:
        shutil.rmtree(building, ignore_errors=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _unwritable(entry.parent, error, DiskFullError) from error
        raise
    except BaseException:
        if not resumes:
            shutil.rmtree(building, ignore_errors=True)
        raise


def _unwritable(
    folder: Path, error: OSError, kind: type[ResourceError] = ResourceError
) -> ResourceError:
    return kind(
        f"cannot keep anything in the cache folder: {error.strerror}.",
        where=str(folder),
        fix="Name another one with the environment variable DLCLI_CACHE.",
    )


@contextlib.contextmanager
def _locked(entry: Path, reporter: Reporter) -> Iterator[None]:
    """Nobody else makes or drops the entry inside."""
    lock = _lock(f"{entry.parent.name}-{entry.name}")
    try:
        if not _take(lock, wait=False):
            reporter.report(Said("waiting for another dlcli, which is busy with the same pictures"))
            _take(lock, wait=True)
    except OSError as error:
        if not entry.is_dir():
            raise _unwritable(cache_folder(), error) from error
        yield  # a cache on a read-only file system: nobody makes or drops anything there
        return
    try:
        yield
    finally:
        lock.release()


def _lock(name: str) -> BaseFileLock:
    from filelock import FileLock

    return FileLock(cache_folder() / LOCKS / f"{name}.lock")


def _take(lock: BaseFileLock, *, wait: bool) -> bool:
    """Whether the lock is ours now.

    Raises:
        OSError: if locks cannot be had in the cache folder.
    """
    from filelock import Timeout

    os.makedirs(os.path.dirname(lock.lock_file), exist_ok=True)
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        return False
    return True


def _mark_as_used(entry: Path) -> None:
    """A lock that this process holds as long as it lives, so that nobody drops the entry."""
    if entry in _in_use:
        return
    mark = _lock(f"{entry.parent.name}-{entry.name}-{os.getpid()}")
    with contextlib.suppress(OSError):
        if _take(mark, wait=False):
            _in_use[entry] = mark


def _is_used(entry: Path) -> bool:
    """Whether a process that lives has marked the entry; the marks of dead ones go."""
    if entry in _in_use:
        return True
    pattern = f"{entry.parent.name}-{entry.name}-*.lock"
    for file in (cache_folder() / LOCKS).glob(pattern):
        mark = _lock(file.stem)
        if not _take(mark, wait=False):
            return True
        file.unlink(missing_ok=True)
        mark.release()
    return False


def _drop_old_entries() -> None:
    """Removes the entries unused for longest until `$DLCLI_CACHE_SIZE` is kept.

    What a process uses or makes stays. Bodies stay: they are few, small and slow to make.
    Those of int8 go like features, since there may be one for each data set.
    """
    budget = size_budget()
    droppable = []
    for kind in KINDS:
        for entry in entries(kind):
            is_half = entry.folder.name.startswith(".")
            is_abandoned = is_half and time.time() - entry.used > _STALE_SECONDS
            if kind not in _LASTING_KINDS or is_abandoned:
                droppable.append((not is_abandoned, entry.used, entry.size_bytes, entry.folder))
    total = sum(size for _, _, size, _ in droppable)
    for is_wanted, _, size, folder in sorted(droppable):
        if is_wanted and total <= budget:
            break
        with contextlib.suppress(OSError):
            total -= size if _drop(folder) else 0


@dataclass(frozen=True)
class Entry:
    """Something that is kept; `used` is when it last was, in seconds since 1970."""

    folder: Path
    size_bytes: int
    used: float


def entries(kind: str) -> list[Entry]:
    """What is kept of a kind, whole or half made, the last used first."""
    found = []
    for folder in _folders(cache_folder() / kind):
        with contextlib.suppress(OSError):  # another process may remove it at this moment
            found.append(Entry(folder, _size_bytes(folder), folder.stat().st_mtime))
    return sorted(found, key=lambda entry: -entry.used)


def drop(entry: Entry) -> bool:
    """Removes an entry, unless a process uses or makes it: whether it is gone.

    Raises:
        ResourceError: if the cache folder cannot be written.
    """
    try:
        return _drop(entry.folder) and not entry.folder.exists()
    except OSError as error:
        raise _unwritable(cache_folder(), error) from error


def _drop(folder: Path) -> bool:
    """Removes an entry, whole or half made, unless a process uses or makes it."""
    entry = folder.with_name(folder.name.removeprefix("."))
    lock = _lock(f"{entry.parent.name}-{entry.name}")
    if entry in _in_use or not _take(lock, wait=False):
        return False
    try:
        if _is_used(entry):
            return False
        shutil.rmtree(folder, ignore_errors=True)
        Path(lock.lock_file).unlink(missing_ok=True)
        return True
    finally:
        lock.release()


def size_of(kind: str, key: str) -> int:
    """The bytes that an entry takes, whole or half made."""
    folder = cache_folder() / kind
    return sum(_size_bytes(folder / name) for name in (key, f".{key}"))


def free_bytes() -> int:
    """What is free on the disk of the cache folder."""
    folder = cache_folder().absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def size_budget() -> int:
    """The bytes that pixels and features may take: `$DLCLI_CACHE_SIZE`, for instance 500MB."""
    text = os.environ.get("DLCLI_CACHE_SIZE", DEFAULT_SIZE)
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)I?B?\s*", text.upper())
    if match is None:
        raise UsageError(
            f"{text!r} is no size.", where="DLCLI_CACHE_SIZE", fix="Write it like 500MB or 10GB."
        )
    return int(float(match[1]) * _UNITS[match[2]])


def _folders(parent: Path) -> list[Path]:
    try:
        return [path for path in parent.iterdir() if path.is_dir()]
    except FileNotFoundError:
        return []


def _size_bytes(entry: Path) -> int:
    return sum(file.stat().st_size for file in entry.rglob("*") if file.is_file())
