"""Pictures decoded once and kept."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dlcli.cache import PIXELS
from dlcli.data import store as store_module
from dlcli.data import store_files
from dlcli.data.pixels import CHANGED, PixelFormat, read_file, read_image
from dlcli.data.store import STAGE, PixelStore, open_store
from dlcli.data.store_files import RECORD, RECORDS
from dlcli.errors import DataError, ResourceError
from dlcli.events import Event, NullReporter, StageAdvanced, StageEnded, StageStarted, Warned
from tests.conftest import ROOT, write_image

SMALL = PixelFormat((40, 32))


class Heard:
    """Keeps what is reported."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def report(self, event: Event) -> None:
        self.events.append(event)


class Interrupting:
    """Fails in the middle of the work, as Ctrl-C or a full disk would."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def report(self, event: Event) -> None:
        if isinstance(event, StageAdvanced) and event.done == 3:
            raise self.error


def write_pictures(folder: Path, count: int = 6) -> list[str]:
    return [
        write_image(folder / "cat" / f"{number}.png", number).relative_to(folder).as_posix()
        for number in range(count)
    ]


def open_quietly(
    folder: Path, paths: list[str], pixel_format: PixelFormat = SMALL
) -> tuple[PixelStore, bool]:
    """The store, and whether it had to be built."""
    heard = Heard()
    store = open_store(folder, paths, pixel_format, heard)
    return store, bool(heard.events)


@pytest.mark.usefixtures("own_cache")
def test_rows_are_what_the_reader_reads(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path)
    store, _ = open_quietly(tmp_path, paths)
    rows = store.read(range(len(paths)))
    assert rows.shape == store.shape == (6, 40, 32, 3)
    assert rows.dtype == np.uint8
    for row, path in zip(rows, paths, strict=True):
        np.testing.assert_array_equal(row, read_image(tmp_path / path, SMALL))


@pytest.mark.usefixtures("own_cache")
def test_grey_rows_are_what_the_reader_reads(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path, 3)
    grey = PixelFormat((40, 32), color="grayscale")
    colored, _ = open_quietly(tmp_path, paths)
    store, built = open_quietly(tmp_path, paths, grey)
    assert built
    assert store.key != colored.key
    rows = store.read(range(3))
    assert rows.shape == store.shape == (3, 40, 32, 1)
    for row, path in zip(rows, paths, strict=True):
        np.testing.assert_array_equal(row, read_image(tmp_path / path, grey))
    again, built_again = open_quietly(tmp_path, paths, grey)
    assert (again, built_again) == (store, False)


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize("rows", [[5, 0, 3], [2], [1, 1, 1], [], list(range(6))[::-1]])
def test_rows_come_in_the_order_asked_for(tmp_path: Path, rows: list[int]) -> None:
    store, _ = open_quietly(tmp_path, write_pictures(tmp_path))
    everything = store.read(range(6))
    found = store.read(np.array(rows, np.int64))
    assert found.shape == (len(rows), 40, 32, 3)
    np.testing.assert_array_equal(found, everything[np.array(rows, int)])


@pytest.mark.usefixtures("own_cache")
def test_what_is_read_is_a_copy(tmp_path: Path) -> None:
    store, _ = open_quietly(tmp_path, write_pictures(tmp_path))
    before = store.read([0])
    store.read([0])[:] = 0
    np.testing.assert_array_equal(store.read([0]), before)


@pytest.mark.usefixtures("own_cache")
def test_an_unreadable_picture_has_a_reason_and_the_rest_its_rows(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path, 3)
    (tmp_path / paths[1]).write_bytes(b"words")
    store, _ = open_quietly(tmp_path, [*paths, "cat/gone.png"])
    assert store.reasons == (None, "not a picture", None, "no such file")
    np.testing.assert_array_equal(store.read([2])[0], read_image(tmp_path / paths[2], SMALL))


@pytest.mark.usefixtures("own_cache")
def test_every_readable_file_has_its_sha256(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path, 3)
    (tmp_path / paths[1]).write_bytes(b"words")
    store, _ = open_quietly(tmp_path, [*paths, "cat/gone.png"])
    contents = [(tmp_path / path).read_bytes() for path in paths]
    assert store.sha256s == (*(hashlib.sha256(one).hexdigest() for one in contents), "")


@pytest.mark.usefixtures("own_cache")
def test_the_stage_is_told_picture_by_picture(tmp_path: Path) -> None:
    heard = Heard()
    open_store(tmp_path, write_pictures(tmp_path, 4), SMALL, heard)
    advances = [StageAdvanced(STAGE, done) for done in (1, 2, 3, 4)]
    assert heard.events == [StageStarted(STAGE, 4), *advances, StageEnded(STAGE)]


@pytest.mark.usefixtures("own_cache")
def test_an_unchanged_folder_is_not_read_again(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path)
    (tmp_path / paths[1]).write_bytes(b"words")
    first, built = open_quietly(tmp_path, paths)
    second, built_again = open_quietly(tmp_path, paths)
    assert (built, built_again) == (True, False)
    assert second == first
    np.testing.assert_array_equal(second.read([0, 5]), first.read([0, 5]))


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize("change", ["content", "time", "order", "format", "removal"])
def test_a_change_is_read_again(tmp_path: Path, change: str) -> None:
    paths = write_pictures(tmp_path)
    before, _ = open_quietly(tmp_path, paths)
    pixel_format = SMALL
    file = tmp_path / paths[0]
    if change == "content":
        write_image(file, 99, (64, 64))
    elif change == "time":
        status = file.stat()
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))
    elif change == "order":
        paths.reverse()
    elif change == "format":
        pixel_format = PixelFormat((40, 32), "pad")
    else:
        file.unlink()
    after, built = open_quietly(tmp_path, paths, pixel_format)
    assert built
    assert after.key != before.key
    if change == "removal":
        assert after.reasons[0] == "no such file"
    else:
        expected = read_image(tmp_path / paths[0], pixel_format)
        np.testing.assert_array_equal(after.read([0])[0], expected)


def test_a_failure_leaves_no_entry(tmp_path: Path, own_cache: Path) -> None:
    paths = write_pictures(tmp_path)
    with pytest.raises(OSError, match="broken"):
        open_store(tmp_path, paths, SMALL, Interrupting(OSError("broken")))
    assert list((own_cache / PIXELS).iterdir()) == []
    _, built = open_quietly(tmp_path, paths)
    assert built


def without_records(folder: Path) -> None:
    (folder / RECORDS).unlink()


def with_a_row_cut_in_two(folder: Path) -> None:
    with open(folder / RECORDS, "r+b") as file:
        file.truncate(2 * RECORD.itemsize + 7)


def with_pixels_of_zeros(folder: Path) -> None:
    size = (folder / store_files.PIXELS).stat().st_size
    (folder / store_files.PIXELS).write_bytes(bytes(size))


def with_a_reason_lost(folder: Path) -> None:
    (folder / store_files.REASONS).write_text("")


def as_it_is(folder: Path) -> None:
    assert folder.is_dir()


@pytest.mark.parametrize(
    ("damage", "taken_over"),
    [
        (as_it_is, 3),
        (with_a_row_cut_in_two, 2),
        (with_a_reason_lost, 1),
        (with_pixels_of_zeros, 0),
        (without_records, 0),
    ],
)
def test_an_interrupted_reading_is_gone_on_with(
    tmp_path: Path, own_cache: Path, damage: Callable[[Path], None], taken_over: int
) -> None:
    paths = write_pictures(tmp_path)
    (tmp_path / paths[1]).write_bytes(b"words")
    with pytest.raises(KeyboardInterrupt):
        open_store(tmp_path, paths, SMALL, Interrupting(KeyboardInterrupt()))
    (half_made,) = (own_cache / PIXELS).iterdir()
    damage(half_made)
    heard = Heard()
    store = open_store(tmp_path, paths, SMALL, heard)
    advances = [event.done for event in heard.events if isinstance(event, StageAdvanced)]
    assert advances == list(range(taken_over + 1, 7))
    assert store.reasons == (None, "not a picture", None, None, None, None)
    readable = [0, 2, 3, 4, 5]
    expected = np.stack([read_image(tmp_path / paths[row], SMALL) for row in readable])
    np.testing.assert_array_equal(store.read(readable), expected)
    contents = [(tmp_path / path).read_bytes() for path in paths]
    assert store.sha256s == tuple(hashlib.sha256(one).hexdigest() for one in contents)


READ_UNTIL_KILLED = """
import os, signal, sys
from pathlib import Path
from dlcli.data.pixels import PixelFormat
from dlcli.data.store import open_store
from dlcli.events import StageAdvanced

