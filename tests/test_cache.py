"""Entries that are whole or absent, and the budget they share."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dlcli.cache import LOCKS, DiskFullError, cache_folder, keep, key_of, size_budget
from dlcli.errors import DataError, ResourceError, UsageError
from dlcli.events import Event, Said
from tests.conftest import ROOT

LONG_AGO = time.time() - 10 * 24 * 3600


@pytest.fixture(autouse=True)
def folder(own_cache: Path) -> Iterator[Path]:
    """An empty cache folder, which is not there yet."""
    assert not own_cache.exists()
    return own_cache


def write(text: str) -> Callable[[Path], None]:
    """Fills an entry with `text`."""

    def make(building: Path) -> None:
        (building / "content").write_text(text)

    return make


def must_not_be_made(building: Path) -> None:
    pytest.fail(f"{building} is made, though the entry is there")


def is_sound(entry: Path) -> bool:
    return bool((entry / "content").read_text())


def leave_entry(kind: str, key: str, used: float = 0.0, size: int = 1000) -> None:
    """What another process kept: `size` bytes, last used that many seconds after long ago."""
    entry = cache_folder() / kind / key
    (entry / "deep").mkdir(parents=True)
    (entry / "deep" / "content").write_bytes(bytes(size))
    os.utime(entry, (LONG_AGO + used, LONG_AGO + used))


def keep_one(key: str = "mine", size: int = 1000) -> Path:
    """Keeps one more entry, upon which what is too much goes."""
    return keep("pixels", key, write("x" * size), is_sound)


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
    def make(building: Path) -> None:
        assert building.is_dir()
        assert not (folder / "pixels" / "k").exists()
        (building / "content").write_text("whole")

    entry = keep("pixels", "k", make, is_sound)
    assert entry == folder / "pixels" / "k"
    assert (entry / "content").read_text() == "whole"
    assert keys() == {"k"}


def test_an_entry_that_is_there_is_not_made_again() -> None:
    first = keep("pixels", "k", write("first"), is_sound)
    assert keep("pixels", "k", must_not_be_made, is_sound) == first
    assert (first / "content").read_text() == "first"


def test_kinds_and_keys_are_apart() -> None:
    for kind, key in (("pixels", "x"), ("pixels", "y"), ("features", "x")):
        entry = keep(kind, key, write(kind + key), is_sound)
        assert (entry / "content").read_text() == kind + key


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), DataError("no")])
def test_an_entry_whose_making_fails_vanishes(error: BaseException) -> None:
    def make(building: Path) -> None:
        (building / "half").write_text("half")
        raise error

    with pytest.raises(type(error)):
        keep("pixels", "k", make, is_sound)
    assert keys() == set()


def is_empty_of_content(entry: Path) -> None:
    (entry / "content").write_text("")


def lacks_content(entry: Path) -> None:
    (entry / "content").unlink()


@pytest.mark.parametrize("damage", [is_empty_of_content, lacks_content])
def test_a_damaged_entry_is_made_anew(damage: Callable[[Path], None]) -> None:
    damage(keep("pixels", "k", write("first"), is_sound))
    entry = keep("pixels", "k", write("second"), is_sound)
    assert (entry / "content").read_text() == "second"
    assert keys() == {"k"}


class Listener:
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def report(self, event: Event) -> None:
        if isinstance(event, Said):
            self.said.append(event.text)


IN_ANOTHER_PROCESS = """
import os, sys
from pathlib import Path
from dlcli.cache import keep

def make(building):
    print("making", flush=True)
    sys.stdin.readline()
    (building / "content").write_text("theirs")

