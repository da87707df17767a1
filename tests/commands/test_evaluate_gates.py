"""Gates as a pipeline meets them: the exit code of the whole command, and what it says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dlcli import processor
from dlcli.cli import app


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command tells libraries how many threads to take: not those of the tests that follow."""
    for name in processor.LIBRARY_THREADS:
        monkeypatch.setenv(name, "1")


@pytest.fixture(scope="module")
def field(animals: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three cats and three lions, of which one each lies under the other's name: 4 of 6 right."""
    folder = tmp_path_factory.mktemp("gates") / "field"
    for name, other in (("cat", "lion"), ("lion", "cat")):
        for number, path in enumerate(sorted((animals / name).iterdir())[:3]):
            target = folder / (name if number else other)
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    return folder


@pytest.fixture(scope="module")
def worse(trained_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's model with two names swapped: right on the other 2 of the 6."""
    folder = shutil.copytree(trained_run / "model", tmp_path_factory.mktemp("worse") / "worse")
    document = json.loads((folder / "model.json").read_text())
    swap = {"cat": "lion", "lion": "cat"}
    document["class_names"] = [swap.get(name, name) for name in document["class_names"]]
    (folder / "model.json").write_text(json.dumps(document))
    return folder


def evaluate(*args: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    done = CliRunner().invoke(app, ["evaluate", *map(str, args)])
    return done.exit_code, done.stdout, done.stderr


TABLE = [
    ("--min accuracy=0.66", 0),
    ("--min accuracy=66%", 0),
    ("--min accuracy=0.67", 6),
    ("--max accuracy=0.67", 0),
    ("--max accuracy=0.66", 6),
    ("--min accuracy=0.299@low", 0),
    ("--min accuracy=0.3@low", 6),  # 4 of 6: 0.29999 to 0.903
    ("--min accuracy=0.9@high", 0),
    ("--min accuracy=0.91@high", 6),
    ("--max accuracy=0.91@high", 0),
    ("--min balanced_accuracy=0.6", 0),
    ("--min balanced_accuracy=0.7", 6),
    ("--min recall:cat=0.66", 0),
    ("--min recall:cat=0.67", 6),
    ("--min recall:cat=0.2@low", 0),
    ("--min recall:cat=0.21@low", 6),  # 2 of 3: 0.208 to 0.939
    ("--min precision:lion=0.66", 0),
    ("--min f1_score:lion=0.67", 6),
    ("--min recall:dog=0", 6),  # no dog is there: undefined does not pass
    ("--max precision:tiger=1", 6),
    ("--min top_k_accuracy:3=0.1", 0),
    ("--max log_loss=100", 0),
    ("--max log_loss=0.001", 6),
    ("--max ece=1", 0),
    ("--max expected_calibration_error=0.0001", 6),
    ("--min macro_avg:recall=0.66", 0),
    ("--min weighted_avg:precision=0.67", 6),
    ("--min num_images=6 --min accuracy=0.6 --max ece=1", 0),
    ("--min num_images=7 --min accuracy=0.6 --max ece=1", 6),
    ("--baseline WORSE --max-drop 0", 0),
    ("--baseline WORSE", 0),
    ("--min acuracy=0.6", 2),
    ("--min recall:kat=0.6", 2),
    ("--min recall=0.6", 2),
    ("--min accuracy=66", 2),
    ("--min top_k_accuracy:7=0.6", 2),
    ("--max ece=0.1@low", 2),
    ("--max-drop 1%", 2),
    ("--baseline nowhere", 2),
]


@pytest.mark.parametrize(("gates", "code"), TABLE)
def test_the_exit_code(trained_run: Path, field: Path, worse: Path, gates: str, code: int) -> None:
    options = gates.replace("WORSE", str(worse)).split()
    found, stdout, stderr = evaluate(field, "--run", trained_run, "--quiet", *options)
    assert found == code, stderr
    assert bool(stdout) is (code != 2)  # a gate that is not met takes nothing from the answer
    if code == 6:
        assert "NOT MET" in stdout
        assert "not met" in stderr


def test_the_table_is_long_enough() -> None:
    assert len(TABLE) >= 30
    assert {code for _, code in TABLE} == {0, 2, 6}


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ("acuracy=0.6", "there is no metric 'acuracy'. Did you mean accuracy?"),
        ("recall:kat=0.6", "there is no class 'kat'. Did you mean cat?"),
        ("f1:lyon=0.6", "there is no class 'lyon'. Did you mean lion?"),
    ],
)
def test_what_there_is_not_gets_the_nearest_that_is(
    trained_run: Path, field: Path, gate: str, said: str
) -> None:
    code, stdout, stderr = evaluate(field, "--run", trained_run, "--min", gate)
    assert (code, stdout) == (2, "")
    assert f"--min {gate}: {said}" in stderr


def test_the_whole_answer_stands_before_the_verdict(
    trained_run: Path, field: Path, worse: Path, tmp_path: Path
) -> None:
    files = ("--junit", tmp_path / "gates.xml", "--markdown", tmp_path / "summary.md")
    gates = ("--min", "accuracy=0.6", "--baseline", trained_run, "--max-drop", "0.5%")
    code, stdout, stderr = evaluate(field, "--run", worse, "--json", *gates, *files)
    document = json.loads(stdout)
    assert code == 6
    assert [(gate["metric"], gate["passed"]) for gate in document["gates"]] == [
        ("accuracy", False),
        ("accuracy_drop", False),
    ]
    assert document["comparison"]["baseline"] == str(trained_run)
    assert document["report"]["accuracy"] == pytest.approx(2 / 6)
    assert 'failures="2"' in (tmp_path / "gates.xml").read_text()
    assert "2 of 2 gates not met" in (tmp_path / "summary.md").read_text()
    assert "2 of 2 gates are not met: accuracy, accuracy_drop." in stderr
