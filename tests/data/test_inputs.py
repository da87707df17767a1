"""What predict is given -> paths."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pytest

from dlcli.data.inputs import expand_inputs, require_lists
from dlcli.errors import UsageError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def expand(*inputs: str, stdin: bytes = b"", nul_separated: bool = False) -> list[str]:
    return list(expand_inputs(inputs, io.BytesIO(stdin), nul_separated=nul_separated))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("given", ["cat.jpg", "no/such/file.jpg", "./cat.jpg", ""])
def test_a_path_is_passed_on_as_given(given: str) -> None:
    assert expand(given) == [given]


def test_inputs_keep_their_order_and_may_repeat(here: Path) -> None:
    touch(here, "b.jpg", "a.jpg")
    assert expand("b.jpg", "a.jpg", "gone.jpg", "b.jpg") == ["b.jpg", "a.jpg", "gone.jpg", "b.jpg"]


def test_a_folder_gives_its_pictures_sorted_and_recursively(here: Path) -> None:
    touch(here, "f/b.png", "f/a/2.png", "f/a/1.png", "f/c.svg", "f/notes.txt", "f/.hidden.png")
    expected = [os.path.join("f", *name.split("/")) for name in ("a/1.png", "a/2.png", "b.png")]
    assert expand("f") == [*expected, os.path.join("f", "c.svg")]
    assert expand(str(here / "f"))[0] == str(here / "f" / "a" / "1.png")


def test_an_empty_folder_gives_nothing(here: Path) -> None:
    (here / "f").mkdir()
    assert expand("f") == []


def test_globs_are_expanded_and_sorted(here: Path) -> None:
    touch(here, "b.jpg", "a.jpg", "c.png", "f/d.jpg", "f/g/e.jpg")
    assert expand("*.jpg") == ["a.jpg", "b.jpg"]
    assert expand("[bc].*") == ["b.jpg", "c.png"]
    assert expand("?.png") == ["c.png"]
    nested = [os.path.join("f", "d.jpg"), os.path.join("f", "g", "e.jpg")]
    assert expand(os.path.join("**", "*.jpg")) == ["a.jpg", "b.jpg", *nested]


def test_a_folder_that_a_glob_finds_gives_its_pictures(here: Path) -> None:
    touch(here, "data/cat/1.jpg", "data/cat/notes.txt", "data/dog/2.jpg")
    pictures = [os.path.join("data", "cat", "1.jpg"), os.path.join("data", "dog", "2.jpg")]
    assert expand(os.path.join("data", "*")) == pictures
    assert expand("da*") == pictures


@pytest.mark.usefixtures("here")
def test_a_glob_that_finds_nothing_is_passed_on_for_its_record() -> None:
    assert expand("*.jpg") == ["*.jpg"]


def test_a_name_with_brackets_is_the_file_and_no_glob(here: Path) -> None:
    touch(here, "cat[1].jpg", "cat1.jpg", "dogs [old]/1.jpg")
    assert expand("cat[1].jpg") == ["cat[1].jpg"]
    assert expand("dogs [old]") == [os.path.join("dogs [old]", "1.jpg")]


@pytest.mark.parametrize(
    ("stdin", "paths"),
    [
        (b"", []),
        (b"a.jpg", ["a.jpg"]),
        (b"a.jpg\nb.jpg\n", ["a.jpg", "b.jpg"]),
        (b"a.jpg\r\nb c.jpg\r\n", ["a.jpg", "b c.jpg"]),
        (b"\n\na.jpg\n\r\n\nb.jpg", ["a.jpg", "b.jpg"]),
        (b" a.jpg \n", [" a.jpg "]),
        ("größe.jpg\n".encode(), ["größe.jpg"]),
        (b"*.jpg\n-\n", ["*.jpg", "-"]),
    ],
)
def test_stdin_gives_a_path_a_line(stdin: bytes, paths: list[str]) -> None:
    assert expand("-", stdin=stdin) == paths


@pytest.mark.parametrize(
    ("stdin", "paths"),
    [
        (b"a.jpg\0b.jpg\0", ["a.jpg", "b.jpg"]),
        (b"a.jpg\0two\nlines.jpg", ["a.jpg", "two\nlines.jpg"]),
        (b"ends in a return\r\0b.jpg\0", ["ends in a return\r", "b.jpg"]),
    ],
)
def test_stdin_may_be_separated_by_nul(stdin: bytes, paths: list[str]) -> None:
    assert expand("-", stdin=stdin, nul_separated=True) == paths


@pytest.mark.skipif(os.name == "nt", reason="names are text on Windows")
def test_names_on_stdin_that_are_not_utf_8_are_kept() -> None:
    (path,) = expand("-", stdin=b"caf\xe9.jpg\n")
    assert os.fsencode(path) == b"caf\xe9.jpg"


def test_stdin_stands_at_its_place_among_the_others() -> None:
    assert expand("x.jpg", "-", "y.jpg", stdin=b"a\nb\n") == ["x.jpg", "a", "b", "y.jpg"]


def test_long_input_is_cut_at_the_separators_alone() -> None:
    paths = [f"folder/{'x' * (number % 97)}{number}.jpg" for number in range(5000)]
    assert expand("-", stdin="\n".join(paths).encode()) == paths


def test_a_path_is_answered_before_the_next_is_written() -> None:
    reading, writing = os.pipe()
    answered = threading.Event()
    in_time = []

    def write() -> None:
        with open(writing, "wb", buffering=0) as stream:
            stream.write(b"a.jpg\nb.j")
            in_time.append(answered.wait(30))
            stream.write(b"pg\n")

    writer = threading.Thread(target=write)
    writer.start()
    with open(reading, "rb") as stdin:
        paths = expand_inputs(["-"], stdin)
        assert next(paths) == "a.jpg"
        answered.set()
        assert list(paths) == ["b.jpg"]
    writer.join()
    assert in_time == [True]


def test_a_folder_may_stand_for_its_own_pictures_alone(here: Path) -> None:
    touch(here, "f/b.png", "f/a/2.png", "f/c.png", "f/notes.txt")
    paths = expand_inputs(["f"], io.BytesIO(), recursive=False)
    assert list(paths) == [os.path.join("f", "b.png"), os.path.join("f", "c.png")]


@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_a_csv_names_paths_from_its_own_folder(start: str, here: Path) -> None:
    rows = 'label, Path \ncat,a.jpg\n"x,y","b ""1"".jpg"\n\ndog\ndog,\n'
    (here / "lists").mkdir()
    (here / "lists" / "some.csv").write_text(start + rows, encoding="utf-8")
    given = os.path.join("lists", "some.csv")
    require_lists([given, "a.jpg"])
    names = ("a.jpg", 'b "1".jpg', "", "")
    assert expand(given, "z.jpg") == [*(os.path.join("lists", name) for name in names), "z.jpg"]


def test_a_csv_whose_bytes_are_no_utf_8_keeps_them(here: Path) -> None:
    (here / "some.csv").write_bytes(b"path\ncaf\xe9.jpg\n")
    (path,) = expand("some.csv")
    assert os.fsencode(path) == b"caf\xe9.jpg"


@pytest.mark.parametrize("text", ["", "file,label\na.jpg,cat\n", "a.jpg\n"])
def test_a_csv_without_its_column_is_a_sentence(text: str, here: Path) -> None:
    (here / "some.csv").write_text(text)
    with pytest.raises(UsageError, match=r"some\.csv: has no column path\."):
        require_lists(["x.jpg", "some.csv"])


def test_a_csv_that_is_not_there_is_passed_on_for_its_record() -> None:
    require_lists(["no-such.csv"])
    assert expand("no-such.csv") == ["no-such.csv"]
