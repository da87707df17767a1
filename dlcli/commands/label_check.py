"""The labels that a run finds implausible, and the pictures unlike all others.

The run's body gives the features; its own classes need not be those of the folder. What a picture
looks like is said by a head that has not seen it, fitted on the other pictures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dlcli.commands.open_run import OpenedRun, open_run
from dlcli.errors import DataError
from dlcli.events import Reporter, Said, StageAdvanced, StageEnded, StageStarted, Warned

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dlcli.artifact import Artifact
    from dlcli.data.index import DatasetIndex
    from dlcli.data.store import PixelStore
    from dlcli.training.cross_validation import HeldOut
    from dlcli.training.head import LabelledFeatures

STAGE, OUTLIER_STAGE = "judging labels", "looking for outliers"
WEAK = 0.75
"""A run that agrees with fewer of the labels is not to be trusted without a word: one that agreed
with 66 of 100 doubted 75 labels, of which 24 had been moved."""

_ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class LabelIssue:
    """A finding about the picture of a row of the index; `detail` says it to a person.

    `score` is in 0-1, lower is worse: of an unlikely label the probability that it is right, of an
    outlier how much of its distance from the others would be usual.
    """

    row: int
    kind: Literal["unlikely_label", "outlier"]
    detail: str
    score: float


@dataclass(frozen=True)
class SeenPictures:
    """The pictures that can be judged: their rows in the index, and what the body sees in them."""

    index: DatasetIndex
    rows: NDArray[np.int64]
    data: LabelledFeatures

    def name(self, label: int) -> str:
        """The class of a label."""
        return self.index.class_names[label]

    def issue(
        self, place: int, kind: Literal["unlikely_label", "outlier"], detail: str, score: float
    ) -> LabelIssue:
        """A finding about the picture at a place in `rows`."""
        return LabelIssue(int(self.rows[place]), kind, detail, float(score))


def find_label_issues(
    index: DatasetIndex, readable: Sequence[int], run: str, runs_folder: Path, reporter: Reporter
) -> list[LabelIssue]:
    """Unlikely labels, the worst first, then outliers, the worst first.

    `readable` are the rows of `index.files` to judge; `run` is what `--run` names.

    Raises:
        UsageError: if there is no such run.
        DataError: if it is damaged, or a picture changes meanwhile.
        ResourceError: if the cache cannot be written, or the built-in body cannot be prepared.
    """
    import threading

    from dlcli.data.store import open_store
    from dlcli.training.head import load_solver

    opened = open_run(run, runs_folder, reporter)
    threading.Thread(target=load_solver, daemon=True).start()
    # All pictures, not only those to judge: a training keeps the same store.
    paths = [file.path for file in index.files]
    store = open_store(index.folder, paths, opened.classifier.artifact.pixel_format, reporter)
    pictures = _look(index, readable, store, opened, reporter)
    if not len(pictures.rows):
        return []
    _tell_of_training(opened, {store.sha256s[row] for row in pictures.rows}, reporter)
    return [
        *find_unlikely_labels(pictures, opened.name, reporter),
        *find_outliers(pictures, reporter),
    ]


def _look(
    index: DatasetIndex,
    readable: Sequence[int],
    store: PixelStore,
    opened: OpenedRun,
    reporter: Reporter,
) -> SeenPictures:
    """Runs the body; copies, near copies and what the index puts together are one group."""
    import numpy as np

    from dlcli.artifact import BODY
    from dlcli.data.related import relate
    from dlcli.training.features import kept_features
    from dlcli.training.head import LabelledFeatures

    classifier = opened.classifier
    features = kept_features(store, classifier.body, classifier.artifact.sha256s[BODY], reporter)
    rows = np.array([row for row in readable if store.reasons[row] is None], np.int64)
    names = np.array(relate(index, store).names)
    # Numbered in the order of their names, which come from the pictures: however the files are
    # called and listed, the folds are the same.
    _, groups = np.unique(names[rows], return_inverse=True)
    labels = np.array([index.files[row].label for row in rows], np.int64)
    return SeenPictures(
        index, rows, LabelledFeatures(features[rows].astype(np.float32), labels, groups)
    )


def find_unlikely_labels(
    pictures: SeenPictures, run_name: str, reporter: Reporter
) -> Iterator[LabelIssue]:
    """Labels that heads which have not seen the pictures find implausible, worst first.

    In two rounds: what confident learning finds in the first teaches no head of the second, so
    that one wrong label does not make another one look right (of 20 % of the labels of photos of
    animals, moved at random, 0.90 were found instead of 0.34; of 5 % 0.94 instead of 0.88).
    """
    import numpy as np

    from dlcli.metrics.confident_learning import confident_errors, implausible_labels
    from dlcli.training.cross_validation import cross_validate, deal_folds

    reporter.report(StageStarted(STAGE))
    data, num_classes = pictures.data, len(pictures.index.class_names)
    folds = deal_folds(data.labels, data.groups)
    first = cross_validate(data, folds, num_classes)
    wrong = np.zeros(len(folds), np.bool_)
    wrong[first.judged] = confident_errors(
        first.probabilities[first.judged], data.labels[first.judged]
    )
    trusted = ~(wrong & _minority(wrong, data.labels))
    second = cross_validate(data, folds, num_classes, penalties=[first.penalty], learned=trusted)
    _end_stage(pictures, second, run_name, reporter)
    places = np.flatnonzero(second.judged)
    probabilities = second.probabilities[places]
    for place in implausible_labels(probabilities, data.labels[places]):
        own, best = data.labels[places[place]], probabilities[place].argmax()
        score, highest = probabilities[place, [own, best]]
        detail = (
            f"labelled {pictures.name(own)}, looks like {pictures.name(best)} "
            f"({highest:.2f} against {score:.2f})"
        )
        yield pictures.issue(places[place], "unlikely_label", detail, score)


def _minority(wrong: NDArray[np.bool_], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The pictures (N,) of classes of which fewer than half are taken for wrong: elsewhere it is
    the head that does not know the class."""
    import numpy as np

    shares = np.bincount(labels, wrong) / np.maximum(np.bincount(labels), 1)
    is_minority: NDArray[np.bool_] = shares[labels] < 0.5
    return is_minority


