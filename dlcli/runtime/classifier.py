"""Body, head and typicality together: pictures in, answers out, without any framework."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcli.artifact import BODY, HEAD, TYPICALITY, VAL_ANSWERS, Artifact
from dlcli.data.pixels import UnreadableImageError, decode_image, read_file
from dlcli.errors import DataError
from dlcli.metrics.typicality import Typicality, load_typicality
from dlcli.metrics.val_answers import ValAnswers, load_val_answers
from dlcli.processor import num_threads
from dlcli.runtime.body import Body
from dlcli.runtime.head import Head, load_head
from dlcli.runtime.litert import LiteRtBody
from dlcli.workers import batches_in_order

BATCH_SIZE = 32


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
class _Begun:
    """A picture that was read: its features (1, F), or its pixels (1, H, W, C) where the body
    prefers batches, or why it could not be."""

    path: str
    features: NDArray[np.float32] | None = None
    pixels: NDArray[np.uint8] | None = None
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
        return self._end([self._begin(path)])[0]

    def predict_content(self, path: str, content: bytes) -> Prediction:
        """The answer for a picture whose file's bytes are at hand."""
        return self._end([self._begin_content(path, content)])[0]

    def predict_features(self, path: str, features: NDArray[np.float32]) -> Prediction:
        """The answer for a picture whose features, float32 (1, F), are at hand."""
        return self._end([_Begun(path, features)])[0]

    def predict_files(
        self, paths: Iterable[str | os.PathLike[str]], batch_size: int = BATCH_SIZE
    ) -> Iterator[Prediction]:
        """Answers in input order, computed in parallel; `paths` are taken lazily. Up to
        `batch_size` are finished together where they come faster than that, and none waits for
        another: each is the same as alone (with LiteRT to the last bit)."""
        named = (os.fspath(path) for path in paths)
        for batch in batches_in_order(self._begin, named, num_threads(), batch_size):
            yield from self._end(batch)

    def val_answers(self) -> ValAnswers | None:
        """What it answered on val; None where that is not known, as of the built-in classifier.

        Raises:
            DataError: if the file is damaged.
        """
        if VAL_ANSWERS not in self.artifact.sha256s:
            return None
        return load_val_answers(self.artifact.file(VAL_ANSWERS))

    def _begin(self, path: str) -> _Begun:
        try:
            return self._begin_content(path, read_file(path))
        except UnreadableImageError as error:
            return _Begun(path, error=str(error))

    def _begin_content(self, path: str, content: bytes) -> _Begun:
        try:
            pixels = decode_image(content, self.artifact.pixel_format)[None]
        except UnreadableImageError as error:
            return _Begun(path, error=str(error))
        if self.body.prefers_batches:
            return _Begun(path, pixels=pixels)
        return _Begun(path, self.body.features(pixels))

    def _end(self, batch: Sequence[_Begun]) -> list[Prediction]:
        read = [one for one in batch if one.error is None]
        features = self._features_of(read)
        # A row at a time: how a product is rounded depends on its shape.
        probabilities = [self.head.probabilities(row[None])[0] for row in features]
        typicality: list[float] | list[None] = [None] * len(read)
        if self.typicality is not None and read:
            typicality = self.typicality.score(features).tolist()
        answers = iter(zip(probabilities, typicality, strict=True))
        return [
            Prediction(one.path, error=one.error)
            if one.error is not None
            else self._prediction(one.path, *next(answers))
            for one in batch
        ]

    def _features_of(self, read: Sequence[_Begun]) -> NDArray[np.float32]:
        pixels = [one.pixels for one in read if one.pixels is not None]
        if pixels:
            return self.body.features(np.concatenate(pixels))
        found = [one.features for one in read if one.features is not None]
        return np.concatenate(found) if found else np.zeros((0, self.body.num_features), np.float32)

    def _prediction(
        self, path: str, probabilities: NDArray[np.float32], typicality: float | None
    ) -> Prediction:
        unknown = typicality is not None and typicality < self._unknown_below
        return Prediction(path, probabilities, typicality, unknown)

    @property
    def _unknown_below(self) -> float:
        below = self.artifact.unknown_below
        return below if below is not None else 0.0


def open_classifier(artifact: Artifact, body: Body | None = None) -> Classifier:
    """Loads the files of an artefact; its body on LiteRT unless another one is given.

    Raises:
        DataError: if one of them is damaged or they do not fit together.
    """
    pixel_format = artifact.pixel_format
    if body is None:
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
