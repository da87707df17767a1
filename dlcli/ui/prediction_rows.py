"""Predictions as rows: for people a table, for programs TSV, CSV and JSON Lines."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from dlcli.ui.columns import fit, width_of
from dlcli.ui.console import bold, dim, printable
from dlcli.ui.formats import SCHEMA, dump_json

if TYPE_CHECKING:
    from dlcli.commands.answer_rules import PredictionRecord

TABLE, JSONL, CSV, TSV = "table", "jsonl", "csv", "tsv"
COLUMNS = ("path", "label", "probability", "typicality", "unknown", "error")
SET_COLUMN, PROBABILITY_COLUMN = "set", "probability:"
_BAR, _PATH_WIDTH, _LABEL_WIDTH = 20, 28, 12
_ACTIVE = ("=", "+", "-", "@", "\t", "\r", "'")
"""What a spreadsheet takes for the beginning of a formula, and what marks that it is none."""


@dataclass(frozen=True)
class PredictionRows:
    """How records are written: the form, and whether there are columns for sets and, by the names
    of the classes, for all probabilities."""

    form: str
    class_names: tuple[str, ...] = ()
    has_sets: bool = False
    has_probabilities: bool = False

    def header(self) -> str | None:
        """The first line without its end, where the form has one."""
        return _csv_line(self.columns) if self.form == CSV else None

    @property
    def columns(self) -> list[str]:
        """The names of the fields of csv and tsv."""
        every = self.class_names if self.has_probabilities else ()
        sets = [SET_COLUMN] if self.has_sets else []
        return [*COLUMNS, *sets, *(PROBABILITY_COLUMN + name for name in every)]

    def line(self, record: PredictionRecord) -> str:
        """A record without its line end."""
        if self.form == JSONL:
            return self._json_line(record)
        if self.form == TABLE:
            return _table_row(record)
        fields = self._fields(record)
        if self.form == CSV:
            return _csv_line([_made_inert(field) for field in fields])
        return "\t".join(map(_escape, fields))

    def _json_line(self, record: PredictionRecord) -> str:
        document = asdict(record)
        if not self.has_sets:
            del document["set"]
        if not self.has_probabilities:
            del document["probabilities"]
        return dump_json({"schema": SCHEMA, **document}, indent=None)

    def _fields(self, record: PredictionRecord) -> list[str]:
        numbers = [_number(record.probability), _number(record.typicality)]
        unknown = "true" if record.unknown else "false"
        fields = [record.path, record.label or "", *numbers, unknown, record.error or ""]
        if self.has_sets:
            fields.append(dump_json(list(record.set), indent=None) if record.set else "")
        if self.has_probabilities:
            every = record.probabilities or {}
            fields += [_number(every.get(name)) for name in self.class_names]
        return fields


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _escape(value: str) -> str:
    r"""A tab, a line end or a backslash in a TSV field is written as \t, \n, \r, \\."""
    for char, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        value = value.replace(char, escaped)
    return value


def _made_inert(value: str) -> str:
    """A CSV field that a spreadsheet would run as a formula begins with ', and one that does
    already with one more: who reads it takes one away (OWASP, CSV injection)."""
    return f"'{value}" if value.startswith(_ACTIVE) else value


def _csv_line(fields: list[str]) -> str:
    import csv
    import io

    text = io.StringIO()
    # With another line end, csv leaves a newline or a carriage return in a name unquoted.
    csv.writer(text, lineterminator="\r\n").writerow(fields)
    return text.getvalue().removesuffix("\r\n")


def _shorten(path: str) -> str:
    """The end of a long path: that is where the pictures of a folder differ."""
    if width_of(path) <= _PATH_WIDTH:
        return path
    while width_of(path) > _PATH_WIDTH - 1:
        path = path[1:]
    return "…" + path


def _table_row(record: PredictionRecord) -> str:
    path = fit(_shorten(printable(record.path)), _PATH_WIDTH)
    if record.error is not None or record.top is None:
        return f" {path}  {'error':<{_LABEL_WIDTH}}  {printable(record.error or '')}"
    shown = [(printable(one.label), one.probability) for one in record.top]
    (label, probability), *others = shown
    heading = bold(f"{'unknown' if record.unknown else label:<{_LABEL_WIDTH}}")
    held = ""
    if record.set is not None and len(record.set) > 1:
        held = f"one of: {', '.join(map(printable, record.set))}"
    if record.unknown:
        told = f"{_doubt(record)}; nearest: {label} {probability:.2f}"
        return f" {path}  {heading}  {told}{f'; {held}' if held else ''}"
    bar = "█" * round(probability * _BAR)
    rest = held or "  ".join(f"{name} {share:.2f}" for name, share in others)
    return f" {path}  {heading}  {probability:.2f}  {bar:<{_BAR}}  {dim(rest)}".rstrip()


def _doubt(record: PredictionRecord) -> str:
    if record.reason == "improbable":
        return "not sure enough"
    if record.typicality == 0:
        return "less typical than any picture of val"
    return "unlike the pictures it was trained on"
