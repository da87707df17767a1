"""The door to Keras."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dlcli import backend


def run_python(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Code in a process of its own, whose home folder is `home`."""
    hidden = ("KERAS_HOME", "KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    environment |= {"HOME": str(home), "USERPROFILE": str(home)}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("code", "module"),
    [
        ("from dlcli.backend import keras", "keras"),
        ("from dlcli import backend; backend.keras", "keras"),
        ("from dlcli import backend; backend.tensorflow()", "tensorflow"),
        ("import dlcli.models.model", "keras"),
        ("import dlcli.models.efficientnet_lite", "keras"),
        ("import dlcli.export.saved_model", "keras"),
    ],
)
def test_keras_is_refused_before_it_is_prepared(tmp_path: Path, code: str, module: str) -> None:
    done = run_python(code, tmp_path)
    assert done.returncode == 1
    assert f"dlcli.backend.prepare() must run before {module} is used" in done.stderr


def test_importing_the_door_imports_no_framework(tmp_path: Path) -> None:
    code = (
        "import sys, dlcli.backend\n"
        "print(sorted({'keras', 'tensorflow', 'torch', 'jax'} & set(sys.modules)))"
    )
    assert run_python(code, tmp_path).stdout == "[]\n"


def test_it_starts_without_a_word_and_leaves_nothing_in_the_home_folder(tmp_path: Path) -> None:
    code = """
import os
from dlcli import backend
backend.prepare()
backend.prepare()
from dlcli.backend import keras
assert keras.backend.backend() == "tensorflow"
assert float(keras.ops.sum(keras.ops.ones((2, 2)))) == 4
assert "KERAS_HOME" not in os.environ
"""
    done = run_python(code, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (tmp_path / ".keras").exists()
    assert [path for path in tmp_path.rglob("*") if "keras" in path.name.lower()] == []


@pytest.fixture
def prepared() -> None:
    backend.prepare()


@pytest.mark.usefixtures("prepared")
def test_a_second_start_with_the_same_choice_does_nothing() -> None:
    from dlcli.backend import keras

    backend.prepare()
    backend.prepare(seed=0)
    assert backend.keras is keras


@pytest.mark.usefixtures("prepared")
def test_a_second_start_with_another_choice_is_refused() -> None:
    with pytest.raises(RuntimeError, match=r"already runs with .*'seed': 0.*, not .*'seed': 1"):
        backend.prepare(seed=1)


@pytest.mark.usefixtures("prepared")
def test_tensorflow_and_keras_work_together() -> None:
    tensorflow = backend.tensorflow()
    assert isinstance(backend.keras.ops.ones(2), tensorflow.Tensor)
    np.testing.assert_array_equal(np.asarray(tensorflow.range(3)), [0, 1, 2])


def test_another_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match=r"'dlcli\.backend' has no attribute 'kears'"):
        _ = backend.kears  # type: ignore[attr-defined]
