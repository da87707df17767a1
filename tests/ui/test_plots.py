"""Plots that stand in a page: small, without addresses, in its colours and letters."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dlcli.commands.page_facts import Epoch
from dlcli.metrics.reliability import ReliabilityBin
from dlcli.ui.plots import MOST_POINTS, Quantity, curves, reliability, stages_of
from tests.conftest import ROOT
from tests.ui.reports import EPOCHS

BINS = (
    ReliabilityBin(0.4, 0.5, 3, 0.45, 1 / 3, (0.06, 0.79)),
    ReliabilityBin(0.9, 1.0, 90, 0.97, 0.95, (0.9, 0.98)),
)


def points_of(svg: str) -> list[int]:
    """The number of points of each drawn line."""
    paths = re.findall(r'<path d="([^"]*)" clip-path', svg)
    return [len(re.findall("[ML] ", path)) for path in paths]


@pytest.mark.parametrize("quantity", ["accuracy", "loss"])
def test_curves_stand_in_a_page(quantity: Quantity) -> None:
    svg = curves(EPOCHS, quantity, "words")
    assert svg.startswith(f'<svg class="plot {quantity}" role="img" aria-label="words" viewBox=')
    assert svg.rstrip().endswith("</svg>")
    for foreign in ("http", "<style", "<metadata", "xmlns", "DejaVu", "#0101", "font-family"):
        assert foreign not in svg
    assert set(re.findall(r"var\(--(\w+)\)", svg)) == {"ink", "faint", "line", "bar", "other"}


def test_words_are_escaped() -> None:
    assert 'aria-label="&lt;b&gt;&quot;&amp;"' in curves(EPOCHS, "loss", '<b>"&')


def test_every_id_is_referred_to_and_no_two_plots_share_one() -> None:
    plots = [
        curves(EPOCHS, "accuracy", ""),
        curves(EPOCHS, "loss", ""),
        reliability(BINS, ""),
    ]
    ids = [one for svg in plots for one in re.findall(r'\bid="([^"]*)"', svg)]
    assert len(ids) > 6
    assert len(ids) == len(set(ids))
    for svg in plots:
        own = set(re.findall(r'\bid="([^"]*)"', svg))
        assert own == set(re.findall(r"#([\w.-]+)", svg))


def test_a_plot_is_the_same_each_time() -> None:
    assert curves(EPOCHS, "loss", "") == curves(EPOCHS, "loss", "")


def test_stages_are_numbered_where_there_are_several() -> None:
    assert [(start, len(rows)) for start, rows in stages_of(EPOCHS)] == [(1, 1), (2, 3)]
    # Beside the numbers of the axis, 1 to 4, those of the two stages.
    numbers = re.findall(r">(\d)</text>", curves(EPOCHS, "accuracy", ""))
    alone = re.findall(r">(\d)</text>", curves(EPOCHS[1:], "accuracy", ""))
    assert (numbers.count("1"), numbers.count("2")) == (2, 2)
    assert (alone.count("1"), alone.count("2")) == (1, 1)


def test_train_is_dashed_and_val_is_not() -> None:
    """Colour alone would not tell them apart."""
    dashed = re.findall(r'style="[^"]*stroke-dasharray[^"]*"', curves(EPOCHS[1:], "loss", ""))
    assert [("--other" in style, "--bar" in style) for style in dashed] == [(True, False)]


def test_a_star_marks_what_is_kept() -> None:
    assert curves(EPOCHS, "loss", "").count("var(--ink)") > 0
    none_kept = [Epoch("all", 1.0, 0.5, 1.0, 0.5, kept=False)] * 3
    assert curves(none_kept, "loss", "").count("var(--ink)") == 0


def test_a_long_training_is_thinned_out() -> None:
    many = [Epoch("all", 1 / n, 0.5, (n % 7) / n, 0.5, n == 5) for n in range(1, 30_000)]
    svg = curves(many, "loss", "")
    assert max(points_of(svg)) <= MOST_POINTS + 1
    assert len(svg) < 60_000


def test_reliability() -> None:
    svg = reliability(BINS, "words")
    assert 'class="plot reliability" role="img" aria-label="words"' in svg
    assert "probability it gave its answer" in svg
    assert "stroke-dasharray" in svg


def test_settings_of_the_user_change_nothing(tmp_path: Path) -> None:
    """matplotlib reads a file of that name from the working directory."""
    script = (
        "from tests.ui.test_plots import *\n"
        "from dlcli.ui.plots import load\n"
        "from pathlib import Path\n"
        "load(Path('config'))\n"
        "print(curves(EPOCHS, 'accuracy', 'words'))"
    )
    drawn = []
    for folder in (tmp_path / "plain", tmp_path / "own"):
        folder.mkdir()
        if folder.name == "own":
            settings = "axes.facecolor: red\nfont.size: 30\nsvg.fonttype: path\nno.key: 1\n"
            (folder / "matplotlibrc").write_text(settings)
        done = subprocess.run(
            [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{script}"],
            cwd=folder, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stderr == ""
        assert [path.name for path in (folder / "config").iterdir()] != []
        drawn.append(done.stdout)
    assert drawn[0] == drawn[1]
    assert "<svg" in drawn[0]
