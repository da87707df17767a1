"""Pictures decoded once and kept."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from dlcli.cache import PIXELS
from dlcli.data.pixels import PixelFormat, read_image
from dlcli.data.store import STAGE, PixelStore, open_store
from dlcli.errors import ResourceError
from dlcli.events import Event, NullReporter, StageAdvanced, StageEnded, StageStarted
from tests.conftest import write_image

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


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failure_leaves_nothing_behind(
    tmp_path: Path, own_cache: Path, error: BaseException
) -> None:
    paths = write_pictures(tmp_path)
    with pytest.raises(type(error)):
        open_store(tmp_path, paths, SMALL, Interrupting(error))
    assert [path for path in own_cache.rglob("*") if path.name != PIXELS] == []
    _, built = open_quietly(tmp_path, paths)
    assert built


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
