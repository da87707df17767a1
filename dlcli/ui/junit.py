"""The gates of an evaluation as JUnit XML, which CI servers show."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from dlcli.ui.report_lines import gate_numbers, headline

if TYPE_CHECKING:
    from dlcli.commands.evaluate import EvaluateResult

_FOREIGN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped."""


def junit_text(result: EvaluateResult) -> str:
    """A test case a gate, failed where it is not met; the headline as a property."""
    missed = sum(not gate.passed for gate in result.gates)
    counts = {"tests": str(len(result.gates)), "failures": str(missed), "errors": "0"}
    root = Element("testsuites", counts)
    suite = SubElement(root, "testsuite", {"name": "dlcli evaluate", **counts, "skipped": "0"})
    properties = SubElement(suite, "properties")
    told = {"run": result.run, "source": result.source, "accuracy": headline(result.report)}
    for name, value in told.items():
        SubElement(properties, "property", {"name": name, "value": _clean(value)})
    for gate in result.gates:
        value, sign, bound = gate_numbers(gate)
        name = _clean(f"{gate.metric} {sign} {bound}")
        case = SubElement(suite, "testcase", {"classname": "dlcli.evaluate", "name": name})
        found = _clean(f"{gate.metric} is {value}" + (f" ({gate.detail})" if gate.detail else ""))
        if gate.passed:
            SubElement(case, "system-out").text = found
        else:
            failure = SubElement(case, "failure", {"message": found, "type": "gate"})
            failure.text = f"{found}; {sign} {bound} is asked for."
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _clean(text: str) -> str:
    return _FOREIGN.sub(lambda found: repr(found[0])[1:-1], text)
