"""The door for other programs: `dlcli.load`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dlcli import load
from dlcli.errors import DataError, UsageError
from tests.conftest import ROOT, Command

CAT = ROOT / "sample_data" / "cat.jpg"


def test_a_picture_is_answered_as_on_the_command_line(trained_run: Path, dlcli: Command) -> None:
    model = load(trained_run)
    assert model.run == str(trained_run)
    assert model.class_names == ("cat", "dog", "elephant", "lion", "tiger")
    assert model.image_size == (224, 224)
    answer = model.predict(CAT)
    line = json.loads(dlcli("predict", CAT, "--run", trained_run, "--json").stdout)
    assert (answer.path, answer.label, answer.probability) == (
        line["path"],
        line["label"],
        line["probability"],
    )
    assert [vars(one) for one in answer.top or ()] == line["top"]
    assert (answer.typicality, answer.unknown) == (line["typicality"], line["unknown"])
    from_memory = model.predict(CAT.read_bytes())
    assert (from_memory.label, from_memory.probability) == (answer.label, answer.probability)
    assert model.predict(str(CAT)) == answer


def test_many_are_answered_in_order_and_what_cannot_be_read_has_its_reason(
    trained_run: Path, animals: Path
) -> None:
    model = load(trained_run)
    paths = [*sorted((animals / "cat").iterdir())[:6], animals / "gone.jpg", CAT]
    answers = list(model.predict_many(paths))
    assert [answer.path for answer in answers] == list(map(str, paths))
    assert [answer.error for answer in answers] == [None] * 6 + ["no such file", None]
    assert [model.predict(path) for path in (paths[0], CAT)] == [answers[0], answers[-1]]
    with pytest.raises(DataError, match=r"gone\.jpg: no such file\."):
        model.predict(paths[6])
    with pytest.raises(DataError, match="a picture in memory: not a picture"):
        model.predict(b"no picture")


def test_several_threads_may_ask_at_once(trained_run: Path, animals: Path) -> None:
    model = load(trained_run)
    paths = sorted((animals / "dog").iterdir())[:8]
    expected = [model.predict(path) for path in paths]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(model.predict, paths)) == expected


def test_what_is_asked_of_answers(trained_run: Path, animals: Path) -> None:
    drawings = sorted((animals / "cat").iterdir())
    reasons = {load(trained_run, threshold=1.0).predict(one).reason for one in drawings}
    assert "improbable" in reasons
    assert reasons <= {"improbable", "atypical"}
    answer = load(trained_run, coverage=0.9, top=1).predict(CAT)
    assert answer.label in (answer.set or ())
    assert len(answer.top or ()) == 1
    with pytest.warns(UserWarning, match=r"0\.99: every set holds every class"):
        everything = load(trained_run, coverage=0.99).predict(CAT)
    assert len(everything.set or ()) == 5


def test_runs_are_found_as_on_the_command_line(
    trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load(runs_dir=trained_run.parent).run == str(trained_run)
    assert load("animals-1", runs_dir=trained_run.parent).run == str(trained_run)
    shutil.copytree(trained_run / "model", tmp_path / "shipped")
    monkeypatch.chdir(tmp_path)
    assert load("shipped").predict(CAT) == load(trained_run).predict(CAT)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"run": "no-such-run"}, "no-such-run"),
        ({"top": 0}, "top=0: must be 1 or more"),
        ({"engine": "onnx"}, "engine='onnx': must be one of auto, litert, keras"),
        ({"threshold": 2.0}, "must be auto or a probability"),
        ({"threshold": 0.5, "max_error": 0.1}, "contradicts"),
    ],
)
def test_what_makes_no_sense_is_a_sentence(
    asked: dict[str, object], message: str, trained_run: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        load(**{"run": trained_run, **asked})  # type: ignore[arg-type]


def test_importing_the_package_imports_nothing_and_predicting_no_framework(
    trained_run: Path,
) -> None:
    script = f"""
import sys
before = set(sys.modules)
import dlcli
print(*(set(sys.modules) - before - {{"dlcli", "__future__"}}))
dlcli.load({str(trained_run)!r}).predict({str(CAT)!r})
heavy = {{"keras", "tensorflow", "jax", "torch", "sklearn", "scipy", "typer", "rich"}}
print(*(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "\n\n"
