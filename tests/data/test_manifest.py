"""A manifest -> classes and candidates, or all its faults with their lines."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.data.index import DatasetIndex, SkippedFile, index_dataset
from dlcli.errors import DataError

properties = settings(derandomize=True, deadline=None, database=None, max_examples=100)


def manifest(folder: Path, text: str | bytes, *there: str) -> DatasetIndex:
    """The index of a manifest with that text, beside empty files."""
    for path in there:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    content = text if isinstance(text, bytes) else text.encode()
    (folder / "labels.csv").write_bytes(content)
    return index_dataset(folder / "labels.csv")


def faults(folder: Path, text: str | bytes) -> list[str]:
    with pytest.raises(DataError) as caught:
        manifest(folder, text, "a.jpg", "b.jpg")
    return str(caught.value).split("\n")


def test_a_row_is_a_picture_with_its_label_split_and_group(tmp_path: Path) -> None:
    text = (
        "label,group,path,split\ndog,p1,pics/a.jpg,Training\ncat,,b.jpg,valid\ncat,p2,c.txt,test\n"
    )
    index = manifest(tmp_path, text, "pics/a.jpg", "b.jpg", "c.txt")
    assert index.class_names == ("cat", "dog")
    assert [(file.path, file.label, file.split, file.group) for file in index.files] == [
        ("pics/a.jpg", 1, "train", "p1"),
        ("b.jpg", 0, "val", None),
        ("c.txt", 0, "test", "p2"),
    ]
    assert (index.is_split, index.skipped, index.num_ignored) == (True, (), 0)


@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_mark_line_ends_blank_lines_and_capitals_in_the_header(
    tmp_path: Path, start: str, end: str
) -> None:
    text = start + end.join([" Path ,LABEL", "", "a.jpg, cat ", ",", "b.jpg,dog", ""])
    index = manifest(tmp_path, text, "a.jpg", "b.jpg")
    assert index.class_names == ("cat", "dog")
    assert [file.path for file in index.files] == ["a.jpg", "b.jpg"]


def test_quoted_names_may_hold_anything(tmp_path: Path) -> None:
    text = 'path,label\n"a, b.jpg","the ""big"" cat"\n"two\nlines.jpg",dog\ngone.jpg,cat\n'
    index = manifest(tmp_path, text, "a, b.jpg", "two\nlines.jpg")
    assert [file.path for file in index.files] == ["a, b.jpg", "two\nlines.jpg"]
    assert index.class_names == ("dog", 'the "big" cat')
    assert index.skipped == (SkippedFile("gone.jpg", "no such file (line 5 of labels.csv)"),)


def test_paths_count_from_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "b.jpg").touch()
    text = f"path,label\n./a.jpg,cat\n../b.jpg,dog\n{tmp_path / 'b.jpg'},emu\n"
    index = manifest(tmp_path / "lists", text, "a.jpg")
    assert index.folder == tmp_path / "lists"
    assert [file.path for file in index.files] == ["a.jpg", "../b.jpg", str(tmp_path / "b.jpg")]


def test_what_is_not_there_is_skipped_with_its_line(tmp_path: Path) -> None:
    text = "path,label\na.jpg,cat\n\nno/such.jpg,dog\nb.jpg,cat\n"
    index = manifest(tmp_path, text, "a.jpg", "b.jpg")
    assert index.skipped == (SkippedFile("no/such.jpg", "no such file (line 4 of labels.csv)"),)
    assert (index.class_names, index.empty_classes) == (("cat",), ("dog",))


def test_a_dangling_link_is_a_candidate(tmp_path: Path) -> None:
    (tmp_path / "link.jpg").symlink_to("nowhere")
    index = manifest(tmp_path, "path,label\nlink.jpg,cat\n")
    assert [file.path for file in index.files] == ["link.jpg"]


def test_where_nothing_is_there_it_says_from_where_paths_count(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"none of the pictures .*{tmp_path}; the first is x/a"):
        manifest(tmp_path, "path,label\nx/a.jpg,cat\nx/b.jpg,dog\n")


def test_other_columns_are_named_and_a_split_csv_of_a_run_is_a_manifest(tmp_path: Path) -> None:
    text = "path,label,split,group,sha256\na.jpg,cat,train,g1,12ab\nb.jpg,dog,val,g2,34cd\n"
    index = manifest(tmp_path, text, "a.jpg", "b.jpg")
    assert index.unused_columns == ("sha256",)
    assert [file.group for file in index.files] == ["g1", "g2"]


def test_a_path_that_is_not_utf_8_survives(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    try:
        (tmp_path / name).touch()
    except (OSError, UnicodeError):
        pytest.skip("this file system refuses names that are not UTF-8")
    index = manifest(tmp_path, b"path,label\ncaf\xe9.jpg,cat\n")
    assert [file.path for file in index.files] == [name]


def test_all_faults_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    text = (
        "path,label,split\na.jpg,,train\n,cat,val\nb.jpg,cat,tset\nc.jpg,cat,test,more\n"
        '"d\n.jpg",cat\ne.jpg, ,test\n'
    )
    assert faults(tmp_path, text) == [
        "labels.csv:2 the label is empty",
        "labels.csv:3 the path is empty",
        "labels.csv:4 the split must be train, val or test, got 'tset'. Did you mean test?",
        "labels.csv:5 4 fields where the header has 3: quote a name that holds a comma or a quote",
        "labels.csv:6 2 fields where the header has 3: quote a name that holds a comma or a quote",
        "labels.csv:8 the label is empty",
        "6 faults.",
    ]


def test_columns_that_a_spreadsheet_leaves_empty_are_no_fault(tmp_path: Path) -> None:
    index = manifest(tmp_path, "path,label,,\na.jpg,cat,,\n,,,\nb.jpg,dog,,\n", "a.jpg", "b.jpg")
    assert (len(index.files), index.unused_columns) == (2, ())


def test_a_row_cut_short_has_one_fault(tmp_path: Path) -> None:
    expected = "1 field where the header has 2: quote a name that holds a comma or a quote"
    assert faults(tmp_path, "path,label\na.jpg\n") == [f"labels.csv:2 {expected}", "1 fault."]


def test_a_picture_is_named_once(tmp_path: Path) -> None:
    text = "path,label\na.jpg,cat\nb.jpg,dog\n./a.jpg,dog\na.jpg,cat\n"
    assert faults(tmp_path, text) == [
        "labels.csv:4 a.jpg is there already, with another label, in line 2",
        "labels.csv:5 a.jpg is there already, in line 2",
        "2 faults.",
    ]
    text = "path,label,split,group\na.jpg,cat,val,1\nx/../a.jpg,cat,valid,2\na.jpg,cat,test,1\n"
    assert faults(tmp_path, text) == [
        "labels.csv:3 a.jpg is there already, with another group, in line 2",
        "labels.csv:4 a.jpg is there already, with another split, in line 2",
        "2 faults.",
    ]


def test_faults_of_a_row_do_not_hide_those_between_rows(tmp_path: Path) -> None:
    text = "path,label,split\na.jpg,cat,\na.jpg,,train\nb.jpg,dog,tset\nb.jpg,dog,test,\n"
    assert faults(tmp_path, text) == [
        "labels.csv:2 the split is empty: say it in every row or in none",
        "labels.csv:3 the label is empty",
        "labels.csv:3 a.jpg is there already, in line 2",
        "labels.csv:4 the split must be train, val or test, got 'tset'. Did you mean test?",
        "labels.csv:5 4 fields where the header has 3: quote a name that holds a comma or a quote",
        "5 faults.",
    ]


def test_a_split_is_said_in_every_row_or_in_none(tmp_path: Path) -> None:
    text = "path,label,split\na.jpg,cat,train\nb.jpg,dog,\n"
    expected = "labels.csv:3 the split is empty: say it in every row or in none"
    assert faults(tmp_path, text)[0] == expected
    index = manifest(tmp_path, "path,label,split\na.jpg,cat,\nb.jpg,dog,\n", "a.jpg", "b.jpg")
    assert not index.is_split


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("path;label", "labels.csv:1 semicolons between the columns: commas are needed"),
        ("path\tlabel", "labels.csv:1 tabs between the columns: commas are needed"),
        ("paths,label", "labels.csv:1 the header has no column 'path'; is it 'paths'?"),
        ("path,class", "labels.csv:1 the header has no column 'label'"),
        ("path,label,label", "labels.csv:1 the column 'label' is there 2 times"),
        (
            "cat/1.jpg,cat",
            "labels.csv:1 the first line must name the columns, path,label: got 'cat/1.jpg,cat'",
        ),
    ],
)
def test_a_wrong_header_is_explained(tmp_path: Path, header: str, expected: str) -> None:
    assert faults(tmp_path, f"{header}\na.jpg,cat\n")[0] == expected


@pytest.mark.parametrize("text", ["", "\n\n", "path,label", "path,label\n\n", "\ufeff"])
def test_an_empty_manifest_says_what_is_needed(tmp_path: Path, text: str) -> None:
    assert faults(tmp_path, text)[0].startswith("labels.csv:1 names no picture: a header")


@pytest.mark.parametrize(
    "content", ["path,label\na.jpg,cat\n".encode("utf-16"), b"path,label\na\0.jpg,cat\n"]
)
def test_another_encoding_is_refused(tmp_path: Path, content: bytes) -> None:
    assert faults(tmp_path, content) == [
        f"{tmp_path / 'labels.csv'}: is not UTF-8 text. Save it as CSV in UTF-8."
    ]


def test_a_label_that_is_not_utf_8_and_an_open_quote_are_named(tmp_path: Path) -> None:
    assert faults(tmp_path, b"path,label\na.jpg,caf\xe9\n")[0] == (
        "labels.csv:2 the label is not UTF-8: save the file as UTF-8"
    )
    assert faults(tmp_path, 'path,label\n"a.jpg,cat\n')[0].startswith("labels.csv:2 ")


def test_many_faults_are_cut_short(tmp_path: Path) -> None:
    lines = faults(tmp_path, "path,label\n" + "".join(f"{n}.jpg,\n" for n in range(50)))
    assert len(lines) == 22
    assert lines[-2:] == ["and 30 more", "50 faults."]


names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\0\\"), min_size=1, max_size=8
).filter(lambda name: name.strip() not in ("", ".", ".."))
labels = names.map(str.strip)
rows = st.lists(
    st.tuples(names, labels, st.sampled_from(["train", "val", "test"]), st.just("") | labels),
    min_size=1,
    max_size=8,
    unique_by=lambda row: row[0],
)


@properties
@given(rows, st.booleans(), st.sampled_from(["\n", "\r\n"]))
def test_what_is_written_as_csv_is_read_back(
    wanted: list[tuple[str, str, str, str]], has_mark: bool, end: str
) -> None:
    text = io.StringIO()
    # csv leaves a carriage return unquoted where it is no part of the line end.
    writer = csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(("path", "label", "split", "group"))
    writer.writerows(wanted)
    with tempfile.TemporaryDirectory() as folder:
        for name, *_ in wanted:
            try:
                (Path(folder) / name).touch()
            except OSError:  # longer than a name may be, once it is encoded
                return
        file = Path(folder) / "labels.csv"
        if any((Path(folder) / name).exists() and name == file.name for name, *_ in wanted):
            return
        file.write_text(text.getvalue(), "utf-8-sig" if has_mark else "utf-8", newline="")
        index = index_dataset(file)
    found = [
        (one.path, index.class_names[one.label], one.split, one.group or "") for one in index.files
    ]
    assert found == wanted


GOOD = b'path,label,split,group\na.jpg,cat,train,g1\n"b, c.jpg",dog,val,\nd.jpg,cat,test,g1\n'


@properties
@given(st.lists(st.tuples(st.integers(0, len(GOOD)), st.binary(max_size=3)), max_size=6))
def test_a_damaged_manifest_gives_an_index_or_a_sentence(edits: list[tuple[int, bytes]]) -> None:
    content = GOOD
    for place, inserted in edits:
        content = content[:place] + inserted + content[place + 1 :]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "labels.csv"
        file.write_bytes(content)
        (Path(folder) / "a.jpg").touch()
        try:
            found = index_dataset(file)
        except DataError as error:
            told = str(error)
        else:
            told = str(found.source)
            assert found.files
        assert "labels.csv" in told
