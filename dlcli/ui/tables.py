"""Results as lines of text for a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dlcli.ui.console import bold, printable

if TYPE_CHECKING:
    from dlcli.commands.evaluate import EvaluateResult
    from dlcli.commands.export import ExportResult
    from dlcli.commands.models import BackboneFacts
    from dlcli.commands.train import DryRunResult
    from dlcli.commands.train_result import TrainResult
    from dlcli.metrics.classification import ClassScores
    from dlcli.metrics.report import Report

MOST_CLASSES = 20
"""Beyond this many classes the worst are shown; the JSON holds all."""

_WORST = 10
_CONFUSED = 3


def train_lines(result: TrainResult) -> Iterator[str]:
    """The report on test (or val), how long it took, and what to type next."""
    report = result.test or result.val
    yield from report_lines("Test" if result.test else "Val", report)
    before, error = result.calibration_error_before, report.expected_calibration_error
    if before is not None and error is not None:
        yield f" Calibration: expected error {error:.3f} ({before:.3f} before the temperature)."
    if result.model.refit:
        num_images = sum(count for part, count in result.num_images.items() if part != "skipped")
        yield f" The model was then trained once more, on all {num_images} pictures; these numbers"
        yield " are those it had before."
    yield f" {result.seconds['total']:.1f} s · {printable(str(result.run))}"
    yield ""
    option = f" --run {printable(str(result.run))}" if result.is_elsewhere else ""
    yield f" Try it:     dlcli predict cat.jpg{option}"
    yield f" Check it:   dlcli evaluate FOLDER{option}"
    yield f" Ship it:    dlcli export{option}"


def dry_run_lines(result: DryRunResult) -> Iterator[str]:
    """How many pictures there would be, and how to begin; the model was shown before."""
    counts = result.num_images
    yield (
        f" {len(result.classes)} classes; about {counts['train']} pictures to train on, "
        f"{counts['val']} to choose by, {counts['test']} to test. None was read: this is a dry run."
    )


def models_lines(models: Sequence[BackboneFacts]) -> Iterator[str]:
    """A row a backbone."""
    width = max(len(model.name) for model in models)
    yield f" {'backbone':<{width}}  {'parameters':>12}  {'input':>9}  ImageNet weights"
    for model in models:
        size = "x".join(map(str, model.image_size))
        yield f" {model.name:<{width}}  {model.parameters:>12,}  {size:>9}  {model.weights}"


def evaluate_lines(result: EvaluateResult) -> Iterator[str]:
    """The report of an evaluation."""
    yield f" {printable(result.run)} on {printable(result.source)}"
    yield from report_lines("Accuracy", result.report)


def export_lines(result: ExportResult) -> Iterator[str]:
    """Where the export lies and how well it agrees with the run."""
    parity = result.parity
    yield f" {printable(str(result.folder))} · {result.format} · {result.size_bytes / 1e6:.1f} MB"
    yield (
        f" Checked on {parity.num_images} {parity.source} in a fresh process: probabilities within "
        f"{parity.max_abs_difference:.1e}, same top class for {parity.top_1_agreement:.1%}."
    )
    if result.body != result.run_body:
        yield (
            f" The run's body is {result.run_body}, this one {result.body}: the run's accuracy is "
            "not exactly its own. --format litert keeps the run's."
        )


def report_lines(title: str, report: Report) -> Iterator[str]:
    """Headline, a row a class, averages, and what is confused most."""
    yield bold(f" {title}: {_headline(report)}")
    yield from _class_table(report)
    if report.most_confused:
        pairs = [
            f"{printable(pair.true)} taken for {printable(pair.predicted)} ({pair.count})"
            for pair in report.most_confused[:_CONFUSED]
        ]
        yield f" Most confused: {', '.join(pairs)}."


def _headline(report: Report) -> str:
    if report.accuracy is None or report.accuracy_interval is None:
        return "no pictures."
    low, high = report.accuracy_interval
    majority = max(report.classes, key=lambda scores: scores.support).name
    return (
        f"{report.accuracy:.3f} right ({report.num_correct} of {report.num_images}), "
        f"95 % interval {low:.3f} to {high:.3f}. "
        f'Always guessing "{printable(majority)}" would give {report.majority_baseline:.3f}.'
    )


def _class_table(report: Report) -> Iterator[str]:
    classes = list(report.classes)
    if len(classes) > MOST_CLASSES:
        tested = [scores for scores in classes if scores.support]
        classes = sorted(tested, key=lambda scores: scores.f1_score or 0.0)[:_WORST]
    # Names are measured as shown: a control character in one must not break the table.
    classes = [replace(scores, name=printable(scores.name)) for scores in classes]
    width = max([12, *(len(scores.name) for scores in classes)])
    yield f"   {'class':<{width}}  precision  recall     f1  pictures"
    for scores in classes:
        yield _class_row(scores, width)
    left_out = len(report.classes) - len(classes)
    if left_out:
        yield f"   the {len(classes)} worst of {len(report.classes)}; all of them: --json"
    average = report.macro_avg
    numbers = (average.precision, average.recall, average.f1_score)
    yield "   " + _row("macro avg", width, numbers, report.num_images)


def _class_row(scores: ClassScores, width: int) -> str:
    numbers = (scores.precision, scores.recall, scores.f1_score)
    return "   " + _row(scores.name, width, numbers, scores.support)


def _row(name: str, width: int, numbers: tuple[float | None, ...], support: int) -> str:
    precision, recall, f1_score = ("n/a" if n is None else f"{n:.3f}" for n in numbers)
    return f"{name:<{width}}  {precision:>9}  {recall:>6}  {f1_score:>5}  {support:>8}"
