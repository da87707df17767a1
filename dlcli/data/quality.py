"""A data set on the doctor's couch: everything that may be wrong with it, the gravest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dlcli.data.class_rules import class_findings
from dlcli.data.copies import copy_findings, find_copies
from dlcli.data.findings import FROM_A_RUN, KINDS, Finding
from dlcli.data.index import DatasetIndex
from dlcli.data.inspection import Inspection
from dlcli.data.picture_rules import picture_findings


@dataclass(frozen=True)
class Diagnosis:
    """What was found, and the classes so uniform that looks were left out of account in them."""

    findings: tuple[Finding, ...]
    uniform_classes: tuple[str, ...]


def diagnose(index: DatasetIndex, inspection: Inspection) -> Diagnosis:
    """All findings but those that need a trained model. The same pictures give the same findings in
    the same order, however many threads read them."""
    copies = find_copies(index, inspection)
    paths = [file.path for file in index.files]
    found = [
        *copy_findings(index, inspection, copies),
        *picture_findings(paths, inspection),
        *class_findings(index, inspection),
    ]
    return Diagnosis(sort_findings(found), copies.uniform_classes)


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """By gravity, then by path; what a run found stays in its order, the worst first."""
    rank = {kind: number for number, kind in enumerate(KINDS)}

    def place(finding: Finding) -> tuple[int, tuple[str, ...], str]:
        by_path = () if finding.kind in FROM_A_RUN else finding.paths
        detail = "" if finding.kind in FROM_A_RUN else finding.detail
        return rank[finding.kind], by_path, detail

    return tuple(sorted(findings, key=place))


def left_out(findings: Sequence[Finding]) -> tuple[str, ...]:
    """The pictures that would have to be left out to mend all that leaving out can mend, sorted."""
    return tuple(sorted({path for finding in findings for path in finding.exclude}))
