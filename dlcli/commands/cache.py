"""dlcli cache: what is kept between commands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ALL = "all"


@dataclass(frozen=True)
class KindFacts:
    """What is kept of one kind; `last_used` in seconds since 1970, None where there is nothing."""

    kind: str
    num_entries: int
    size_bytes: int
    last_used: float | None


@dataclass(frozen=True)
class CacheResult:
    """What is kept in `folder`, of which pixels and features may take `budget_bytes`. Of what was
    to be cleared `num_cleared` entries of `cleared_bytes` are gone and `num_in_use` stayed."""

    folder: Path
    budget_bytes: int
    kinds: tuple[KindFacts, ...]
    num_cleared: int = 0
    cleared_bytes: int = 0
    num_in_use: int = 0


def run(clear: tuple[str, ...] = ()) -> CacheResult:
    """Removes what is kept of the kinds in `clear`, and says what there is.

    Raises:
        ResourceError: if the cache folder cannot be written.
        UsageError: if DLCLI_CACHE_SIZE is no size.
    """
    from dlcli import cache

    budget = cache.size_budget()
    num_cleared = cleared_bytes = num_in_use = 0
    for kind in cache.KINDS if ALL in clear else dict.fromkeys(clear):
        for entry in cache.entries(kind):
            if cache.drop(entry):
                num_cleared, cleared_bytes = num_cleared + 1, cleared_bytes + entry.size_bytes
            else:
                num_in_use += 1
    kinds = tuple(map(_facts, cache.KINDS))
    return CacheResult(cache.cache_folder(), budget, kinds, num_cleared, cleared_bytes, num_in_use)


def _facts(kind: str) -> KindFacts:
    from dlcli import cache

    found = cache.entries(kind)
    last_used = found[0].used if found else None
    return KindFacts(kind, len(found), sum(entry.size_bytes for entry in found), last_used)
