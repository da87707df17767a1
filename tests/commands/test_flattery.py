"""A warning where val promised more than test keeps."""

from __future__ import annotations

import pytest

from dlcli.commands.flattery import tell_of_flattery
from dlcli.metrics.agreement import agreement_of
from tests.commands.test_evaluate import Heard
from tests.metrics.test_agreement import report_of


def test_it_names_both_numbers_and_the_interval() -> None:
    heard = Heard()
    tell_of_flattery(agreement_of(report_of(110, 112), report_of(100, 113)), heard)
    (said,) = heard.lines
    assert said.startswith("val flattered: 0.982 there, 0.885 on test.")
    assert "95 % interval 0.032 to 0.170" in said


@pytest.mark.parametrize(
    ("val", "test"), [((9, 10), (7, 10)), ((7, 10), (9, 10)), ((0, 0), (9, 10))]
)
def test_what_chance_can_explain_is_no_warning(val: tuple[int, int], test: tuple[int, int]) -> None:
    heard = Heard()
    tell_of_flattery(agreement_of(report_of(*val), report_of(*test)), heard)
    assert heard.lines == []
