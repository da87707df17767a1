"""Predictions as rows: every line is read back, every column is frozen."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from dlcli.commands.answer_rules import PredictionRecord, RankedClass
from dlcli.ui.prediction_rows import COLUMNS, PredictionRows

AWKWARD = [
    "plain.jpg",
    "tab\there",
    "\ttab first",
    "two\nlines",
    "two\r\nlines",
    "old\rmac",
    "a,b",
    'say "cheese"',
    "back\\slash",
    "a\\tb",
    "a\\\tb",
    "\\",
    " spaces ",
    "'single'",
    "日本 é",
    "no utf-8 \udcff",
    "=1+1",
    '=HYPERLINK("x")',
    "+1",
    "-1",
    "@sum",
    "''",
]
TABLE, TSV, CSV, JSONL = map(PredictionRows, ("table", "tsv", "csv", "jsonl"))


def record(path: str, label: str = "cat", error: str | None = None) -> PredictionRecord:
    if error is not None:
        return PredictionRecord(path, None, None, None, None, False, error)
    top = (RankedClass(label, 0.75), RankedClass("dog", 0.25))
    return PredictionRecord(path, label, 0.75, top, 0.5, False, None)


def unescape(field: str) -> str:
    """What a reader of a TSV field does."""
    parts = field.split("\\\\")
    for sign, char in (("\\t", "\t"), ("\\n", "\n"), ("\\r", "\r")):
        parts = [part.replace(sign, char) for part in parts]
    return "\\".join(parts)


def active(field: str) -> str:
    """What a reader of a CSV field does."""
    return field.removeprefix("'")


def read_csv(rows: PredictionRows, *records: PredictionRecord) -> list[dict[str, str]]:
    header = rows.header()
    assert header is not None
    text = "\n".join([header, *map(rows.line, records), ""])
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("name", AWKWARD)
def test_a_tsv_line_is_read_back(name: str) -> None:
    line = TSV.line(record(name, name))
    assert "\n" not in line
    assert "\r" not in line
    fields = [unescape(field) for field in line.split("\t")]
    assert fields == [name, name, "0.750000", "0.500000", "false", ""]
    failed = TSV.line(record(name, error=name)).split("\t")
    assert [unescape(field) for field in failed] == [name, "", "", "", "false", name]


@pytest.mark.parametrize("name", AWKWARD)
def test_a_csv_line_is_read_back(name: str) -> None:
    named, failed = read_csv(CSV, record(name, name), record(name, error=name))
    assert named["probability"] == "0.750000"
    assert [active(named[column]) for column in ("path", "label")] == [name, name]
    assert failed["label"] == ""
    assert [active(failed[column]) for column in ("path", "error")] == [name, name]


@pytest.mark.parametrize("name", AWKWARD)
def test_no_csv_field_is_a_formula(name: str) -> None:
    for row in read_csv(CSV, record(name, name), record(name, error=name)):
        assert not any(value.startswith(("=", "+", "-", "@", "\t", "\r")) for value in row.values())


@pytest.mark.parametrize("name", AWKWARD)
def test_a_json_line_is_read_back(name: str) -> None:
    line = JSONL.line(record(name, name))
    assert "\n" not in line
    assert "\r" not in line
    encoded = line.encode("utf-8")
    assert json.loads(encoded) == {
        "schema": 1,
        "path": name,
        "label": name,
        "probability": 0.75,
        "top": [{"label": name, "probability": 0.75}, {"label": "dog", "probability": 0.25}],
        "typicality": 0.5,
        "unknown": False,
        "error": None,
        "reason": None,
    }


def test_an_error_is_a_json_line_whose_rest_is_null() -> None:
    assert json.loads(JSONL.line(record("a", error="no such file"))) == {
        "schema": 1,
        "path": "a",
        "label": None,
        "probability": None,
        "top": None,
        "typicality": None,
        "unknown": False,
        "error": "no such file",
        "reason": None,
    }


@pytest.mark.parametrize("name", AWKWARD)
def test_sets_and_all_probabilities_are_read_back(name: str) -> None:
    names = (name, "dog")
    asked = replace(
        record("a", name), set=names, probabilities=dict(zip(names, (0.75, 0.25), strict=True))
    )
    broken = record("b", error="no such file")
    document = json.loads(PredictionRows("jsonl", names, True, True).line(asked))
    assert document["set"] == list(names)
    assert document["probabilities"] == {name: 0.75, "dog": 0.25}
    first, second = read_csv(PredictionRows("csv", names, True, True), asked, broken)
    assert list(first) == [*COLUMNS, "set", f"probability:{name}", "probability:dog"]
    assert json.loads(first["set"]) == list(names)
    assert (first[f"probability:{name}"], first["probability:dog"]) == ("0.750000", "0.250000")
    assert second["set"] == second["probability:dog"] == ""
    fields = PredictionRows("tsv", names, True, True).line(asked).split("\t")
    assert len(fields) == 9
    assert json.loads(unescape(fields[6])) == list(names)


@pytest.mark.parametrize("form", ["table", "tsv", "jsonl"])
def test_only_csv_has_a_header(form: str) -> None:
    assert PredictionRows(form).header() is None


def test_unknown_is_a_word_in_tsv() -> None:
    line = TSV.line(replace(record("a"), unknown=True, typicality=None))
    assert line.split("\t") == ["a", "cat", "0.750000", "", "true", ""]


def test_a_table_row_shows_the_label_a_bar_and_the_others() -> None:
    row = TABLE.line(record("cat.jpg"))
    assert row.split() == ["cat.jpg", "cat", "0.75", "█" * 15, "dog", "0.25"]


@pytest.mark.parametrize(
    ("reason", "typicality", "told"),
    [
        ("atypical", 0.0, "less typical than any picture of val"),
        ("atypical", 0.01, "unlike the pictures it was trained on"),
        ("improbable", 0.5, "not sure enough"),
    ],
)
def test_a_table_row_of_an_unknown_picture_says_why(
    reason: str, typicality: float, told: str
) -> None:
    unknown = replace(record("chair.jpg"), unknown=True, reason=reason, typicality=typicality)
    row = TABLE.line(unknown)
    assert row.split()[:2] == ["chair.jpg", "unknown"]
    assert row.endswith(f"{told}; nearest: cat 0.75")
    assert TABLE.line(replace(unknown, set=("cat", "dog"))).endswith("; one of: cat, dog")


def test_a_table_row_shows_a_set_of_several_classes() -> None:
    assert TABLE.line(replace(record("a"), set=("cat", "dog"))).endswith("one of: cat, dog")
    assert TABLE.line(replace(record("a"), set=("cat",))) == TABLE.line(record("a"))


def test_a_table_row_of_an_error_gives_the_reason() -> None:
    row = TABLE.line(record("b.jpg", error="not a picture"))
    assert row.split() == ["b.jpg", "error", "not", "a", "picture"]


def test_a_table_row_of_a_long_path_keeps_its_end() -> None:
    row = TABLE.line(record("/a/very/long/" + "x" * 60 + "/cat.jpg"))
    assert "/cat.jpg  cat" in row
    assert len(row.split()[0]) <= 30


def test_wide_characters_keep_the_columns() -> None:
    rows = [TABLE.line(record(path)) for path in ("日本.jpg", "cat.jpg", "日" * 40 + ".jpg")]
    assert rows[0].index("cat  ") == rows[1].index("cat  ", 9) - 2
    assert "日.jpg   cat" in rows[2]


@pytest.mark.parametrize("name", ["\x1b[31m", "a\nb", "a\rb", "\x07"])
def test_a_table_row_cannot_command_the_terminal(name: str) -> None:
    held = replace(record(name, name), set=(name, "dog"))
    for line in (*map(TABLE.line, (record(name, name), record(name, error=name), held)),):
        assert not set(line) & set("\x1b\n\r\x07")


def test_the_columns_of_predict_are_frozen() -> None:
    assert COLUMNS == ("path", "label", "probability", "typicality", "unknown", "error")
