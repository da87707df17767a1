"""Entries that are whole or absent, and the budget they share."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlcli.cache import (
    cache_folder,
    drop_old_entries,
    find_entry,
    key_of,
    new_entry,
    size_budget,
)
from dlcli.errors import ResourceError, UsageError

LONG_AGO = time.time() - 100_000


@pytest.fixture(autouse=True)
def folder(own_cache: Path) -> Iterator[Path]:
    """An empty cache folder, which is not there yet."""
    assert not own_cache.exists()
    return own_cache


def make_entry(kind: str, key: str, size: int = 1000, used: float | None = None) -> None:
    """An entry of `size` bytes, last used that many seconds after long ago."""
    with new_entry(kind, key) as building:
        (building / "data").mkdir()
        (building / "data" / "content").write_bytes(bytes(size))
    if used is not None:
        os.utime(cache_folder() / kind / key, (LONG_AGO + used, LONG_AGO + used))


def keys(kind: str = "pixels") -> set[str]:
    return {path.name for path in (cache_folder() / kind).iterdir()}


# --- keys and places ---


def test_a_key_depends_on_every_part_and_on_nothing_else() -> None:
    assert key_of(a=1, b=[2, "x"]) == key_of(b=[2, "x"], a=1)
    others = [key_of(a=1, b=2), key_of(a=2, b=1), key_of(a="1", b=2), key_of(a=1, b=2, c=None)]
    assert len(set(others)) == len(others)
    assert key_of(path="caf\udce9") != key_of(path="café")


def test_a_key_is_a_file_name() -> None:
    key = key_of(path="../../etc/passwd")
    assert key.isalnum()
    assert len(key) == 20


def test_the_folder_is_the_one_named_or_that_of_the_system(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache_folder() == folder
    monkeypatch.delenv("DLCLI_CACHE")
    default = cache_folder()
    assert default.is_absolute()
    assert "dlcli" in default.parts
    monkeypatch.setenv("DLCLI_CACHE", "")
    assert cache_folder() == default


# --- entries ---


def test_an_entry_is_there_when_it_is_whole_and_not_before(folder: Path) -> None:
    with new_entry("pixels", "k") as building:
        (building / "half").write_text("half")
        assert find_entry("pixels", "k") is None
    entry = find_entry("pixels", "k")
    assert entry == folder / "pixels" / "k"
    assert (entry / "half").read_text() == "half"
    assert keys() == {"k"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failed_entry_vanishes(error: type[BaseException]) -> None:
    with pytest.raises(error), new_entry("pixels", "k") as building:  # noqa: PT012
        (building / "half").write_text("half")
        raise error
    assert find_entry("pixels", "k") is None
    assert keys() == set()


def test_what_another_process_made_meanwhile_stays() -> None:
    with new_entry("pixels", "k") as slow:
        (slow / "content").write_text("slow")
        with new_entry("pixels", "k") as quick:
            (quick / "content").write_text("quick")
    entry = find_entry("pixels", "k")
    assert entry is not None
    assert (entry / "content").read_text() == "quick"
    assert keys() == {"k"}


def test_kinds_are_apart() -> None:
    make_entry("pixels", "k")
    assert find_entry("features", "k") is None


def test_a_folder_that_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DLCLI_CACHE", str(tmp_path / "file" / "cache"))
    assert find_entry("pixels", "k") is None
    drop_old_entries_of_nothing = new_entry("pixels", "k")
    with (
        pytest.raises(ResourceError, match=r"pixels: cannot keep anything .* DLCLI_CACHE\.$"),
        drop_old_entries_of_nothing,
    ):
        pytest.fail("there is nowhere to build")


# --- the budget ---


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("500", 500),
        ("0", 0),
        ("2k", 2000),
        ("500MB", 500_000_000),
        ("500 mb", 500_000_000),
        (" 1.5 GB ", 1_500_000_000),
        ("10GiB", 10_000_000_000),
        ("1T", 10**12),
        ("7B", 7),
    ],
)
def test_sizes_are_read(monkeypatch: pytest.MonkeyPatch, text: str, size: int) -> None:
    monkeypatch.setenv("DLCLI_CACHE_SIZE", text)
    assert size_budget() == size


def test_without_a_size_ten_gigabytes_are_kept() -> None:
    assert size_budget() == 10 * 10**9


@pytest.mark.parametrize("text", ["lots", "-1", "10XB", "1,5GB", "GB", "1e9", "10 GB or so"])
def test_what_is_no_size_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("DLCLI_CACHE_SIZE", text)
    with pytest.raises(UsageError, match=r"^DLCLI_CACHE_SIZE: '.*' is no size\. Write it like"):
        drop_old_entries()


def test_the_entries_unused_for_longest_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for number, key in enumerate("dbac"):
        make_entry("pixels", key, used=number)
    make_entry("features", "e", used=1.5)
    monkeypatch.setenv("DLCLI_CACHE_SIZE", "5000")
    drop_old_entries()
    assert (keys(), keys("features")) == ({"a", "b", "c", "d"}, {"e"})
    monkeypatch.setenv("DLCLI_CACHE_SIZE", "2500")
    drop_old_entries()
    assert (keys(), keys("features")) == ({"a", "c"}, set())


def test_finding_an_entry_is_using_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for number, key in enumerate("abc"):
        make_entry("pixels", key, used=number)
    assert find_entry("pixels", "a") is not None
    monkeypatch.setenv("DLCLI_CACHE_SIZE", "2000")
    drop_old_entries()
    assert keys() == {"a", "c"}


def test_the_newest_stays_however_large(monkeypatch: pytest.MonkeyPatch) -> None:
    make_entry("pixels", "old", used=0)
    make_entry("pixels", "new", used=1)
    monkeypatch.setenv("DLCLI_CACHE_SIZE", "0")
    drop_old_entries()
    assert keys() == {"new"}


def test_bodies_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    make_entry("bodies", "body", used=0)
    make_entry("pixels", "a", used=1)
    make_entry("pixels", "b", used=2)
    monkeypatch.setenv("DLCLI_CACHE_SIZE", "0")
    drop_old_entries()
    assert (keys("bodies"), keys()) == ({"body"}, {"b"})


def test_an_empty_cache_is_no_trouble(folder: Path) -> None:
    drop_old_entries()
    assert not folder.exists()


def test_half_made_entries_go_when_nobody_can_be_making_them(folder: Path) -> None:
    make_entry("pixels", "k", used=0)
    now = time.time()
    for name, age in ((".stale-1", 2 * 24 * 3600), (".fresh-1", 60)):
        building = folder / "pixels" / name
        building.mkdir()
        (building / "half").write_bytes(bytes(1000))
        os.utime(building, (now - age, now - age))
    drop_old_entries()
    assert keys() == {"k", ".fresh-1"}