class Killing:
    def report(self, event):
        if isinstance(event, StageAdvanced) and event.done == 40:
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

folder = Path(sys.argv[1])
paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
open_store(folder, paths, PixelFormat((40, 32)), Killing())
"""


@pytest.mark.usefixtures("own_cache")
def test_a_killed_reading_is_gone_on_with(tmp_path: Path) -> None:
    paths = sorted(write_pictures(tmp_path, 60))
    killed = subprocess.run(
        [sys.executable, "-c", READ_UNTIL_KILLED, str(tmp_path)], check=False, cwd=ROOT
    )
    assert killed.returncode != 0
    heard = Heard()
    store = open_store(tmp_path, paths, SMALL, heard)
    advances = [event.done for event in heard.events if isinstance(event, StageAdvanced)]
    assert advances[-1] == 60
    assert 0 < len(advances) < 60
    expected = np.stack([read_image(tmp_path / path, SMALL) for path in paths])
    np.testing.assert_array_equal(store.read(range(60)), expected)


@pytest.mark.usefixtures("own_cache")
def test_a_picture_that_changes_meanwhile_is_left_out_and_read_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = write_pictures(tmp_path)

    def read_and_touch(path: str) -> bytes:
        content = read_file(path)
        if path.endswith(paths[4]):
            os.utime(path, (1, 1))
        return content

    with monkeypatch.context() as patch:
        patch.setattr("dlcli.data.store.read_file", read_and_touch)
        store, _ = open_quietly(tmp_path, paths)
    assert store.reasons == (None, None, None, None, CHANGED, None)
    again, built = open_quietly(tmp_path, paths)
    assert (again.reasons, built) == ((None,) * 6, True)


def test_damaged_pixels_are_read_anew(tmp_path: Path, own_cache: Path) -> None:
    paths = write_pictures(tmp_path)
    store, _ = open_quietly(tmp_path, paths)
    before = store.read(range(6))
    with_pixels_of_zeros(own_cache / PIXELS / store.key)
    again, built = open_quietly(tmp_path, paths)
    assert built
    np.testing.assert_array_equal(again.read(range(6)), before)


# --- no room ---


def kept_bytes(own_cache: Path) -> int:
    return sum(path.stat().st_size for path in own_cache.rglob("*") if path.is_file())


def by_the_budget(patch: pytest.MonkeyPatch) -> None:
    patch.setenv("DLCLI_CACHE_SIZE", "20k")


def by_the_disk(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("dlcli.cache.free_bytes", lambda: store_module.SPARED_BYTES + 20_000)


def by_a_full_disk(patch: pytest.MonkeyPatch) -> None:
    """Though there was room when the work began."""

    def append(self: store_files.Appender, reading: store_files.Reading) -> None:
        if reading.pixels is not None and self.done == 3 and self._row_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(self, reading)

    real = store_files.Appender.append
    patch.setattr(store_files.Appender, "append", append)


@pytest.mark.parametrize(
    ("no_room", "said"),
    [
        (by_the_budget, "their pixels would take 0.0 GB of the 0.0 GB that the cache may hold"),
        (by_the_disk, r"their pixels would take 0.0 GB, and 0.2 GB are free on the disk of .*own-"),
        (by_a_full_disk, "cannot keep anything in the cache folder: No space left on device"),
    ],
)
def test_without_room_pixels_are_read_from_the_files(
    tmp_path: Path,
    own_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_room: Callable[[pytest.MonkeyPatch], None],
    said: str,
) -> None:
    paths = write_pictures(tmp_path)
    expected = np.stack([read_image(tmp_path / path, SMALL) for path in paths])
    (tmp_path / paths[1]).write_bytes(b"words")
    no_room(monkeypatch)
    heard = Heard()
    store = open_store(tmp_path, paths, SMALL, heard)
    (warning,) = (event.text for event in heard.events if isinstance(event, Warned))
    assert re.match(rf"{said}.*Pictures are read from their files each time", warning)
    assert store.reasons == (None, "not a picture", None, None, None, None)
    assert store.shape == (6, 40, 32, 3)
    np.testing.assert_array_equal(store.read([5, 0, 3]), expected[[5, 0, 3]])
    assert store.read([1]).max() == 0
    assert store.read([]).shape == (0, 40, 32, 3)
    assert kept_bytes(own_cache) < 6 * 40 * 32 * 3
    again = Heard()
    assert open_store(tmp_path, paths, SMALL, again) == store
    if no_room is not by_a_full_disk:  # that one tries anew
        assert not any(isinstance(event, StageAdvanced) for event in again.events)
    write_image(tmp_path / paths[3], 77)
    with pytest.raises(DataError, match=rf"{paths[3]}: changed while it was being read\."):
        store.read([3])
    (tmp_path / paths[5]).unlink()
    with pytest.raises(DataError, match=rf"{paths[5]}: no such file\. Start again"):
        store.read([5])


@pytest.mark.usefixtures("own_cache")
def test_what_is_kept_already_needs_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = write_pictures(tmp_path)
    store, _ = open_quietly(tmp_path, paths)
    monkeypatch.setattr("dlcli.cache.free_bytes", lambda: 0)
    again, built = open_quietly(tmp_path, paths)
    assert (again, built) == (store, False)


def test_two_at_once_keep_one_store(tmp_path: Path, own_cache: Path) -> None:
    paths = write_pictures(tmp_path)
    stores: list[PixelStore] = []

    def build() -> None:
        stores.append(open_store(tmp_path, paths, SMALL, NullReporter()))

    builders = [threading.Thread(target=build) for _ in range(4)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join(60)
    assert len(stores) == 4
    assert all(store == stores[0] for store in stores)
    assert [path.name for path in (own_cache / PIXELS).iterdir()] == [stores[0].key]
    np.testing.assert_array_equal(
        stores[0].read([5])[0], read_image(tmp_path / paths[5], SMALL)
    )  # fmt: skip


def test_a_cache_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = write_pictures(tmp_path)
    (tmp_path / "file").touch()
    monkeypatch.setenv("DLCLI_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ResourceError, match=r"cannot keep anything in the cache folder.*DLCLI_CAC"):
        open_store(tmp_path, paths, SMALL, NullReporter())


@pytest.mark.usefixtures("own_cache")
def test_names_that_are_not_utf_8_are_read(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    content = write_image(tmp_path / "a.png").read_bytes()
    try:
        (tmp_path / name).write_bytes(content)
    except (OSError, UnicodeError):
        pytest.skip("this file system refuses names that are not UTF-8")
    store, _ = open_quietly(tmp_path, ["a.png", name])
    assert store.reasons == (None, None)
    np.testing.assert_array_equal(*store.read([0, 1]))


# --- shards ---


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "SHARD_ROWS", 4)


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("keeps_pixels", [True, False])
def test_a_store_of_shards_is_one_store(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch, keeps_pixels: bool
) -> None:
    if not keeps_pixels:
        by_the_budget(monkeypatch)
    paths = write_pictures(tmp_path, 10)
    (tmp_path / paths[6]).write_bytes(b"words")
    heard = Heard()
    store = open_store(tmp_path, paths, SMALL, heard)
    told = [event for event in heard.events if not isinstance(event, Warned)]
    advances = [StageAdvanced(STAGE, done) for done in range(1, 11)]
    assert told == [StageStarted(STAGE, 10), *advances, StageEnded(STAGE)]
    assert len(list((own_cache / PIXELS).iterdir())) == 3
    assert store.reasons == (*[None] * 6, "not a picture", *[None] * 3)
    contents = [(tmp_path / path).read_bytes() for path in paths]
    assert store.sha256s == tuple(hashlib.sha256(one).hexdigest() for one in contents)
    rows = [9, 0, 4, 3, 7, 8, 0]
    expected = np.stack([read_image(tmp_path / paths[row], SMALL) for row in rows])
    np.testing.assert_array_equal(store.read(rows), expected)
    assert store.read([]).shape == (0, 40, 32, 3)
    again, _ = open_quietly(tmp_path, paths)
    assert again == store
    np.testing.assert_array_equal(again.read(rows), expected)


@pytest.mark.usefixtures("small_shards")
def test_only_the_shard_that_is_damaged_is_read_anew(tmp_path: Path, own_cache: Path) -> None:
    paths = write_pictures(tmp_path, 10)
    store, _ = open_quietly(tmp_path, paths)
    before = store.read(range(10))
    with_pixels_of_zeros(own_cache / PIXELS / f"{store.key}-2-of-3")
    heard = Heard()
    again = open_store(tmp_path, paths, SMALL, heard)
    advances = [StageAdvanced(STAGE, done) for done in range(5, 9)]
    assert heard.events == [StageStarted(STAGE, 10), *advances, StageEnded(STAGE)]
    np.testing.assert_array_equal(again.read(range(10)), before)


@pytest.mark.usefixtures("small_shards")
def test_shards_that_are_kept_need_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = write_pictures(tmp_path, 10)
    store, _ = open_quietly(tmp_path, paths)
    monkeypatch.setattr("dlcli.cache.free_bytes", lambda: 0)
    assert open_quietly(tmp_path, paths) == (store, False)


BUILD_A_PART = """
import sys, time
from pathlib import Path
from dlcli.data import store
from dlcli.data.pixels import PixelFormat
from dlcli.events import NullReporter

folder, begin_at = Path(sys.argv[1]), float(sys.argv[2])
read, num_read = store.read_file, 0

def read_slowly(path):
    global num_read
    num_read += 1
    time.sleep(0.05)
    return read(path)

store.SHARD_ROWS, store.read_file, store.num_threads = 5, read_slowly, lambda: 1
paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
print(flush=True)
sys.stdin.readline()
opened = store.open_store(folder, paths, PixelFormat((40, 32)), NullReporter(), begin_at=begin_at)
print(num_read, opened.read(range(len(paths))).astype(int).sum())
"""


@pytest.mark.usefixtures("own_cache")
def test_processes_build_one_store_together(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path, 40)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", BUILD_A_PART, str(tmp_path), begin_at],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for begin_at in ("0", "0.5")
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()  # it is ready
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = [tuple(map(int, process.communicate()[0].split())) for process in processes]
    expected = sum(int(read_image(tmp_path / path, SMALL).astype(int).sum()) for path in paths)
    assert [pixels for _, pixels in said] == [expected, expected]
    assert sum(num_read for num_read, _ in said) == 40
    assert min(num_read for num_read, _ in said) >= 5
