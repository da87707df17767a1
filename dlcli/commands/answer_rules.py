"""When an answer is given and when it is `unknown`, and which classes a set holds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlcli.errors import UsageError
from dlcli.events import Reporter, Said, Warned

if TYPE_CHECKING:
    from dlcli.metrics.val_answers import ValAnswers
    from dlcli.runtime.classifier import Classifier, Prediction

AUTO = "auto"
ATYPICAL, IMPROBABLE = "atypical", "improbable"
"""Why a picture is unknown: unlike the training pictures, or its probability is too small."""


@dataclass(frozen=True)
class RankedClass:
    """A class and its probability."""

    label: str
    probability: float


@dataclass(frozen=True)
class PredictionRecord:
    """The answer for one picture. `label` and `probability` are those of the top class, also where
    it is `unknown`, with the `reason` "atypical" or "improbable". `set` holds the classes of which
    one is the true one with the probability that was asked for, the most probable first, and
    `probabilities` those of all classes: None where nobody asked. Where `error` is a sentence the
    rest is None and `unknown` False."""

    path: str
    label: str | None
    probability: float | None
    top: tuple[RankedClass, ...] | None
    typicality: float | None
    unknown: bool
    error: str | None
    reason: str | None = None
    set: tuple[str, ...] | None = None
    probabilities: dict[str, float] | None = None


@dataclass(frozen=True)
class Asked:
    """What a user asks of answers, as typed: `threshold` is "auto" or a least probability beside
    it, `max_error` the share of errors that fits one, `coverage` how often a set is to hold the
    true class. `top` is how many classes are named, None for
    all."""

    threshold: str = AUTO
    max_error: float | None = None
    coverage: float | None = None
    top: int | None = 3
    probabilities: bool = False


@dataclass(frozen=True)
class AnswerRules:
    """What `Asked` comes to for a model: answers of less than `least_probability` are unknown, and
    a set holds the classes of `least_of_set` or more (None: there are no sets)."""

    class_names: tuple[str, ...]
    least_probability: float = 0.0
    least_of_set: float | None = None
    top: int | None = 3
    probabilities: bool = False

    def record_of(self, prediction: Prediction) -> PredictionRecord:
        """The answer as it is given."""
        found = prediction.probabilities
        if found is None:
            return PredictionRecord(
                prediction.path, None, None, None, None, False, prediction.error
            )
        ranking = (-found).argsort(kind="stable")[: self.top].tolist()
        ranked = tuple(RankedClass(self.class_names[at], float(found[at])) for at in ranking)
        reason = ATYPICAL if prediction.unknown else None
        if reason is None and ranked[0].probability < self.least_probability:
            reason = IMPROBABLE
        labels = None
        if self.least_of_set is not None:
            from dlcli.metrics.conformal import prediction_set

            held = prediction_set(found, self.least_of_set).tolist()
            labels = tuple(self.class_names[at] for at in held)
        every = dict(zip(self.class_names, map(float, found), strict=True))
        return PredictionRecord(
            prediction.path,
            ranked[0].label,
            ranked[0].probability,
            ranked,
            prediction.typicality,
            reason is not None,
            None,
            reason,
            labels,
            every if self.probabilities else None,
        )


def require_sound(asked: Asked) -> None:
    """To be called before anything is opened.

    Raises:
        UsageError: if a number is out of its range, or two of them contradict.
    """
    if asked.threshold != AUTO:
        _read_probability(asked.threshold)
        if asked.max_error is not None:
            raise UsageError(
                f"contradicts --max-error {asked.max_error:g}, which finds a threshold.",
                where=f"--threshold {asked.threshold}",
                fix="Give one of them.",
            )
    require_share("--max-error", asked.max_error)
    require_share("--coverage", asked.coverage)


def require_share(option: str, share: float | None) -> None:
    """What is neither nothing nor all.

    Raises:
        UsageError: otherwise.
    """
    if share is not None and not 0 < share < 1:
        raise UsageError(
            "must lie between 0 and 1.", where=f"{option} {share:g}", fix="Write 0.05 for 5 %."
        )


def fit_rules(
    classifier: Classifier, asked: Asked, reporter: Reporter, who: str = "this model"
) -> AnswerRules:
    """The rules of a model, which is called `who`; says what was found on val.

    Raises:
        UsageError: as `require_sound`, or if the model does not know what it answered on val, or
            errors cannot be kept as rare as that.
        DataError: if its answers on val are damaged.
    """
    require_sound(asked)
    least, of_set = 0.0, None
    if asked.threshold != AUTO:
        least = _read_probability(asked.threshold)
    if asked.max_error is not None:
        val = answers_on_val(classifier, "--max-error", who)
        least = _least_for_errors(val, asked.max_error, classifier, reporter)
    if asked.coverage is not None:
        val = answers_on_val(classifier, "--coverage", who)
        of_set = least_of_sets(val, asked.coverage, reporter)
    names = classifier.artifact.class_names
    return AnswerRules(names, least, of_set, asked.top, asked.probabilities)


def least_of_sets(val: ValAnswers, coverage: float, reporter: Reporter) -> float:
    """The probability from which on a class belongs to a set; warns where val is too small to tell,
    and every class does."""
    from dlcli.metrics.conformal import least_probability

    least = least_probability(val, coverage)
    if not least:
        needed = math.ceil(round(coverage / (1 - coverage), 6))
        reporter.report(
            Warned(
                f"val has {len(val.is_right)} pictures, and {needed} are needed to promise "
                f"{coverage:g}: every set holds every class"
            )
        )
    return least


def _least_for_errors(
    val: ValAnswers, max_error: float, classifier: Classifier, reporter: Reporter
) -> float:
    from dlcli.metrics.selective import fit_threshold

    fitted = fit_threshold(val, max_error, classifier.artifact.unknown_below)
    if fitted is None:
        raise UsageError(
            f"the surest answers on val ({len(val.is_right)} pictures) are wrong more often.",
            where=f"--max-error {max_error:g}",
            fix="Allow more errors, or train a better model.",
        )
    low, high = fitted.error_interval
    at = f"from {fitted.probability:.3f} on" if fitted.probability else "of any probability"
    reporter.report(
        Said(
            f"answers {at} are given: on val {fitted.num_given:,} of {fitted.num_images:,}, "
            f"{fitted.num_wrong:,} of them wrong (95 % interval of errors {low:.3f} to {high:.3f})"
        )
    )
    return fitted.probability


def answers_on_val(classifier: Classifier, option: str, who: str) -> ValAnswers:
    """What a model, which is called `who`, answered on val, for an option.

    Raises:
        UsageError: if it does not know.
        DataError: if the file is damaged.
    """
    val = classifier.val_answers()
    if val is None:
        raise UsageError(
            f"{who} does not know what it answered on val, by which this is fitted.",
            where=option,
            fix="Train a run of your own with this version of dlcli.",
        )
    return val


def _read_probability(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise UsageError(
            "must be auto or a probability from 0 to 1.",
            where=f"--threshold {text}",
            fix="Write 0.8, for instance.",
        )
    return value
