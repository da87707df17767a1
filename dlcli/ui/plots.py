"""Plots as SVG to stand in a page: words in the page's own letters, colours in its light or dark.

matplotlib is imported here alone and when a plot is drawn; `load` may do it ahead of time.
"""

from __future__ import annotations

import io
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dlcli.commands.page_facts import Epoch
    from dlcli.metrics.reliability import ReliabilityBin

Quantity = Literal["accuracy", "loss"]

MOST_POINTS = 400
"""Of a curve: more cannot be told apart."""

INK, FAINT, LINE, BAR, OTHER = "#010101", "#010102", "#010103", "#010104", "#010105"
"""Stand for the colours of the page's style, which take their place in the SVG."""

_VARIABLES = {INK: "ink", FAINT: "faint", LINE: "line", BAR: "bar", OTHER: "other"}
_TRAIN: Mapping[str, Any] = {"color": OTHER, "ls": (0, (4, 2)), "marker": "s"}
_VAL: Mapping[str, Any] = {"color": BAR, "ls": "-", "marker": "o"}
_WIDTH, _HEIGHT = 5.0, 3.1
_MANY_POINTS = 60


def load(config_folder: Path | None = None) -> None:
    """Imports matplotlib, which takes about a second. It would look through all fonts of the
    machine first, in a folder of the user's: its own are enough, and it keeps what it knows of
    them in `config_folder`."""
    if config_folder is not None:
        os.environ["MPLCONFIGDIR"] = str(config_folder)
    os.environ["MPL_IGNORE_SYSTEM_FONTS"] = "1"
    # It talks of its cache, and of settings files that happen to lie in the working directory.
    logging.getLogger("matplotlib").setLevel(logging.CRITICAL)
    import matplotlib.backends.backend_svg
    import matplotlib.figure  # noqa: F401


def curves(epochs: Sequence[Epoch], quantity: Quantity, words: str) -> Markup:
    """Accuracy or loss by epoch on train (dashed) and val, one curve a stage, each stage with its
    number above; a star where the weights come from. `words` say the same without the picture."""
    from matplotlib.ticker import MaxNLocator

    with _figure(quantity) as figure:
        axes = figure.add_axes((0.12, 0.16, 0.85, 0.74))
        _style(axes)
        stages = stages_of(epochs)
        for number, (start, rows) in enumerate(stages, 1):
            _draw_curve(axes, start, [_values(row, quantity)[0] for row in rows], _TRAIN)
            _draw_curve(axes, start, [_values(row, quantity)[1] for row in rows], _VAL)
            if len(stages) > 1:
                _number_stage(axes, number, start, len(rows))
        for at, row in enumerate(epochs, 1):
            if row.kept:
                axes.plot(at, _values(row, quantity)[1], "*", color=INK, ms=11, zorder=4)
        axes.set_xlim(0.5, len(epochs) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(9, integer=True, steps=[1, 2, 5, 10]))
        axes.set_xlabel("epoch")
        axes.set_ylabel("right, of 100" if quantity == "accuracy" else "loss")
        return _svg(figure, quantity, words)


def reliability(bins: Sequence[ReliabilityBin], words: str) -> Markup:
    """How often answers of each confidence are right, with 95 % intervals, beside the diagonal on
    which they would be if probabilities meant what they say; below, how many answers there are."""
    with _figure("reliability") as figure:
        axes = figure.add_axes((0.12, 0.38, 0.85, 0.58))
        below = figure.add_axes((0.12, 0.16, 0.85, 0.18), sharex=axes)
        for own in (axes, below):
            _style(own)
        axes.plot([0, 100], [0, 100], color=FAINT, ls=(0, (1, 2)), lw=1.2)
        for one in bins:
            low, high = one.accuracy_interval
            at = 100 * one.confidence
            axes.plot([at, at], [100 * low, 100 * high], color=FAINT, alpha=0.4, lw=3)
        points = [100 * one.confidence for one in bins], [100 * one.accuracy for one in bins]
        most = max(one.num_images for one in bins)
        sizes = [8 + 72 * one.num_images / most for one in bins]
        axes.plot(*points, color=BAR, lw=1)
        axes.scatter(*points, s=sizes, color=BAR, linewidths=0, zorder=3)
        below.bar(
            [100 * one.low for one in bins],
            [one.num_images for one in bins],
            [100 * (one.high - one.low) for one in bins],
            align="edge", color=BAR, linewidth=0,
        )  # fmt: skip
        axes.set_xlim(0, 100)
        axes.set_ylim(-2, 102)
        axes.tick_params(labelbottom=False)
        axes.set_ylabel("right, of 100")
        below.set_ylabel("answers")
        below.locator_params(axis="y", nbins=2, integer=True)
        below.set_xlabel("probability it gave its answer, of 100")
        return _svg(figure, "reliability", words)