def _end_stage(
    pictures: SeenPictures, held_out: HeldOut, run_name: str, reporter: Reporter
) -> None:
    """Says how far the heads can be trusted, and which labels they cannot judge."""
    labels, judged = pictures.data.labels, held_out.judged
    agreed = (held_out.probabilities.argmax(axis=1) == labels)[judged]
    share = float(agreed.mean()) if len(agreed) else 1.0
    said = f"heads that had not seen them agree with {share:.1%} of the labels"
    reporter.report(StageEnded(STAGE, said if len(agreed) else ""))
    if share < WEAK:
        reporter.report(
            Warned(
                f"heads on what {run_name} sees agree with only {share:.0%} of the labels: either "
                "many are wrong, or it does not tell these classes apart and doubts many for "
                "nothing"
            )
        )
    unjudged = sorted({pictures.name(label) for label in labels[~judged]})
    if unjudged:
        shown = ", ".join(unjudged[:8]) + (", ..." if len(unjudged) > 8 else "")
        reporter.report(
            Warned(
                f"{int((~judged).sum())} labels cannot be judged ({shown}): that takes two "
                "pictures of a class that are no copies of each other, and a second class"
            )
        )


def find_outliers(pictures: SeenPictures, reporter: Reporter) -> Iterator[LabelIssue]:
    """Pictures beyond the outer fence of their class, worst first."""
    import numpy as np

    from dlcli.metrics.outliers import find_neighbours, gather, outer_fences

    data = pictures.data
    crowd = gather(data.features, data.groups)
    distances = np.empty(len(data.labels), np.float64)
    nearest = np.empty(len(data.labels), np.int64)
    reporter.report(StageStarted(OUTLIER_STAGE, len(distances)))
    for start in range(0, len(distances), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        found = find_neighbours(data.features[part], data.groups[part], crowd)
        distances[part], nearest[part] = found.distances, found.nearest
        reporter.report(StageAdvanced(OUTLIER_STAGE, min(part.stop, len(distances))))
    reporter.report(StageEnded(OUTLIER_STAGE))
    fences = outer_fences(distances, data.labels)
    places = np.flatnonzero(distances > fences)
    usual = fences[places] / distances[places]
    for number in np.argsort(usual, kind="stable"):
        place = places[number]
        own = pictures.name(data.labels[place])
        path = pictures.index.files[pictures.rows[nearest[place]]].path
        detail = f"unlike the other pictures of {own}; nearest: {path}"
        yield pictures.issue(place, "outlier", detail, usual[number])


def _tell_of_training(opened: OpenedRun, sha256s: set[str], reporter: Reporter) -> None:
    """A body that was trained on a picture with its wrong label sees in it what the label says."""
    trained = training_pictures(opened.folder, opened.classifier.artifact)
    if trained is None:
        reporter.report(
            Said(
                f"which pictures the body of {opened.name} was trained on is not known: of such, "
                "fewer wrong labels are found"
            )
        )
    elif seen := len(trained & sha256s):
        reporter.report(
            Warned(
                f"the body of {opened.name} was trained on {seen} of these {len(sha256s)} "
                "pictures: of those, fewer wrong labels are found (--labels imagenet knows none)"
            )
        )


def training_pictures(folder: Path, artifact: Artifact) -> set[str] | None:
    """The sha256 of all pictures that a body has learned from, in this run or in those that it
    began with; none for a backbone's own body. None where that is not known."""
    from dlcli.artifact import NETWORK, open_artifact
    from dlcli.runs.run import Run, model_folder

    found: set[str] = set()
    visited: set[Path] = set()
    while artifact.keras_file is not None and folder not in visited:
        visited.add(folder)
        own = Run(folder).pictures()
        if own is None:
            return None
        if NETWORK in artifact.sha256s:
            found |= {row["sha256"] for row in own.of("train")}
        if artifact.model.weights in ("imagenet", "random"):
            break
        folder = Path(artifact.model.weights)
        try:
            artifact = open_artifact(model_folder(folder))
        except DataError:
            return None  # a file of weights, or a run that is gone
    return found
