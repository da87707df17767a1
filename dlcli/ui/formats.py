"""Results as text for programs, and predictions as rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dlcli import __version__
from dlcli.ui.console import bold, dim, printable

if TYPE_CHECKING:
    from dlcli.commands.check import CheckResult
    from dlcli.commands.doctor import DoctorResult
    from dlcli.commands.evaluate import EvaluateResult
    from dlcli.commands.export import ExportResult
    from dlcli.commands.init import InitResult
    from dlcli.commands.models import BackboneFacts
    from dlcli.commands.predict import PredictionRecord
    from dlcli.commands.train import DryRunResult
    from dlcli.commands.train_result import TrainResult

SCHEMA = 1
COLUMNS = ("path", "label", "probability", "typicality", "unknown", "error")
_BAR, _PATH_WIDTH, _LABEL_WIDTH = 20, 28, 12


def train_document(result: TrainResult) -> dict[str, Any]:
    """`train --json`"""
    return {
        **opening("train"),
        "run": str(result.run),
        "status": result.status,
        "classes": list(result.classes),
        "num_images": result.num_images,
        "skipped": [asdict(file) for file in result.skipped],
        "stages": [asdict(stage) for stage in result.stages],
        "best_epoch": result.best_epoch,
        "val": result.val.to_json(),
        "test": result.test.to_json() if result.test else None,
        "seconds": result.seconds,
        "model": asdict(result.model),
    }


def dry_run_document(result: DryRunResult) -> dict[str, Any]:
    """`train --dry-run --json`"""
    shown = result.plan.summary
    return {
        **opening("train"),
        "model": {
            **asdict(result.plan.facts),
            "layers": [asdict(row) for row in shown.rows],
            "batch_size": shown.batch_size,
            "memory_bytes": shown.memory_bytes,
        },
        "num_images": result.num_images,
        "classes": list(result.classes),
        "plan": {
            "effort": result.plan.spec.train.effort,
            "reason": result.plan.reason or None,
            "expected_seconds": result.expected_seconds,
            "stages": [asdict(stage) for stage in result.plan.stages],
        },
    }


def check_document(result: CheckResult) -> dict[str, Any]:
    """`check --json`"""
    return {
        **opening("check"),
        "target": str(result.target),
        "num_images": result.num_images,
        "classes": [asdict(own) for own in result.classes],
        "splits": result.splits,
        "findings": [asdict(finding) for finding in result.findings],
        "gates": [asdict(gate) for gate in result.gates],
        "census": asdict(result.census),
        "skipped": [asdict(file) for file in result.skipped],
        "num_ignored": result.num_ignored,
        "uniform_classes": list(result.uniform_classes),
    }


def models_document(models: Sequence[BackboneFacts]) -> dict[str, Any]:
    """`models --json`"""
    return {**opening("models"), "models": [asdict(model) for model in models]}


def doctor_document(result: DoctorResult) -> dict[str, Any]:
    """`doctor --json`"""
    backends = [
        {**asdict(one), "ready": one.fault is None, "fix": one.fault.fix if one.fault else ""}
        for one in result.backends
    ]
    return {
        **opening("doctor"),
        "versions": result.versions,
        "cpu": asdict(result.cpu),
        "cache": {"folder": str(result.cache.folder), "free_bytes": result.cache.free_bytes},
        "driver": asdict(result.driver),
        "backends": backends,
        "advice": result.advice,
    }


def evaluate_document(result: EvaluateResult) -> dict[str, Any]:
    """`evaluate --json`"""
    return {
        **opening("evaluate"),
        "run": result.run,
        "source": result.source,
        "report": result.report.to_json(),
        "skipped": [asdict(file) for file in result.skipped],
        "gates": [],
    }


def export_document(result: ExportResult) -> dict[str, Any]:
    """`export --json`"""
    return {
        **opening("export"),
        "run": result.run,
        "format": result.format,
        "body": result.body,
        "folder": str(result.folder),
        "files": list(result.files),
        "size_bytes": result.size_bytes,
        "parity": asdict(result.parity),
    }


def init_document(result: InitResult) -> dict[str, Any]:
    """`init --json`"""
    return {
        **opening("init"),
        "output": str(result.output),
        "template": result.template,
        "classes": list(result.classes),
        "num_images": result.num_images,
        "image_size": result.image_size,
        "color": result.color,
        "reason": result.reason,
    }


def templates_document(templates: dict[str, str]) -> dict[str, Any]:
    """`init --list --json`"""
    return {**opening("init"), "templates": templates}


def dump_json(document: dict[str, Any], *, indent: int | None = 2) -> str:
    """JSON in UTF-8 text; where a path's bytes are not UTF-8, in ASCII with escapes."""
    text = json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = json.dumps(document, indent=indent, allow_nan=False)
    return text


def prediction_formatter(name: str) -> Callable[[PredictionRecord], str]:
    """The function that makes a line (without its end) of a record: table, jsonl, csv or tsv."""
    return {"jsonl": _json_line, "csv": _csv_row, "tsv": _tsv_row, "table": _table_row}[name]


def opening(command: str) -> dict[str, Any]:
    """What every document begins with."""
    return {"schema": SCHEMA, "command": command, "dlcli": __version__}


def _json_line(record: PredictionRecord) -> str:
    return dump_json({"schema": SCHEMA, **asdict(record)}, indent=None)


def _fields(record: PredictionRecord) -> list[str]:
    numbers = [
        "" if number is None else f"{number:.6f}"
        for number in (record.probability, record.typicality)
    ]
    unknown = "true" if record.unknown else "false"
    return [record.path, record.label or "", *numbers, unknown, record.error or ""]


def _tsv_row(record: PredictionRecord) -> str:
    r"""Fields between tabs; a tab, newline or backslash in a name is written as \t, \n, \\."""
    return "\t".join(_escape(value) for value in _fields(record))


def _escape(value: str) -> str:
    for char, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        value = value.replace(char, escaped)
    return value


def _csv_row(record: PredictionRecord) -> str:
    import csv
    import io

    text = io.StringIO()
    # With another line end, csv leaves a newline or a carriage return in a name unquoted.
    csv.writer(text, lineterminator="\r\n").writerow(_fields(record))
    return text.getvalue().removesuffix("\r\n")


def _shorten(path: str) -> str:
    """The end of a long path: that is where the pictures of a folder differ."""
    return path if len(path) <= _PATH_WIDTH else "…" + path[1 - _PATH_WIDTH :]


def _table_row(record: PredictionRecord) -> str:
    path = f"{_shorten(printable(record.path)):<{_PATH_WIDTH}}"
    if record.error is not None or record.top is None:
        return f" {path}  {'error':<{_LABEL_WIDTH}}  {printable(record.error or '')}"
    shown = [(printable(one.label), one.probability) for one in record.top]
    (label, probability), *others = shown
    heading = bold(f"{'unknown' if record.unknown else label:<{_LABEL_WIDTH}}")
    if record.unknown:
        nearest = f"unlike the pictures it was trained on; nearest: {label} {probability:.2f}"
        return f" {path}  {heading}  {nearest}"
    bar = "█" * round(probability * _BAR)
    rest = dim("  ".join(f"{name} {share:.2f}" for name, share in others))
    return f" {path}  {heading}  {probability:.2f}  {bar:<{_BAR}}  {rest}".rstrip()
