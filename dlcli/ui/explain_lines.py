"""What `explain` found, as lines for a person and a document for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dlcli.ui.console import bold, dim, printable
from dlcli.ui.formats import opening

if TYPE_CHECKING:
    from dlcli.commands.explain import ExplainedImage
    from dlcli.commands.near_pictures import NearPicture

_KEYS = ("path", "label", "probability", "explained", "map", "layer", "nearest", "error")
_NUM_NAMED = 3


def explain_document(run: str, images: Sequence[ExplainedImage]) -> dict[str, Any]:
    """`explain --json`"""
    found = [asdict(image) for image in images]
    return {
        **opening("explain"),
        "run": run,
        "images": [{key: image[key] for key in _KEYS} for image in found],
    }


def explain_lines(image: ExplainedImage) -> Iterator[str]:
    """What the picture is taken for, where the map lies, and the nearest training pictures."""
    yield f" {bold(printable(image.path))}"
    if image.error is not None:
        yield f"   error: {printable(image.error)}"
        return
    unknown = " (unknown: unlike the pictures it was trained on)" if image.unknown else ""
    yield f"   {_said(image.label, image.probability)}{unknown}"
    if image.map is not None:
        asked = "" if image.explained == image.label else f", asked about {_explained(image)}"
        nothing = "" if image.is_for else "; nothing in it speaks for that"
        yield f"   map      {printable(image.map)}{asked}{nothing}"
    for number, one in enumerate((image.nearest or ())[:_NUM_NAMED]):
        yield f"   {'nearest' if number == 0 else '':<8} {_near(one)}"


def _explained(image: ExplainedImage) -> str:
    return _said(image.explained, image.explained_probability)


def _said(label: str | None, probability: float | None) -> str:
    return f"{printable(label or '')} {probability or 0.0:.2f}"


def _near(one: NearPicture) -> str:
    return f"{one.similarity:.2f}  {printable(one.label)}  {dim(printable(one.path))}"
