"""What runs a trained network: LiteRT, or Keras."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlcli.errors import ResourceError
from dlcli.events import Reporter, Said, StageEnded, StageStarted, Warned

if TYPE_CHECKING:
    from dlcli.artifact import Artifact
    from dlcli.runtime.classifier import Classifier

AUTO, LITERT, KERAS = "auto", "litert", "keras"
_LIBRARY = "ai_edge_litert"


def open_with(engine: str, artifact: Artifact, reporter: Reporter) -> Classifier:
    """A classifier on the engine called so; `auto` is LiteRT where it is installed.

    Raises:
        DataError: if a file of the artefact is damaged.
        ResourceError: if LiteRT is asked for and not installed, or Keras and the weights of the
            backbone are missing.
    """
    from dlcli.runtime.classifier import open_classifier

    if engine == KERAS:
        return _on_keras(artifact, reporter)
    try:
        return open_classifier(artifact)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != _LIBRARY:
            raise
        if engine == LITERT:
            raise ResourceError(
                "LiteRT is not installed.",
                where="--engine litert",
                fix="Install ai-edge-litert, or use --engine keras.",
            ) from error
    reporter.report(Said("LiteRT is not installed: Keras runs the network, more slowly"))
    return _on_keras(artifact, reporter)


def start_keras(artifact: Artifact, reporter: Reporter) -> None:
    """Loads Keras, and says where its numbers cannot be those of the run."""
    body = artifact.model.body
    if body != "float32":
        reporter.report(
            Warned(f"Keras counts in float32, this run in {body}: their numbers differ somewhat")
        )
    stage = "starting Keras"
    reporter.report(StageStarted(stage))
    from dlcli import backend

    backend.prepare(device="cpu")
    reporter.report(StageEnded(stage))


def _on_keras(artifact: Artifact, reporter: Reporter) -> Classifier:
    from dlcli.artifact import HEAD
    from dlcli.runtime.classifier import open_classifier
    from dlcli.runtime.head import load_head

    start_keras(artifact, reporter)
    from dlcli.models.keras_body import KerasBody

    return open_classifier(artifact, KerasBody(artifact, load_head(artifact.file(HEAD))))
