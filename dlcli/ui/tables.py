"""Results as lines of text for a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dlcli.ui.columns import wrapped
from dlcli.ui.console import printable
from dlcli.ui.report_lines import (
    agreement_line,
    comparison_text,
    gate_lines,
    report_lines,
    sets_text,
    verdict_on,
)

if TYPE_CHECKING:
    from dlcli.commands.evaluate import EvaluateResult
    from dlcli.commands.exported import ExportedModel, ExportResult
    from dlcli.commands.models import BackboneFacts
    from dlcli.commands.parity import EncodedParity
    from dlcli.commands.train import DryRunResult
    from dlcli.commands.train_result import TrainResult


def train_lines(result: TrainResult) -> Iterator[str]:
    """The report on test (or val), how long it took, and what to type next."""
    report = result.test or result.val
    yield from report_lines("Test" if result.test else "Val", report)
    if result.agreement is not None:
        yield from wrapped(agreement_line(result.agreement))
    if result.model.refit:
        num_images = sum(count for part, count in result.num_images.items() if part != "skipped")
        yield f" The model was then trained once more, on all {num_images} pictures; these numbers"
        yield " are those it had before."
    yield f" {result.seconds['total']:.1f} s · {printable(str(result.run))}"
    yield ""
    option = f" --run {printable(str(result.run))}" if result.is_elsewhere else ""
    if result.page is not None:
        yield f" Look:       {printable(str(result.page))}"
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
    """The report of an evaluation, how it compares, and its gates."""
    yield f" {printable(result.run)} on {printable(result.source)}"
    yield from report_lines("Accuracy", result.report)
    if result.agreement is not None:
        yield from wrapped(agreement_line(result.agreement))
    if result.sets is not None:
        yield from wrapped(sets_text(result.sets))
    if result.comparison is not None:
        yield from wrapped(comparison_text(result.comparison))
        yield from wrapped(verdict_on(result.comparison))
    if result.gates:
        yield ""
        yield from gate_lines(result.gates)


def export_lines(result: ExportResult) -> Iterator[str]:
    """Where the export lies and how well it agrees with the run."""
    parity = result.parity
    state = " · every file as it was written" if result.verified else ""
    size = f"{result.size_bytes / 1e6:.1f} MB"
    yield f" {printable(str(result.folder))} · {result.format} · {size}{state}"
    yield (
        f" Checked on {parity.num_images} {parity.source} in a fresh process: probabilities within "
        f"{parity.max_abs_difference:.1e}, same top class for {parity.top_1_agreement:.1%}."
    )
    if len(result.models) > 1:
        yield from _model_rows(result.models)
    elif parity.accuracy_of_run is not None and parity.accuracy_of_export is not None:
        yield (
            f" Right of these pictures: {parity.accuracy_of_run:.1%} by the run, "
            f"{parity.accuracy_of_export:.1%} by the export."
        )
    if parity.encoded is not None:
        yield from _encoded_lines(parity.encoded)
    others = [model for model in result.models if model.body != result.run_body]
    if others:
        names = (
            "this one" if len(result.models) == 1 else " and ".join(one.format for one in others)
        )
        keeps = "--format litert keeps the run's." if result.run_body == "int8" else ""
        yield (
            f" The run's body is {result.run_body}, {names} {others[0].body}: the run's accuracy "
            f"is not exactly its own. {keeps}".rstrip()
        )


def _model_rows(models: Sequence[ExportedModel]) -> Iterator[str]:
    yield f"   {'format':<11}  {'size':>8}  {'within':>7}  {'same top':>8}  {'right':>6}"
    for model in models:
        parity = model.parity
        accuracy = parity.accuracy_of_export
        yield (
            f"   {model.format:<11}  {model.size_bytes / 1e6:>5.1f} MB  "
            f"{parity.max_abs_difference:>7.1e}  {parity.top_1_agreement:>8.1%}  "
            f"{'-' if accuracy is None else f'{accuracy:.1%}':>6}"
        )


def _encoded_lines(encoded: EncodedParity) -> Iterator[str]:
    yield (
        f" Sent as files (serve_bytes), {encoded.num_images}: within "
        f"{encoded.max_abs_difference:.1e}, same top class for {encoded.top_1_agreement:.1%}."
    )
    if encoded.left_out:
        yield (
            f" Not compared: {encoded.left_out} that TensorFlow cannot read as dlcli does (another "
            "format than JPEG, PNG, GIF and BMP, or a turn that is not a JPEG's EXIF)."
        )
