"""How far an exported model's answers are from its run's, and how far they may be."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.commands.asked_pictures import AskedPictures
from dlcli.errors import GateError, ResourceError
from dlcli.processor import run_python

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dlcli.runtime.classifier import Classifier

TOLERANCE = 1e-4
LEAST_AGREEMENT, SMALL_DIFFERENCE = 0.9, 0.05
"""Of a float32 export of an int8 run: its top classes must agree, however far the probabilities of
a doubtful picture differ (by 0.16 for the worst of 200 photos), unless only ties fell otherwise."""

ENCODED_TOLERANCE, ENCODED_AGREEMENT = 0.03, 0.99
"""Of the signature for encoded pictures, whose decoder is another program's."""


@dataclass(frozen=True)
class EncodedParity:
    """The same of the signature for encoded pictures; `left_out` are pictures that TensorFlow
    cannot read as the reader does (see `data.tensorflow_limits`)."""

    num_images: int
    left_out: int
    max_abs_difference: float
    top_1_agreement: float


@dataclass(frozen=True)
class Parity:
    """How the exported model's answers differ from the run's, on `num_images` `source`; the
    accuracies are those on these pictures, None where nobody knows what they show."""

    num_images: int
    source: str
    max_abs_difference: float
    top_1_agreement: float
    passed: bool
    accuracy_of_run: float | None = None
    accuracy_of_export: float | None = None
    encoded: EncodedParity | None = None


def worst_of(parities: Sequence[Parity]) -> Parity:
    """The worst of each number, of models that were asked about the same pictures."""
    exported = [parity.accuracy_of_export for parity in parities]
    known = [accuracy for accuracy in exported if accuracy is not None]
    return replace(
        parities[0],
        max_abs_difference=max(parity.max_abs_difference for parity in parities),
        top_1_agreement=min(parity.top_1_agreement for parity in parities),
        passed=all(parity.passed for parity in parities),
        accuracy_of_export=min(known, default=None),
        encoded=next((parity.encoded for parity in parities if parity.encoded), None),
    )


def check_parity(
    form: str,
    model: Path,
    asked: AskedPictures,
    classifier: Classifier,
    *,
    body: str,
    max_drop: float | None,
) -> Parity:
    """Asks the exported model in a fresh process, and the run's `classifier` here. `body` is what
    the export counts in, and `max_drop` how much of the accuracy a quantised one may lose (0.01 is
    a point), None where nothing was quantised.

    Raises:
        GateError: if the answers differ by more than is allowed.
        ResourceError: if the model cannot be run.
    """
    alike = _read_alike(asked.files) if form == "saved_model" else []
    answers, of_encoded = _ask(form, model, asked, alike)
    expected = classifier.predict_pixels(asked.pixels)
    difference, agreement = _differences(answers, expected)
    before, after = (accuracy_of(found, asked.labels) for found in (expected, answers))
    allowed, passed = f"{TOLERANCE:g}", difference <= TOLERANCE
    if body != classifier.artifact.model.body:
        allowed = f"{SMALL_DIFFERENCE:g}, or the same top class for {LEAST_AGREEMENT:.0%}"
        passed = difference <= SMALL_DIFFERENCE or agreement >= LEAST_AGREEMENT
    if max_drop is not None and before is not None and after is not None:
        _require_accuracy(form, before, after, max_drop, len(answers))
    else:
        _require(passed, form, difference, agreement, allowed)
    encoded = None
    if of_encoded is not None:
        left_out = len(asked.files) - len(alike)
        encoded = _compare_encoded(of_encoded, answers[alike], left_out)
    return Parity(len(answers), asked.source, difference, agreement, passed, before, after, encoded)


def _read_alike(files: Sequence[Path]) -> list[int]:
    """The places of those that TensorFlow reads as the reader does."""
    from dlcli.data.pixels import read_file
    from dlcli.data.tensorflow_limits import is_read_alike

    return [place for place, file in enumerate(files) if is_read_alike(read_file(file))]


def _compare_encoded(
    found: NDArray[np.float32], expected: NDArray[np.float32], left_out: int
) -> EncodedParity:
    difference, agreement = _differences(found, expected)
    allowed = f"{ENCODED_TOLERANCE:g}, and the same top class for {ENCODED_AGREEMENT:.0%}"
    passed = difference <= ENCODED_TOLERANCE and agreement >= ENCODED_AGREEMENT
    _require(passed, "saved_model, serve_bytes", difference, agreement, allowed)
    return EncodedParity(len(found), left_out, difference, agreement)


def _ask(
    form: str, model: Path, asked: AskedPictures, alike: Sequence[int]
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """What it answers to the pixels, and to the encoded pictures that are `alike`; None without
    any."""
    import numpy as np

    from dlcli.export import runtimes

    with tempfile.TemporaryDirectory(prefix="dlcli-parity-") as name:
        folder = Path(name)
        pixels, answers = folder / "pixels.npy", folder / "answers.npy"
        paths, of_encoded = folder / "paths.json", folder / "encoded.npy"
        np.save(pixels, asked.pixels)
        arguments = [pixels, answers]
        if alike:
            arguments += [paths, of_encoded]
            names = [str(asked.files[place].absolute()) for place in alike]
            paths.write_text(json.dumps(names), encoding="ascii")
        script, *rest = (str(runtimes.__file__), "answers", form, model, *arguments)
        fault = run_python(script, *map(str, rest))
        if fault is not None:
            raise unrunnable(form, fault)
        return np.load(answers), np.load(of_encoded) if alike else None


def unrunnable(form: str, fault: str) -> ResourceError:
    """What to say of an exported model whose runtime failed with `fault`."""
    package = "'dlcli-vision[onnx]'" if form == "onnx" else "dlcli-vision"
    return ResourceError(
        f"the exported model could not be run by its own runtime ({fault}).",
        where=form,
        fix=f"Install that again: pip install --force-reinstall {package}",
    )


def _differences(
    answers: NDArray[np.float32], expected: NDArray[np.float32]
) -> tuple[float, float]:
    """The largest difference of a probability, and the share of equal top classes."""
    same = answers.argmax(axis=1) == expected.argmax(axis=1)
    return float(abs(answers - expected).max()), float(same.mean())


def accuracy_of(answers: NDArray[np.float32], labels: Sequence[int]) -> float | None:
    """The share of answers (N, K) whose top class is the label; None without labels."""
    if not labels:
        return None
    return float((answers.argmax(axis=1) == list(labels)).mean())


def _require(passed: bool, where: str, difference: float, agreement: float, allowed: str) -> None:
    if not passed:
        raise GateError(
            f"the exported model answers otherwise than the run: probabilities differ by up to "
            f"{difference:.2g} (allowed: {allowed}), the top class agrees for {agreement:.1%}.",
            where=where,
            fix="It is not to be used. Please report this with the run's model.json.",
        )


def _require_accuracy(
    where: str, before: float, after: float, max_drop: float, num_images: int
) -> None:
    if before - after > max_drop + 1e-9:
        raise GateError(
            f"of {num_images} pictures the run gets {before:.1%} right and the quantised model "
            f"{after:.1%}: a drop of {before - after:.1%}, and {max_drop:g} ({max_drop:.1%}) is "
            "allowed.",
            where=where,
            fix="Allow more with --max-drop, take --quantize float16, or train with --set "
            "model.body=int8, which fits the head to what an int8 body sees.",
        )
