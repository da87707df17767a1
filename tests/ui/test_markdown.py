"""An evaluation as Markdown."""

from __future__ import annotations

import re

import numpy as np
import pytest

from dlcli.commands.evaluate import EvaluateResult
from dlcli.data.index import SkippedFile
from dlcli.metrics.agreement import agreement_of
from dlcli.metrics.gates import judge, read_bounds
from dlcli.metrics.paired import compare_answers
from dlcli.ui.markdown import markdown_text
from tests.ui.test_report_lines import report_on

ODD = "a|b`c` <script> **@team** [x](y) #1 _z_\n\x1b"


def test_the_summary_of_a_pull_request() -> None:
    report = report_on([[9, 1], [2, 8]], ["cat", "dog"])
    right = np.array([True] * 9 + [False])
    text = markdown_text(
        EvaluateResult(
            "runs/a-2",
            "test of /pics",
            report,
            (SkippedFile("x", "truncated"),),
            judge(read_bounds(["accuracy=0.8", "recall:dog=0.9"], []), report),
            compare_answers("runs/a-2", "runs/a-1", ["cat"] * 10, right, ~right),
            agreement_of(report, report),
        )
    )
    lines = text.splitlines()
    assert lines[0] == (
        "### 1 of 2 gates not met: 0.850 right (17 of 20), 95 % interval 0.640 to 0.948."
    )
    assert "<code>runs/a-2</code> on <code>test of /pics</code>" in lines
    assert "| <code>accuracy</code> | 0.850 (17 of 20) | &#62;= 0.800 | passed |" in lines
    assert "| <code>recall:dog</code> | 0.800 (8 of 10) | &#62;= 0.900 | **not met** |" in lines
    assert "| <code>dog</code> | 0.889 | 0.800 | 0.842 | 10 |" in lines
    assert any(line.startswith("runs/a-2 against runs/a-1 on the same 10") for line in lines)
    assert "Val, which chose the model, had 0.850 as well." in lines
    assert "Pictures that could not be used: 1." in lines
    assert text.endswith("\n")


@pytest.mark.parametrize(("minima", "title"), [([], "### 0.850"), (["ece=0"], "### Gates passed")])
def test_the_title_says_what_there_is_to_say(minima: list[str], title: str) -> None:
    report = report_on([[9, 1], [2, 8]])
    result = EvaluateResult("r", "s", report, (), judge(read_bounds(minima, []), report))
    assert markdown_text(result).startswith(title)


def test_a_name_cannot_be_markup() -> None:
    report = report_on([[9, 1], [2, 8]], ["cat", ODD])
    gates = judge(read_bounds([f"recall:{ODD}=0.5"], []), report)
    text = markdown_text(EvaluateResult(ODD, ODD, report, (), gates))
    names = re.findall(r"<code>(.*?)</code>", text)
    odd = [name for name in names if "script" in name]
    assert len(odd) >= 5
    for name in odd:
        assert not set(re.sub(r"&#\d+;", "", name)) & set("|`<>*@[]#_\n\x1b")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {3, 5, 6}


def test_of_many_classes_the_worst_are_shown() -> None:
    matrix = np.diag([10] * 200)
    text = markdown_text(EvaluateResult("r", "s", report_on(matrix.tolist()), ()))
    assert "<summary>The 10 worst of 200</summary>" in text
    assert text.count("| <code>c") == 10
