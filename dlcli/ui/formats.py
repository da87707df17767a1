"""Results as documents for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dlcli import __version__

if TYPE_CHECKING:
    from dlcli.commands.benchmark import BenchmarkResult
    from dlcli.commands.check import CheckResult
    from dlcli.commands.doctor import DoctorResult
    from dlcli.commands.evaluate import EvaluateResult
    from dlcli.commands.exported import ExportResult
    from dlcli.commands.init import InitResult
    from dlcli.commands.models import BackboneFacts
    from dlcli.commands.train import DryRunResult
    from dlcli.commands.train_result import TrainResult

SCHEMA = 1


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
        "agreement": asdict(result.agreement) if result.agreement else None,
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
        "gates": [asdict(gate) for gate in result.gates],
        "comparison": asdict(result.comparison) if result.comparison else None,
        "agreement": asdict(result.agreement) if result.agreement else None,
        "coverage": asdict(result.sets) if result.sets else None,
    }


def export_document(result: ExportResult) -> dict[str, Any]:
    """`export --json`; of several models `parity` is the worst of each number."""
    return {
        **opening("export"),
        "run": result.run,
        "format": result.format,
        "body": result.body,
        "folder": str(result.folder),
        "files": list(result.files),
        "size_bytes": result.size_bytes,
        "parity": asdict(result.parity),
        "models": [asdict(model) for model in result.models],
        "left_out": [asdict(left) for left in result.left_out],
        "verified": result.verified,
    }


def benchmark_document(result: BenchmarkResult) -> dict[str, Any]:
    """`benchmark --json`"""
    models = []
    for model in result.models:
        facts = asdict(model)
        pace = facts.pop("pace")
        models.append({**facts, **pace})
    return {
        **opening("benchmark"),
        "cpu": result.cpu,
        "threads": result.threads,
        "models": models,
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


def dump_json(document: Any, *, indent: int | None = 2) -> str:
    """JSON in UTF-8 text; where a path's bytes are not UTF-8, in ASCII with escapes."""
    text = json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = json.dumps(document, indent=indent, allow_nan=False)
    return text


def opening(command: str) -> dict[str, Any]:
    """What every document begins with."""
    return {"schema": SCHEMA, "command": command, "dlcli": __version__}