keep("pixels", "k", make, lambda entry: bool((entry / "content").read_text()))
print("kept", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def another() -> Iterator[subprocess.Popen[str]]:
    """Another process that keeps the entry k: it makes it at the first line, ends at the second."""
    command = [sys.executable, "-c", IN_ANOTHER_PROCESS]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        yield process
        process.kill()


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def test_what_another_process_is_making_is_waited_for(another: subprocess.Popen[str]) -> None:
    assert hear(another) == "making"
    listener = Listener()
    entries: list[Path] = []
    waiting = threading.Thread(
        target=lambda: entries.append(
            keep("pixels", "k", must_not_be_made, is_sound, reporter=listener)
        )
    )
    waiting.start()
    while not listener.said:
        assert waiting.is_alive()
    assert listener.said == ["waiting for another dlcli, which is busy with the same pictures"]
    go_on(another)
    waiting.join()
    assert (entries[0] / "content").read_text() == "theirs"


def test_what_a_killed_process_was_making_is_made(another: subprocess.Popen[str]) -> None:
    assert hear(another) == "making"
    another.kill()
    another.wait()
    entry = keep("pixels", "k", write("ours"), is_sound)
    assert (entry / "content").read_text() == "ours"


def test_what_another_process_uses_or_makes_stays_until_it_ends(
    another: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DLCLI_CACHE_SIZE", "0")
    assert hear(another) == "making"
    os.utime(cache_folder() / "pixels" / ".k", (LONG_AGO, LONG_AGO))
    keep_one("first")
    assert keys() == {".k", "first"}
    go_on(another)
    assert hear(another) == "kept"
    os.utime(cache_folder() / "pixels" / "k", (LONG_AGO, LONG_AGO))
    keep_one("second")
    assert keys() == {"k", "first", "second"}
    another.kill()
    another.wait()
    keep_one("third")
    assert keys() == {"first", "second", "third"}
    assert not list((cache_folder() / LOCKS).glob(f"*{another.pid}*"))


def test_what_is_half_made_is_gone_on_with_where_that_is_wanted() -> None:
    def interrupted(building: Path) -> None:
        (building / "half").write_text("half")
        raise KeyboardInterrupt

    found: list[list[str]] = []

    def go_on(building: Path) -> None:
        found.append([path.name for path in building.iterdir()])
        (building / "content").write_text("whole")

    for resumes in (True, False):
        with pytest.raises(KeyboardInterrupt):
            keep("pixels", f"k{resumes}", interrupted, is_sound, resumes=True)
        keep("pixels", f"k{resumes}", go_on, is_sound, resumes=resumes)
    assert found == [["half"], []]
    assert keys() == {"kTrue", "kFalse"}


def test_a_folder_that_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DLCLI_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ResourceError, match=r"cache: cannot keep anything .* DLCLI_CACHE\.$"):
        keep_one()


def test_a_full_disk_is_a_sentence_and_leaves_nothing() -> None:
    def make(building: Path) -> None:
        (building / "half").write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(DiskFullError, match=r"No space left .* DLCLI_CACHE\.$"):
        keep("pixels", "k", make, is_sound)
    assert keys() == set()


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
        keep_one()


def test_the_entries_unused_for_longest_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for used, key in enumerate("dbac"):
        leave_entry("pixels", key, used)
    leave_entry("features", "e", used=1.5)
    monkeypatch.setenv("DLCLI_CACHE_SIZE", "6000")
    keep_one()
    assert (keys(), keys("features")) == ({"a", "b", "c", "d", "mine"}, {"e"})
    monkeypatch.setenv("DLCLI_CACHE_SIZE", "4500")
    keep_one("another")
    assert (keys(), keys("features")) == ({"a", "c", "mine", "another"}, set())


def test_what_this_process_uses_stays_however_large(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_entry("pixels", "old")
    leave_entry("pixels", "opened", used=-99)
    (cache_folder() / "pixels" / "opened" / "content").write_text("x")
    keep("pixels", "opened", must_not_be_made, is_sound)
    os.utime(cache_folder() / "pixels" / "opened", (LONG_AGO, LONG_AGO))
    monkeypatch.setenv("DLCLI_CACHE_SIZE", "0")
    keep_one()
    assert keys() == {"opened", "mine"}


def test_bodies_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_entry("bodies", "body")
    leave_entry("pixels", "old")
    monkeypatch.setenv("DLCLI_CACHE_SIZE", "0")
    keep_one()
    assert (keys("bodies"), keys()) == ({"body"}, {"mine"})


def test_bodies_made_for_one_data_set_go(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_entry("int8-bodies", "body")
    monkeypatch.setenv("DLCLI_CACHE_SIZE", "0")
    keep_one()
    assert (keys("int8-bodies"), keys()) == (set(), {"mine"})


@pytest.mark.parametrize("kind", ["pixels", "features", "bodies", "int8-bodies"])
def test_half_made_entries_go_when_nobody_can_be_making_them(kind: str) -> None:
    leave_entry(kind, ".stale-1")
    leave_entry(kind, ".fresh-1", used=time.time() - LONG_AGO - 60)
    leave_entry(kind, "whole")
    keep_one()
    assert keys(kind) - {"mine"} == {".fresh-1", "whole"}
