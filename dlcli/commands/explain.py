"""dlcli explain: where in a picture a run sees a class, and which training pictures are like it."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.commands.near_pictures import NearPicture, TrainingPictures, find_training_pictures
from dlcli.commands.open_run import OpenedRun, open_run
from dlcli.errors import UsageError
from dlcli.events import Reporter, Said, StageAdvanced, StageEnded, StageStarted, Warned

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dlcli.data.pixels import PixelFormat
    from dlcli.models.grad_cam import GradCam

STAGE = "explaining"
_SHOWN_SIDE = 448
_LONGEST_NAME = 150


@dataclass(frozen=True)
class ExplainOptions:
    """`output` None is a folder named after the run; `class_name` None is the class that each
    picture is taken for."""

    paths: Iterable[str]
    runs_folder: Path
    run: str | None = None
    output: Path | None = None
    class_name: str | None = None
    force: bool = False


@dataclass(frozen=True)
class ExplainedImage:
    """The answer for one picture. `map` is the file with the map of the class `explained`, None
    where the network has no places to show, and `layer` where in the network it was taken.
    `is_for` says whether anything in the picture speaks for that class. `nearest` is None where
    the training pictures are not known. Where `error` is a sentence the rest is None."""

    path: str
    label: str | None = None
    probability: float | None = None
    explained: str | None = None
    explained_probability: float | None = None
    map: str | None = None
    layer: str | None = None
    nearest: tuple[NearPicture, ...] | None = None
    error: str | None = None
    unknown: bool = False
    is_for: bool = True


@dataclass(frozen=True)
class Explanations:
    """The run, the folder the maps go to, and an answer a picture, as soon as it is known."""

    run: str
    folder: Path
    images: Iterator[ExplainedImage]


def run(options: ExplainOptions, reporter: Reporter) -> Explanations:
    """One answer a picture, in input order; its map is written before it.

    Raises:
        UsageError: if the run cannot be found or has no such class, there are no pictures, or a
            file of a map is there already.
        DataError, ResourceError: if the run cannot be opened.
    """
    opened = open_run(options.run, options.runs_folder, reporter)
    label = _label_of(options.class_name, opened)
    paths = list(options.paths)
    if not paths:
        raise UsageError("there are no pictures to explain.", fix="Name some.")
    training = find_training_pictures(opened, reporter)
    stem = opened.name if opened.name == "imagenet" else opened.folder.resolve().name
    folder = options.output or Path(f"{stem}-explained")
    if training is not None and training.lie_around(folder):
        raise UsageError(
            "the maps would lie among the run's training pictures.",
            where=str(folder),
            fix="Name another folder with -o.",
        )
    targets = [folder / name for name in name_maps(paths, options.class_name)]
    _require_free(targets, paths, options.force)
    explainer = _Explainer(opened, label, training, reporter)
    return Explanations(opened.name, folder, _explain(explainer, paths, targets))


def _label_of(class_name: str | None, opened: OpenedRun) -> int | None:
    known = opened.classifier.artifact.class_names
    if class_name is None:
        return None
    if class_name in known:
        return known.index(class_name)
    near = difflib.get_close_matches(class_name, known, 1)
    some = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
    raise UsageError(
        f'{opened.name} knows no class "{class_name}".',
        where="--class",
        fix=f"Did you mean {near[0]}?" if near else f"There are {some}.",
    )


def name_maps(paths: Sequence[str], class_name: str | None = None) -> list[str]:
    """A file name for the map of each picture, after its own and the class that was asked for,
    each another one on any file system."""
    what = (
        "explained" if class_name is None else "explained-" + re.sub(r"[^\w.-]+", "_", class_name)
    )
    names: list[str] = []
    taken: set[str] = set()
    for path in paths:
        stem = _shortened(Path(path).stem or "picture")
        number = 1
        while (
            name := f"{stem}{f'-{number}' if number > 1 else ''}-{what}.png"
        ).casefold() in taken:
            number += 1
        taken.add(name.casefold())
        names.append(name)
    return names


def _shortened(stem: str) -> str:
    """A file name ends at 255 bytes."""
    encoded = os.fsencode(stem)
    if len(encoded) <= _LONGEST_NAME:
        return stem
    return encoded[:_LONGEST_NAME].decode("utf-8", "ignore")


def _require_free(targets: Sequence[Path], paths: Sequence[str], force: bool) -> None:
    there = [target for target in targets if os.path.lexists(target)]
    if there and not force:
        others = f" (and {len(there) - 1} more)" if len(there) > 1 else ""
        raise UsageError(
            f"this is there already{others}.",
            where=str(there[0]),
            fix="Overwrite it with --force, or name another folder with -o.",
        )
    asked = {os.path.realpath(path) for path in paths}
    for target in there:
        if os.path.realpath(target) in asked:
            raise UsageError(
                "this is one of the pictures to explain: it is not overwritten.",
                where=str(target),
                fix="Name another folder with -o.",
            )


def _explain(
    explainer: _Explainer, paths: Sequence[str], targets: Sequence[Path]
) -> Iterator[ExplainedImage]:
    explainer.reporter.report(StageStarted(STAGE, len(paths)))
    for done, (path, target) in enumerate(zip(paths, targets, strict=True), 1):
        yield explainer.explain(path, target)
        explainer.reporter.report(StageAdvanced(STAGE, done))
    explainer.reporter.report(StageEnded(STAGE))
    training = explainer.training
    if training is not None and training.num_gone:
        explainer.reporter.report(
            Warned(
                f"{training.num_gone} of the nearest training pictures are named and not shown: "
                f"they are no longer in {training.folder} as they were trained on"
            )
        )


@dataclass
class _Explainer:
    """A run, and what its pictures are asked; Keras starts with the first one that can be read."""

    opened: OpenedRun
    label: int | None
    training: TrainingPictures | None
    reporter: Reporter = field(repr=False)

    @cached_property
    def grad_cam(self) -> GradCam | None:
        """Of the run's network; says where it has none, or not quite the one that predicts."""
        from dlcli import backend

        classifier = self.opened.classifier
        backend.prepare(device="cpu")
        from dlcli.models.grad_cam import make_grad_cam
        from dlcli.models.model import body_of, open_model

        found = make_grad_cam(
            body_of(open_model(classifier.artifact, classifier.head)), classifier.head
        )
        if found is None:
            self.reporter.report(
                Warned(
                    f"the network of {self.opened.name} keeps no places (it has no convolutions, "
                    "or flattens what they give at once): there are no maps to show"
                )
            )
        elif classifier.artifact.model.body != "float32":
            self.reporter.report(
                Said("the maps are those of the float32 network that the int8 body was made from")
            )
        return found

    @cached_property
    def shown_format(self) -> PixelFormat:
        """What the network sees, so large that a person sees it too."""
        from dlcli.data.pixels import PixelFormat

        seen = self.opened.classifier.artifact.pixel_format
        height, width = seen.image_size
        times = max(1, round(_SHOWN_SIDE / max(height, width)))
        return PixelFormat((times * height, times * width), seen.resize, seen.color)

    def explain(self, path: str, target: Path) -> ExplainedImage:
        """Answers for a picture and writes its map to `target`."""
        from dlcli.data.pixels import UnreadableImageError, decode_image, read_file

        classifier = self.opened.classifier
        try:
            content = read_file(path)
            pixels = decode_image(content, classifier.artifact.pixel_format)
            shown = decode_image(content, self.shown_format)
        except UnreadableImageError as error:
            return ExplainedImage(path, error=str(error))
        features = classifier.body.features(pixels[None])
        probabilities = classifier.head.probabilities(features)[0]
        best = int(probabilities.argmax())
        label = best if self.label is None else self.label
        nearest = None if self.training is None else self.training.nearest(features[0])
        names = classifier.artifact.class_names
        image = ExplainedImage(
            path=path,
            label=names[best],
            probability=float(probabilities[best]),
            explained=names[label],
            explained_probability=float(probabilities[label]),
            nearest=nearest,
            unknown=classifier.predict_features(path, features).unknown,
        )
        if self.grad_cam is None:
            return image
        return self._with_map(image, target, shown, self.grad_cam.evidence(pixels, label))

    def _with_map(
        self,
        image: ExplainedImage,
        target: Path,
        shown: NDArray[np.uint8],
        evidence: NDArray[np.float32],
    ) -> ExplainedImage:
        from dlcli.runs.files import write_atomic
        from dlcli.ui.heat_picture import Captioned, Explained, draw_explanation

        is_for = bool(evidence.any())
        what = f"{image.explained} {image.explained_probability:.2f}"
        near = [
            Captioned(f"{one.label} {one.similarity:.2f}", self._thumbnail(one.path))
            for one in image.nearest or ()
        ]
        about = (
            f"what speaks for {image.explained}, from none to most"
            if is_for
            else f"nothing speaks for {what}"
        )
        name = os.path.basename(image.path)
        png = draw_explanation(Explained(shown, evidence, name, what, about, near))
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(target, png)
        layers = "" if self.grad_cam is None else " + ".join(self.grad_cam.layers)
        return replace(image, map=str(target), layer=layers, is_for=is_for)

    def _thumbnail(self, path: str) -> bytes | None:
        return None if self.training is None else self.training.thumbnail(path)
