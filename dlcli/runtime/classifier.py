"""Body, head and typicality together: pictures in, answers out, without any framework."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcli.artifact import BODY, HEAD, TYPICALITY, Artifact
from dlcli.data.pixels import UnreadableImageError, decode_image, read_file
from dlcli.errors import DataError
from dlcli.metrics.typicality import Typicality, load_typicality
from dlcli.processor import num_threads
from dlcli.runtime.body import Body
from dlcli.runtime.head import Head, load_head
from dlcli.runtime.litert import LiteRtBody
from dlcli.workers import in_order


@dataclass(frozen=True)
class Prediction:
    """The answer for one picture.

    `probabilities` is float32 (K,) in class order. `typicality` is the share (0-1) of val pictures
    that are less typical, None where the model cannot tell; `unknown` says that it is too low.
    For a picture that could not be read `error` is the reason and the rest is empty.
    """

    path: str
    probabilities: NDArray[np.float32] | None = None
    typicality: float | None = None
    unknown: bool = False
    error: str | None = None


@dataclass(frozen=True)
class Classifier:
    """What predict and evaluate run; safe to use from several threads."""

    artifact: Artifact
    body: Body
    head: Head
    typicality: Typicality | None

    def predict_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (B, H, W, C), 0-255, as the one reader gives them -> probabilities (B, K)."""
        return self.head.probabilities(self.body.features(pixels))

    def predict_file(self, path: str) -> Prediction:
        """The answer for one picture; one that cannot be read gives its reason."""
        try:
            return self.predict_content(path, read_file(path))
        except UnreadableImageError as error:
            return Prediction(path, error=str(error))

    def predict_content(self, path: str, content: bytes) -> Prediction:
        """The answer for a picture whose file's bytes are at hand."""
        try:
            pixels = decode_image(content, self.artifact.pixel_format)
        except UnreadableImageError as error:
            return Prediction(path, error=str(error))
        features = self.body.features(pixels[None])
        probabilities = self.head.probabilities(features)[0]
        if self.typicality is None:
            return Prediction(path, probabilities)
        typicality = float(self.typicality.score(features)[0])
        return Prediction(path, probabilities, typicality, typicality < self._unknown_below)

    def predict_files(self, paths: Iterable[str | os.PathLike[str]]) -> Iterator[Prediction]:
        """Answers in input order, computed in parallel; `paths` are taken lazily."""
        return in_order(self.predict_file, (os.fspath(path) for path in paths), num_threads())

    @property
    def _unknown_below(self) -> float:
        below = self.artifact.unknown_below
        return below if below is not None else 0.0


def open_classifier(artifact: Artifact) -> Classifier:
    """Loads the files of an artefact.

    Raises:
        DataError: if one of them is damaged or they do not fit together.
    """
    pixel_format = artifact.pixel_format
    body = LiteRtBody(artifact.file(BODY), pixel_format.image_size, pixel_format.num_channels)
    head = load_head(artifact.file(HEAD))
    num_classes = len(artifact.class_names)
    expected = ((body.num_features, num_classes), (num_classes,))
    if (head.weights.shape, head.bias.shape) != expected:
        raise DataError(
            f"this head has the shapes {head.weights.shape} and {head.bias.shape}, "
            f"not {expected[0]} and {expected[1]}.",
            where=str(artifact.file(HEAD)),
            fix="Train again, or take the run from a backup.",
        )
    known = artifact.unknown_below is not None and TYPICALITY in artifact.sha256s
    typicality = load_typicality(artifact.file(TYPICALITY)) if known else None
    return Classifier(artifact, body, head, typicality)