@contextmanager
def _figure(name: str) -> Iterator[Figure]:
    """An empty figure under matplotlib's own settings, whatever the user's are."""
    load()
    import matplotlib
    from matplotlib.figure import Figure

    defaults = dict(matplotlib.rcParamsDefault)
    settings: dict[Any, Any] = {
        **{key: value for key, value in defaults.items() if key != "backend"},
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with matplotlib.rc_context(settings):
        yield Figure(figsize=(_WIDTH, _HEIGHT), facecolor="none")


def _style(axes: Axes) -> None:
    axes.set_facecolor("none")
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=LINE, lw=0.6)
    axes.tick_params(colors=FAINT, length=3)
    for spine in axes.spines.values():
        spine.set_color(LINE)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(FAINT)


def stages_of(epochs: Sequence[Epoch]) -> list[tuple[int, list[Epoch]]]:
    """The first epoch of each stage, counted from 1 over all of them, and its rows."""
    stages: list[tuple[int, list[Epoch]]] = []
    for at, row in enumerate(epochs, 1):
        if not stages or stages[-1][1][-1].stage != row.stage:
            stages.append((at, []))
        stages[-1][1].append(row)
    return stages


def _values(row: Epoch, quantity: Quantity) -> tuple[float | None, float]:
    """On train and on val; accuracies in percent."""
    if quantity == "loss":
        return row.loss, row.val_loss
    return None if row.accuracy is None else 100 * row.accuracy, 100 * row.val_accuracy


def _draw_curve(
    axes: Axes, start: int, values: Sequence[float | None], look: Mapping[str, Any]
) -> None:
    """Markers only where there are few points, or one."""
    points = [(start + at, value) for at, value in enumerate(values) if value is not None]
    step = -(-len(points) // MOST_POINTS) or 1
    shown = [*points[:-1:step], *points[-1:]]
    marker = look["marker"] if len(points) <= _MANY_POINTS else ""
    x, y = [at for at, _ in shown], [value for _, value in shown]
    axes.plot(x, y, **{**look, "marker": marker}, lw=1.6, ms=3.5)


def _number_stage(axes: Axes, number: int, start: int, length: int) -> None:
    """The number above the middle of a stage, and a line where it begins."""
    middle = start + (length - 1) / 2
    above = axes.get_xaxis_transform()
    axes.text(middle, 1.03, str(number), transform=above, ha="center", color=FAINT, fontsize=10)
    if start > 1:
        axes.axvline(start - 0.5, color=FAINT, lw=0.8, ls=(0, (1, 2)), zorder=1)


def _svg(figure: Figure, name: str, words: str) -> Markup:
    """The figure as an element of a page: without what names addresses, sizes and fonts, without
    ids that nothing refers to, which would not be unique there, and to a hundredth of a point."""
    from markupsafe import Markup

    file = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(file, format="svg", metadata=nothing)
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    box = re.search(r'viewBox="[^"]*"', svg)
    svg = svg[svg.index(">") + 1 :]
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r" font-family: [^;\"]*;", "", svg)
    referred = set(re.findall(r"#([\w.-]+)[\")]", svg))
    svg = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in referred else "", svg)
    for color, variable in _VARIABLES.items():
        svg = svg.replace(color, f"var(--{variable})")
    svg = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\.\d\d)\d+", r"\1", tag[0]), svg)
    svg = re.sub(r"\s*\n\s*", "\n", svg)
    opening = f'<svg class="plot {name}" role="img" aria-label="{escape(words)}"'
    return Markup(f"{opening} {box[0] if box else ''}>{svg}")  # noqa: S704 - escaped above
