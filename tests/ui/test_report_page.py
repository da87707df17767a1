"""The page of a report: whole, self-contained, bounded, and plain where it must be."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from dlcli.commands.page_facts import (
    MOST_EXAMPLES,
    MOST_MISTAKES,
    MOST_PAIRS,
    Census,
    ClassCounts,
    Epoch,
    PageFacts,
    PairExamples,
    WrongAnswer,
)
from dlcli.commands.report_page import gather_facts
from dlcli.data.index import SkippedFile
from dlcli.metrics.agreement import agreement_of
from dlcli.metrics.classification import ConfusedPair
from dlcli.metrics.reliability import reliability_bins
from dlcli.metrics.report import make_report
from dlcli.ui.matrix_table import MOST_CLASSES as MOST_IN_MATRIX
from dlcli.ui.report_page import (
    MOST_CLASSES,
    MOST_COUNTED,
    MOST_SKIPPED,
    MOST_SPEC_LETTERS,
    report_page,
)
from tests.ui.pages import Page, read_page, require_alone
from tests.ui.reports import EPOCHS, FACTS, NAMES, huge

PERCENT = "\N{NO-BREAK SPACE}%"
ALONE = replace(
    FACTS,
    part=None,
    num_trained=None,
    skipped=(),
    census=None,
    epochs=(),
    spec=None,
    environment={},
)


def page_of(facts: PageFacts) -> Page:
    return read_page(whole_page() if facts is FACTS else report_page(facts))


@cache
def whole_page() -> str:
    return report_page(FACTS)


def answered(right: int, wrong: int, part: str | None = "test") -> PageFacts:
    """A run of two classes that took `wrong` cats for dogs, and was right on `right` dogs."""
    labels = np.array([1] * right + [0] * wrong)
    probabilities = np.tile(np.array([[0.1, 0.9]], np.float32), (right + wrong, 1))
    report = make_report(probabilities, labels, ("cat", "dog"))
    bins = reliability_bins(probabilities, labels)
    return replace(FACTS, part=part, report=report, bins=bins)


@pytest.mark.parametrize("facts", [FACTS, ALONE, replace(FACTS, epochs=EPOCHS[:1])])
def test_it_is_whole_and_stands_alone(facts: PageFacts) -> None:
    require_alone(report_page(facts))


def test_it_is_the_same_each_time() -> None:
    assert report_page(FACTS) == whole_page()


# --- the headline, and what stands beside it ---


@pytest.mark.parametrize(
    ("facts", "headline"),
    [
        (answered(110, 3), "Right on 110 of 113 pictures it had never seen: between 92 and 99 in"),
        (answered(110, 3, "val"), "Right on 110 of 113 pictures it was chosen by: between 92"),
        (answered(110, 3, None), "Right on 110 of 113 pictures: between 92 and 99 in 100."),
        (answered(1, 0), "Right on 1 of 1 picture it had never seen: between 21 and 100 in 100."),
        (answered(99_990, 10), "between 9,998 and 9,999 in 10,000."),
    ],
)
def test_headline(facts: PageFacts, headline: str) -> None:
    assert headline in page_of(facts).text


def test_of_other_pictures_it_is_said_whether_it_had_seen_them() -> None:
    facts = answered(110, 3, None)
    assert "113 pictures it had never seen" in page_of(replace(facts, num_trained=0)).text
    text = page_of(replace(facts, num_trained=12)).text
    assert "never seen" not in text
    assert "12 of them were trained on: the numbers flatter it." in text


def test_no_pictures() -> None:
    report = make_report(np.zeros((0, 2), np.float32), np.zeros(0, np.int64), ("cat", "dog"))
    text = page_of(replace(ALONE, report=report, bins=(), mistakes=(), confused=())).text
    assert "There was no picture to judge it by." in text
    assert "n/a" in text


def test_baseline_and_interval() -> None:
    text = page_of(answered(110, 3)).text
    assert (
        "Always guessing “dog” would be right on 110 of them, guessing at random on about 56."
        in text
    )
    assert f"95{PERCENT} interval 92.5{PERCENT} to 99.1{PERCENT}".replace("\xa0", " ") in text


@pytest.mark.parametrize(
    ("facts", "note"),
    [
        (answered(20, 3), "23 pictures are too few for a number to trust."),
        (answered(110, 3, "val"), "These pictures also chose the model: the numbers flatter it."),
        (
            replace(FACTS, census=replace(FACTS.census or Census((), ()), num_straddling=2)),
            "2 groups of pictures that belong together lie in more than one part",
        ),
    ],
)
def test_what_makes_the_numbers_worth_less_is_said(facts: PageFacts, note: str) -> None:
    assert note in page_of(facts).text
    assert note not in page_of(FACTS).text


def test_the_calibration_error_before_the_temperature() -> None:
    before = FACTS.report.calibration_error_before
    assert before is not None
    assert f", {before:.3f} before the temperature" in page_of(FACTS).text
    unknown = replace(FACTS.report, calibration_error_before=None)
    assert "before the temp" not in page_of(replace(FACTS, report=unknown)).text


def agreeing(val_right: int, val_wrong: int) -> PageFacts:
    """90 of 100 were right on test."""
    test = answered(90, 10)
    return replace(test, agreement=agreement_of(answered(val_right, val_wrong).report, test.report))


def test_what_val_had_stands_beside_it() -> None:
    text = page_of(agreeing(93, 7)).text
    assert "On val 93.0 % which chose the model: 3.0 points more; chance can explain that" in text
    assert "flattered" not in text
    assert "which chose the model: 1.0 points less; chance can" in page_of(agreeing(89, 11)).text
    assert "which chose the model: as on test" in page_of(agreeing(9, 1)).text
    assert "On val" not in page_of(replace(FACTS, agreement=None)).text


def test_that_val_flattered_is_a_note() -> None:
    text = page_of(agreeing(100, 0)).text
    assert "Val, which chose the model, flattered it: 100.0 % right there" in text
    assert "10.0 points more; more than chance explains" in text


def test_guessing_at_random_and_where_it_is_surest() -> None:
    text = page_of(answered(60, 40)).text
    assert "guessing at random on about 50." in text
    assert "Right where it is surest" in text
    assert "the surest probability from answers right 50 % 0.90 100 60.0 %" in text
    older = replace(FACTS.report, chance_baseline=None, risk_coverage=None)
    text = page_of(replace(FACTS, report=older)).text
    assert "at random" not in text
    assert "surest probability" not in text


# --- the training ---


def test_curves_have_words_and_a_table() -> None:
    content, page = whole_page(), page_of(FACTS)
    words = "Accuracy on val by epoch: 80.0 % in the first, 92.0 % in the last of 4; the weights of"
    assert f'aria-label="{words} epoch 3 are kept."'.replace(" %", PERCENT) in content
    assert "1. head 1 80.0 % 0.500" in page.text
    assert "2. last 2 blocks 3 93.0 % 0.300 ★ kept" in page.text


def test_every_plot_has_words_instead() -> None:
    plots = re.findall(r"<svg [^>]*>", whole_page())
    assert len(plots) == 3
    for plot in plots:
        assert 'role="img"' in plot
        assert len(plot.partition('aria-label="')[2]) > 60


def test_a_head_alone_has_no_curves() -> None:
    page = page_of(replace(FACTS, epochs=(Epoch("head", None, None, 0.5, 0.8, kept=True),)))
    assert "there are no epochs to draw" in page.text
    assert "head 1 80.0 % 0.500 ★ kept" in page.text
    assert page.tags.count("svg") == 1


# --- the parts ---


def test_a_small_matrix_is_whole() -> None:
    text = page_of(FACTS).text
    assert "are confused most, of" not in text
    assert "all others" not in text


def test_undefined_scores_are_said_to_be() -> None:
    """No cat was found, and nothing was called a cat."""
    text = page_of(answered(20, 3)).text
    assert "cat n/a 0.0 % 0.0 % 3" in text


def test_mistakes() -> None:
    text = page_of(FACTS).text
    assert "taken for dog (0.97) is cat (0.02) cat/a.jpg" in text
    assert "cannot be shown" in text
    wrong = FACTS.report.num_images - FACTS.report.num_correct
    assert f"{wrong} pictures were taken for another class; these are the 2 of which it was" in text


def test_no_mistakes() -> None:
    text = page_of(replace(answered(113, 0), mistakes=(), confused=())).text
    assert "every picture was taken for what it is" in text
    assert "Confused most often" not in text


def test_the_data_set() -> None:
    text = page_of(FACTS).text
    assert "651 pictures in 3 classes" in text
    assert "8 pictures belong to 3 groups" in text
    assert "each group lies in one part alone" in text
    assert "3 are copies, to the byte, of another" in text
    assert "lion 90 20 20 130" in text
    assert "all 451 100 100 651" in text
    assert "Not used: 1 file" in text
    assert "cat/broken.jpg truncated after 4,000 bytes" in text


def test_what_is_not_known_has_no_section() -> None:
    assert set(page_of(ALONE).ids) & {"training", "data", "spec"} == set()
    assert {"training", "data", "spec"} < set(page_of(FACTS).ids)


def test_bars_never_leave_their_track() -> None:
    widths = [float(width) for width in re.findall(r"width:([0-9.]+)%", whole_page())]
    assert len(widths) == 3 * 3 + 3
    assert max(widths) == 100
    assert min(widths) >= 0


# --- whatever names say, and whatever the size ---


def test_names_are_words() -> None:
    evil = "<script>alert('x')</script>&\"<img src=x onerror=alert(1)>"
    report = make_report(np.array([[0.2, 0.8], [0.3, 0.7]]), np.array([0, 1]), (evil, "b"))
    wrong = WrongAnswer(evil, evil, evil, 0.8, 0.2, None)
    facts = replace(
        FACTS,
        run=evil,
        source=evil,
        report=report,
        mistakes=(wrong,),
        confused=(PairExamples(ConfusedPair(evil, evil, 1), (wrong,)),),
        seen_as=evil,
        skipped=(SkippedFile(evil, evil),),
        census=Census((evil,), (ClassCounts(evil, (1,)),)),
        epochs=(*EPOCHS, Epoch(evil, 1.0, 1.0, 1.0, 1.0, kept=False)),
        spec=evil,
        environment={evil: evil},
    )
    page = page_of(facts)
    assert not set(page.tags) & {"script", "img"}
    assert page.handlers == []
    assert page.text.count("alert('x')") >= 14


def test_a_name_that_is_no_utf_8_can_be_written() -> None:
    wrong = WrongAnswer("a\udcff.png", "c\udcff", "d", 0.8, 0.2, None)
    facts = replace(
        FACTS,
        run="r\udcff",
        mistakes=(wrong,),
        skipped=(SkippedFile("b\udcff", "no"),),
        spec="folder: x\udcff",
        environment={"command": "\udcff"},
    )
    assert report_page(facts).encode("utf-8")


def test_a_page_does_not_grow_with_the_data_set(tmp_path: Path) -> None:
    answers, made_of = huge()
    facts = replace(
        gather_facts("r" * 5000, tmp_path, answers, made_of),
        epochs=tuple(Epoch("all", 1.0 / n, 0.5, 2.0 / n, 0.5, n == 9) for n in range(1, 20_000)),
        spec="layers: [relu]\n" * 10_000,
        environment={"command": "word " * 10_000},
    )
    content = report_page(facts)
    page = read_page(content)
    assert len(content.encode()) < 3_000_000
    assert len(page.sources) == MOST_MISTAKES + MOST_PAIRS * MOST_EXAMPLES
    assert "5,000 pictures were taken for another class; these are the 24 of which" in page.text
    shown = re.findall(r"These are the (\d+) classes that are confused most, of 1,000", page.text)
    assert [MOST_IN_MATRIX / 2 < int(number) <= MOST_IN_MATRIX for number in shown] == [True]
    assert f"These are the {MOST_CLASSES} with the lowest F1 of 1,000" in page.text
    assert f"the {MOST_COUNTED} largest of 1,000 classes" in page.text
    assert f"and {20_000 - MOST_SKIPPED:,} more" in page.text
    assert f"# and {10_000 * 15 - MOST_SPEC_LETTERS:,} letters more" in page.text


def test_class_names_are_in_the_tables() -> None:
    text = page_of(FACTS).text
    assert all(text.count(name) >= 4 for name in NAMES)
