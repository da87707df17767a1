"""Rows by numbers worked by hand."""

from __future__ import annotations

import json

import pytest

from tests.benchmarks.row import Row, against, alone, said, sides, written


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.2844, "0.284"),
        (0.0454, "0.045"),
        (2.0999, "2.10"),
        (12.34, "12.3"),
        (99.96, "100"),
        (318.4, "318"),
        (1863.2, "1,863"),
        (1e6, "1,000,000"),
        (0, "0"),
        (9, "9"),
        (1.23e-5, "1.2e-05"),
        (-0.5, "-0.500"),
    ],
)
def test_the_digits_come_from_the_size_of_the_number(number: float, text: str) -> None:
    assert written(number) == text


def test_alone_gives_the_median_and_the_extremes() -> None:
    row = alone("start", [0.33, 0.25, 0.28], "s", asked="<= 0.30 s", data="a photo")
    assert row.measured == "0.280 s (0.250-0.330, 3 repeats)"
    assert row.to_json() == {
        "what": "start",
        "asked": "<= 0.30 s",
        "measured": "0.280 s (0.250-0.330, 3 repeats)",
        "data": "a photo",
        "unit": "s",
        "median": 0.28,
        "low": 0.25,
        "high": 0.33,
        "repeats": 3,
        "values": [0.33, 0.25, 0.28],
    }


def test_the_median_of_an_even_number_lies_between_two() -> None:
    assert alone("start", [1.5, 4.5, 2.5, 3.0], "s").to_json()["median"] == 2.75


def test_a_single_value_has_no_extremes_and_no_unit_no_space() -> None:
    assert alone("start", [0.284], "s").measured == "0.284 s"
    assert alone("difference", [2e-6], "").measured == "2.0e-06"
    assert "unit" not in alone("difference", [2e-6], "").to_json()


def test_against_gives_the_ratio_of_the_medians_and_the_extremes_of_the_pairs() -> None:
    row = against("fit", [300, 330, 318], [150, 140.5, 160], "pictures/s", asked=">= 2x")
    assert row.measured == "2.12x (1.99-2.35): 318 pictures/s (300-330) against 150 (140-160)"
    found = row.to_json()
    assert found["ratio"] == 2.12
    assert found["ratio_low"] == 318 / 160
    assert found["ratio_high"] == 330 / 140.5
    assert found["baseline"] == {
        "median": 150,
        "low": 140.5,
        "high": 160,
        "repeats": 3,
        "values": [150, 140.5, 160],
    }


def test_faster_says_how_many_times_as_fast_and_keeps_the_ratio_of_the_values() -> None:
    row = against("predict", [2.0, 4.0], [6.0, 8.0], "s", faster=True)
    assert row.measured == "2.33x (2-3): 3 s (2-4) against 7 (6-8)"
    assert row.to_json()["ratio"] == pytest.approx(3 / 7)
    assert row.to_json()["ratio_low"] == pytest.approx(1 / 3)
    assert row.to_json()["ratio_high"] == 0.5


def test_sides_of_different_length_have_no_pairs() -> None:
    row = against("predict", [2.5, 3.5, 4.5], [7.0], "s")
    assert row.measured == "0.500x: 3.50 s (2.50-4.50) against 7"
    assert row.to_json()["ratio"] == 0.5
    assert not {"ratio_low", "ratio_high"} & set(row.to_json())


def test_what_is_no_number_has_only_texts() -> None:
    assert said("its frameworks", "none").to_json() == {
        "what": "its frameworks",
        "measured": "none",
    }


def test_a_text_of_its_own_keeps_its_numbers_even_zero() -> None:
    row = Row("found", "0 (and 3 others)", ">= 8", "10 photos", "photos", (0,))
    assert row.to_json()["measured"] == "0 (and 3 others)"
    assert row.to_json()["median"] == 0
    assert row.to_json()["unit"] == "photos"


def test_sides_name_the_unit_once() -> None:
    assert sides([1.5, 2.5], [12.34], "MB") == "2 MB (1.50-2.50) against 12.3"


def test_a_row_is_json() -> None:
    text = json.dumps(against("fit", (1.0, 2.0), (3.0, 4.0), "s").to_json(), allow_nan=False)
    assert json.loads(text)["values"] == [1.0, 2.0]
