"""Runs side by side, as text and as JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dlcli.commands.compare import CompareResult, RunReport, Setting
from dlcli.data.index import SkippedFile
from dlcli.metrics.paired import adjusted, compare_answers
from dlcli.ui import formats
from dlcli.ui.columns import MOST_COLUMNS, width_of
from dlcli.ui.compare_lines import compare_document, compare_lines
from tests.ui.test_formats import OPENING, check_report_keys
from tests.ui.test_report_lines import report_on

pytestmark = pytest.mark.usefixtures("plain")


def result_of(num_others: int = 1, num_classes: int = 2) -> CompareResult:
    """Runs a-1, a-2, ...: the first is right on all, each other wrong on one picture a class."""
    names = [f"class {number:02}" for number in range(num_classes)] * 5
    right = np.ones(len(names), bool)
    other = right.copy()
    other[:num_classes] = False
    report = report_on([[9, 1], [2, 8]])
    runs = [f"runs/a-{number + 1}" for number in range(num_others + 1)]
    return CompareResult(
        "test of /pics",
        len(names),
        tuple(RunReport(name, report) for name in runs),
        adjusted([compare_answers(name, runs[0], names, other, right) for name in runs[1:]]),
        (Setting("train.epochs", (30, None)), Setting("model.layers", ([{"relu": 1}] * 99, []))),
        (SkippedFile("x", "truncated"),),
    )


def test_two_runs() -> None:
    lines = list(compare_lines(result_of()))
    assert lines == [
        " 10 pictures, test of /pics",
        "   run       accuracy  95 % interval   balanced  log loss  cal. error",
        "   runs/a-1     0.850  0.640 to 0.948     0.850     0.493       0.100",
        "   runs/a-2     0.850  0.640 to 0.948     0.850     0.493       0.100",
        "",
        " runs/a-2 against runs/a-1 on the same 10 pictures: 0.800 and 1.000 (-0.200).",
        " Right where the other is wrong: runs/a-2 0 times, runs/a-1 2 times. Chance can",
        "   explain that (McNemar's exact test, p = 0.5).",
        "   class     pictures  gained  lost",
        "   class 00         5       0     1",
        "   class 01         5       0     1",
        "",
        " What their specs do not have in common, in the order of the runs:",
        "   train.epochs: 30 | (not set)",
        '   model.layers: [{"relu": 1}, {"relu…": 1}, {"relu": 1}] | []',
    ]


def test_more_runs_say_that_their_p_values_are_corrected() -> None:
    lines = list(compare_lines(result_of(3)))
    assert " These values of p are corrected for 3 comparisons (Holm)." in lines
    assert sum(" against runs/a-1 on" in line for line in lines) == 3


def test_of_many_classes_those_that_change_most_are_shown() -> None:
    lines = list(compare_lines(result_of(num_classes=40)))
    assert "   the 10 that change most of 40; all of them: --json" in lines
    assert max(map(width_of, lines)) <= MOST_COLUMNS


def test_the_same_specs_and_no_specs() -> None:
    same = CompareResult(**{**vars(result_of()), "settings": ()})
    assert list(compare_lines(same))[-1] == " Their specs are the same."
    none = CompareResult(**{**vars(result_of()), "settings": None})
    assert "spec" not in " ".join(compare_lines(none))
    assert compare_document(none)["settings"] is None


def test_the_keys_of_compare_are_frozen() -> None:
    document = json.loads(formats.dump_json(compare_document(result_of())))
    keys = {"source", "num_images", "runs", "comparisons", "settings", "skipped"}
    assert set(document) == OPENING | keys
    assert (document["command"], document["num_images"]) == ("compare", 10)
    assert [set(one) for one in document["runs"]] == [{"run", "report"}] * 2
    check_report_keys(document["runs"][0]["report"])
    (comparison,) = document["comparisons"]
    assert (comparison["run"], comparison["baseline"]) == ("runs/a-2", "runs/a-1")
    assert comparison["classes"][0] == {"name": "class 00", "support": 5, "gained": 0, "lost": 1}
    assert document["settings"][0] == {"key": "train.epochs", "values": [30, None]}
    assert document["skipped"] == [{"path": "x", "reason": "truncated"}]
