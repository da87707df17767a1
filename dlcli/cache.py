"""What is kept between commands in the user's cache folder: pixels, features, bodies.

An entry is a folder named by a key that says all it depends on. It is made under a temporary
name and renamed when it is whole, so a reader never sees half of one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dlcli.errors import ResourceError, UsageError

DEFAULT_SIZE = "10GB"
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_STALE_SECONDS = 24 * 3600


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


def find_entry(kind: str, key: str) -> Path | None:
    """The folder of an entry that is there, marked as used just now; None where there is none."""
    entry = cache_folder() / kind / key
    try:
        os.utime(entry)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        return entry if entry.is_dir() else None
    return entry


@contextlib.contextmanager
def new_entry(kind: str, key: str) -> Iterator[Path]:
    """A folder to fill; it becomes the entry when the block ends well, and vanishes otherwise.

    Where another process made the same entry meanwhile, that one stays.

    Raises:
        ResourceError: if the cache folder cannot be written.
    """
    parent = cache_folder() / kind
    try:
        parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{key}-", dir=parent))
    except OSError as error:
        raise ResourceError(
            f"cannot keep anything in the cache folder: {error.strerror}.",
            where=str(parent),
            fix="Name another one with the environment variable DLCLI_CACHE.",
        ) from error
    try:
        yield building
        with contextlib.suppress(OSError):
            building.rename(parent / key)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def drop_old_entries() -> None:
    """Removes the entries unused for longest until `$DLCLI_CACHE_SIZE` is kept.

    Bodies stay: they are few, small and slow to make.
    """
    budget = size_budget()
    entries = []
    for kind in ("pixels", "features"):
        for entry in _folders(cache_folder() / kind):
            if entry.name.startswith("."):
                _remove_if_stale(entry)
                continue
            entries.append((entry.stat().st_mtime, _size_bytes(entry), entry))
    total = sum(size for _, size, _ in entries)
    for _, size, entry in sorted(entries)[:-1]:
        if total <= budget:
            break
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


def _remove_if_stale(building: Path) -> None:
    """A killed process leaves its half-made folder behind; a day later it is nobody's."""
    with contextlib.suppress(FileNotFoundError):
        if time.time() - building.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(building, ignore_errors=True)
