"""Gates as JUnit XML."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np

from dlcli.commands.evaluate import EvaluateResult
from dlcli.metrics.gates import judge, read_bounds
from dlcli.metrics.report import make_report
from dlcli.ui.junit import junit_text

ODD = '<b>&"]]>\x00\x1b\udcff\n大'


def result_of(*minima: str, source: str = "s") -> EvaluateResult:
    report = make_report(np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([0, 1]), ["cat", ODD])
    return EvaluateResult("r", source, report, (), judge(read_bounds(minima, []), report))


def parse(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text.encode("utf-8"))  # noqa: S314 - it is our own


def test_a_case_a_gate() -> None:
    root = parse(junit_text(result_of("accuracy=0.5", "recall:cat=1", f"recall:{ODD}=0.5")))
    (suite,) = root
    assert root.tag == "testsuites"
    for counts in (root, suite):
        found = (counts.get("tests"), counts.get("failures"), counts.get("errors"))
        assert found == ("3", "1", "0")
    met, also_met, missed = suite.findall("testcase")
    assert (met.get("classname"), met.get("name")) == ("dlcli.evaluate", "accuracy >= 0.500")
    assert met.findtext("system-out") == "accuracy is 0.500 (1 of 2)"
    assert met.find("failure") is also_met.find("failure") is None
    failure = missed.find("failure")
    assert failure is not None
    assert failure.get("message", "").endswith(" is 0.000 (0 of 1)")


def test_it_is_well_formed_whatever_a_name_holds() -> None:
    text = junit_text(result_of(f"recall:{ODD}=0.5", source=ODD))
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites')
    properties = {one.get("name"): one.get("value") for one in parse(text).iter("property")}
    assert properties["source"] == '<b>&"]]>\\x00\\x1b\\udcff\n大'
    assert properties["run"] == "r"
    assert properties["accuracy"].startswith("0.500 right (1 of 2)")
