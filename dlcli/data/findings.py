"""What may be wrong with a data set."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = (
    "leak",
    "label_conflict",
    "corrupt",
    "unlikely_label",
    "duplicate",
    "near_duplicate",
    "empty_class",
    "small_class",
    "imbalance",
    "blank",
    "tiny",
    "dark",
    "blurred",
    "outlier",
    "wrong_suffix",
    "odd_mode",
    "multi_frame",
    "turned",
)
"""Every kind of finding, the gravest first: the order in which they are listed."""

FROM_A_RUN = frozenset(("unlikely_label", "outlier"))
"""The kinds that only a trained model can find."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found: `paths` are the pictures concerned (relative to the data set's
    folder), `detail` says it in a plain sentence, `exclude` are those of them that would have to be
    left out to mend it, `classes` the names of the classes that it is about."""

    kind: str
    paths: tuple[str, ...]
    detail: str
    exclude: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
