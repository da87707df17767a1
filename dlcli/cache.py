"""What is kept between commands in the user's cache folder: pixels, features, bodies.

An entry is a folder named by a key that says all it depends on. It is made under a temporary
name and renamed when it is whole, so a reader never sees half of one.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dlcli.errors import DlcliError, ResourceError, UsageError

DEFAULT_SIZE = "10GB"
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_STALE_SECONDS, _SPARED_SECONDS = 24 * 3600, 3600
KINDS = (PIXELS, FEATURES, BODIES) = ("pixels", "features", "bodies")
_LASTING_KINDS = (BODIES,)
_in_use: set[tuple[str, str]] = set()


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
    kind: str, key: str, make: Callable[[Path], None], is_sound: Callable[[Path], bool]
) -> Path:
    """The folder of an entry: the one that is there, or the one that `make` fills.

    An entry that is not sound (a power cut, a cleaner that took a file) is made anew. Where
    another process made the same one meanwhile, that one stays.

    Raises:
        ResourceError: if the cache folder cannot be written.
    """
    _in_use.add((kind, key))
    entry = cache_folder() / kind / key
    if entry.is_dir():
        if _looks_sound(entry, is_sound):
            with contextlib.suppress(OSError):  # a cache on a read-only file system serves as well
                os.utime(entry)
            return entry
        shutil.rmtree(entry, ignore_errors=True)
    with _new_entry(entry) as building:
        make(building)
    _drop_old_entries()
    return entry


def _looks_sound(entry: Path, is_sound: Callable[[Path], bool]) -> bool:
    try:
        return is_sound(entry)
    except (OSError, EOFError, ValueError, KeyError, TypeError, DlcliError):
        return False


@contextlib.contextmanager
def _new_entry(entry: Path) -> Iterator[Path]:
    """A folder to fill; it becomes the entry when the block ends well, and vanishes otherwise."""
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{entry.name}-", dir=entry.parent))
    except OSError as error:
        raise _unwritable(entry.parent, error) from error
    try:
        yield building
        try:
            building.rename(entry)
        except OSError:
            if not entry.is_dir():
                raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _unwritable(entry.parent, error) from error
        raise
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _unwritable(folder: Path, error: OSError) -> ResourceError:
    return ResourceError(
        f"cannot keep anything in the cache folder: {error.strerror}.",
        where=str(folder),
        fix="Name another one with the environment variable DLCLI_CACHE.",
    )


def _drop_old_entries() -> None:
    """Removes the entries unused for longest until `$DLCLI_CACHE_SIZE` is kept.

    What this process uses stays, and what another one opened within the hour. Bodies stay: they
    are few, small and slow to make.
    """
    budget = size_budget()
    entries = []
    for kind in KINDS:
        for entry in _folders(cache_folder() / kind):
            with contextlib.suppress(OSError):  # another process may remove it at this moment
                used = entry.stat().st_mtime
                if entry.name.startswith("."):
                    if time.time() - used > _STALE_SECONDS:  # its maker was killed
                        shutil.rmtree(entry, ignore_errors=True)
                elif kind not in _LASTING_KINDS:
                    entries.append((used, _size_bytes(entry), kind, entry))
    total = sum(size for _, size, _, _ in entries)
    for used, size, kind, entry in sorted(entries):
        if total <= budget:
            break
        if (kind, entry.name) in _in_use or time.time() - used < _SPARED_SECONDS:
            continue
        shutil.rmtree(entry, ignore_errors=True)
        total -= size


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
