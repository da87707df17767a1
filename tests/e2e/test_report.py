"""The page of a report as a user gets it: from train, from evaluate, in a browser."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlcli.ui.report_page import report_page
from tests.browser import Browser, browser
from tests.conftest import Command
from tests.e2e.test_bad_input import one_sentence
from tests.ui.checked import DIRTY
from tests.ui.pages import require_alone
from tests.ui.reports import FACTS

NO_SCREEN = {
    name: value
    for name, value in os.environ.items()
    if name not in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
}


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def read(folder: Path, name: str = "report.html") -> str:
    return (folder / name).read_text(encoding="utf-8")


def test_train_leaves_a_page(trained_run: Path) -> None:
    content = read(trained_run)
    require_alone(content)
    report = json.loads(read(trained_run, "metrics.json"))["test"]
    right = sum(row[label] for label, row in enumerate(report["confusion_matrix"]))
    assert f"Right on {right} of {report['num_images']} pictures it had never seen" in content
    assert "  seed: 0" in content
    assert "cat" in content
    about = json.loads(read(trained_run, "run.json"))
    assert about["status"] == "completed"
    assert about["seconds"]["report"] > 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("which", ["a run", "by hand", "a check"])
def test_in_a_browser(
    which: str, width: int, scheme: str, trained_run: Path, tmp_path: Path, chromium: Browser
) -> None:
    """It asks for nothing, complains of nothing, and fits into the window."""
    from dlcli.ui.check_page import check_page

    page = trained_run / "report.html"
    if which != "a run":
        page = tmp_path / "page.html"
        content = report_page(FACTS) if which == "by hand" else check_page(DIRTY)
        page.write_text(content, encoding="utf-8")
    seen = chromium.look(page, width, scheme=scheme)
    assert seen.complaints == []
    assert seen.requests == []
    assert seen.width == width
    assert seen.height > 1500
    ground = chromium.value("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 27)"}[scheme]
    if which == "by hand":
        assert "Right on" in seen.text
        loaded = "[...document.images].map(image => image.complete && image.naturalWidth)"
        assert chromium.value(loaded) == [160, 160]
        ink = "getComputedStyle(document.querySelector('.accuracy text')).fill"
        assert chromium.value(ink) != chromium.value("getComputedStyle(document.body).color")


def test_the_browser_of_these_tests_hears_and_sees(tmp_path: Path, chromium: Browser) -> None:
    """Of a page that does all that ours must not do."""
    page = tmp_path / "bad.html"
    page.write_text(
        "<body style='margin:0'><div style='width:2000px'>x</div>"
        f"<img src='{(tmp_path / 'none.png').as_uri()}'><script>console.log('said'); nothing()"
        "</script>"
    )
    seen = chromium.look(page, 390)
    assert seen.width == 2000
    assert seen.requests == [(tmp_path / "none.png").as_uri()]
    assert len(seen.complaints) >= 2


def test_it_can_be_printed_though_the_screen_is_dark(tmp_path: Path, chromium: Browser) -> None:
    page = tmp_path / "page.html"
    page.write_text(report_page(FACTS), encoding="utf-8")
    chromium.look(page, 1280, scheme="dark")
    chromium.ask("Emulation.setEmulatedMedia", media="print")
    assert chromium.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert chromium.value("getComputedStyle(document.querySelector('.contents')).display") == "none"
    assert chromium.pdf().startswith(b"%PDF")


def test_evaluate_writes_the_page_that_train_wrote(
    trained_run: Path, tmp_path: Path, dlcli: Command
) -> None:
    """But for the last digits of probabilities: train keeps its features as float16."""
    page = tmp_path / "r.html"
    done = dlcli("evaluate", "--run", trained_run, "--report", page, "--json")
    assert done.returncode == 0, done.stderr
    assert f" page: {page}" in done.stderr
    assert json.loads(done.stdout)["report"]["num_images"] > 0
    before, after = read(trained_run), page.read_text(encoding="utf-8")
    for start, end in (
        ('<p class="headline">', '<dl class="numbers">'),
        ('id="training"', 'id="calibration"'),
        ('id="data"', 'id="environment"'),
    ):
        assert len(part_of(before, start, end)) > 200
        assert part_of(before, start, end) == part_of(after, start, end)


def part_of(content: str, start: str, end: str) -> str:
    return content.partition(start)[2].partition(end)[0]


def test_other_pictures(trained_run: Path, animals: Path, tmp_path: Path, dlcli: Command) -> None:
    """Of which most were trained on."""
    page = tmp_path / "r.html"
    done = dlcli("evaluate", animals, "--run", trained_run, "--report", page, "--quiet")
    assert done.returncode == 0, done.stderr
    assert "page:" not in done.stderr
    content = page.read_text(encoding="utf-8")
    require_alone(content)
    assert "of 150 pictures: between" in content
    assert "of them were trained on" in content


def test_an_artefact_alone(
    trained_run: Path, animals: Path, tmp_path: Path, dlcli: Command
) -> None:
    alone = shutil.copytree(trained_run / "model", tmp_path / "alone")
    page = tmp_path / "r.html"
    done = dlcli("evaluate", animals, "--run", alone, "--report", page)
    assert done.returncode == 0, done.stderr
    content = page.read_text(encoding="utf-8")
    assert "<h1>alone</h1>" in content
    assert 'id="training"' not in content
    assert "it had never seen" not in content


def test_a_file_that_is_there_is_kept(trained_run: Path, tmp_path: Path, dlcli: Command) -> None:
    page = tmp_path / "r.html"
    page.write_text("mine")
    refused = dlcli("evaluate", "--run", trained_run, "--report", page)
    one_sentence(refused, 2, "this file is there already", "--force")
    assert page.read_text() == "mine"
    assert dlcli("evaluate", "--run", trained_run, "--report", page, "--force").returncode == 0
    assert "<!doctype html>" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("inside", ["", "cat"])
def test_never_among_the_pictures(
    inside: str, trained_run: Path, animals: Path, dlcli: Command
) -> None:
    page = animals / inside / "r.html"
    for target in ((), (animals,)):
        refused = dlcli("evaluate", *target, "--run", trained_run, "--report", page)
        one_sentence(refused, 2, "would lie among the pictures")
        assert not page.exists()


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there the system knows it")
def test_open(trained_run: Path, tmp_path: Path, dlcli: Command) -> None:
    """In the browser that $BROWSER names; without one, a sentence, and the page is there."""
    run = shutil.copytree(trained_run, tmp_path / "runs" / "one")
    program = tmp_path / "browse"
    program.write_text(f'#!/bin/sh\nprintf %s "$1" > {tmp_path}/asked\n')
    program.chmod(0o755)
    shown = dlcli("evaluate", "--run", run, "--open", env={**NO_SCREEN, "BROWSER": f"{program} %s"})
    assert shown.returncode == 0, shown.stderr
    assert (tmp_path / "asked").read_text() == (run / "evaluation.html").as_uri()
    require_alone(read(run, "evaluation.html"))
    again = dlcli("evaluate", "--run", run, "--open", "--json", env=NO_SCREEN)
    assert again.returncode == 0
    assert json.loads(again.stdout)["command"] == "evaluate"
    assert f"no browser here: open {run / 'evaluation.html'} in one" in again.stderr


def test_a_run_that_was_stopped_gets_its_page_when_it_goes_on(
    trained_run: Path, tmp_path: Path, dlcli: Command
) -> None:
    run = shutil.copytree(trained_run, tmp_path / "runs" / "one")
    about = json.loads(read(run, "run.json"))
    (run / "run.json").write_text(json.dumps({**about, "status": "running"}))
    (run / "report.html").unlink()
    done = dlcli("train", "--resume", "one", "--runs-dir", tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    require_alone(read(run))
    assert json.loads(read(run, "run.json"))["status"] == "completed"


def test_a_page_that_cannot_be_made_costs_no_run(
    trained_run: Path, animals: Path, tmp_path: Path, dlcli: Command
) -> None:
    assert trained_run.exists()  # the body is converted by now
    broken = tmp_path / "broken" / "matplotlib"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('broken here')")
    paths = [str(broken.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = dlcli(
        "train", animals, "--effort", "quick", "--runs-dir", tmp_path / "runs", "--json",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "completed"
    assert "warning: report.html could not be written: broken here" in done.stderr
    run = tmp_path / "runs" / "animals-1"
    assert not (run / "report.html").exists()
    assert json.loads(read(run, "run.json"))["status"] == "completed"
