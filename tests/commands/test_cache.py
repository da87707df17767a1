"""What `dlcli cache` shows and clears."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dlcli import cache
from dlcli.commands.cache import ALL, CacheResult, run
from tests.conftest import Command

pytestmark = pytest.mark.usefixtures("own_cache")


def fill(kind: str, key: str, size: int) -> Path:
    """An entry as another process leaves it: nobody has it in use."""
    folder = cache.cache_folder() / kind / key
    folder.mkdir(parents=True)
    (folder / "file").write_bytes(bytes(size))
    return folder


def counts(result: CacheResult) -> dict[str, tuple[int, int]]:
    return {one.kind: (one.num_entries, one.size_bytes) for one in result.kinds}


def test_an_empty_cache() -> None:
    result = run()
    assert counts(result) == dict.fromkeys(cache.KINDS, (0, 0))
    assert all(one.last_used is None for one in result.kinds)
    assert result.budget_bytes == 10 * 10**9


def test_what_is_kept_is_counted() -> None:
    fill("pixels", "a", 300)
    newer = fill("pixels", "b", 500)
    os.utime(newer, (2e9, 2e9))
    fill("bodies", "c", 70)
    result = run()
    held = {kind: count for kind, count in counts(result).items() if count != (0, 0)}
    assert held == {"pixels": (2, 800), "bodies": (1, 70)}
    assert result.kinds[0].last_used == 2e9


def test_a_kind_is_cleared() -> None:
    for kind in cache.KINDS:
        fill(kind, "a", 10)
    fill("pixels", ".half", 5)
    result = run(("pixels", "bodies", "pixels"))
    assert [kind for kind, count in counts(result).items() if count == (0, 0)] == [
        "pixels",
        "bodies",
    ]
    assert (result.num_cleared, result.cleared_bytes, result.num_in_use) == (3, 25, 0)


def test_all_is_cleared() -> None:
    for kind in cache.KINDS:
        fill(kind, "a", 10)
    assert run((ALL,)).num_cleared == len(cache.KINDS)
    assert all(one.num_entries == 0 for one in run().kinds)


USER = """
import sys
from dlcli import cache
def make(folder):
    (folder / "file").write_bytes(bytes(40))
cache.keep("pixels", "mine", make, lambda _: True)
print("kept", flush=True)
sys.stdin.read()
"""


def test_what_another_process_uses_stays() -> None:
    fill("pixels", "old", 10)
    with subprocess.Popen(
        [sys.executable, "-c", USER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as user:
        assert user.stdout is not None
        assert user.stdout.readline() == "kept\n"
        result = run((ALL,))
        user.communicate("")
    assert (result.num_cleared, result.num_in_use) == (1, 1)
    assert counts(result)["pixels"] == (1, 40)
    assert run((ALL,)).num_cleared == 1


def test_the_table_and_the_document(dlcli: Command) -> None:
    fill("pixels", "a", 1500)
    done = dlcli("cache")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1.5 kB" in done.stdout
    document = json.loads(dlcli("cache", "--clear", "all", "--json").stdout)
    assert set(document) == {
        "schema",
        "command",
        "dlcli",
        "folder",
        "budget_bytes",
        "kinds",
        "num_cleared",
        "cleared_bytes",
        "num_in_use",
    }
    assert (document["num_cleared"], document["cleared_bytes"]) == (1, 1500)
    assert [one["kind"] for one in document["kinds"]] == list(cache.KINDS)


def test_every_kind_can_be_named(dlcli: Command) -> None:
    named = [part for kind in cache.KINDS for part in ("--clear", kind)]
    assert dlcli("cache", *named).returncode == 0


def test_an_unknown_kind_is_refused(dlcli: Command) -> None:
    done = dlcli("cache", "--clear", "pictures")
    assert (done.returncode, done.stdout) == (2, "")
    assert "pictures" in done.stderr
