"""What MLflow's tracking stores are told: a SQLite file, and a server that fails."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dlcli.errors import ResourceError
from dlcli.events import EpochEnded, Event, HeadFitted, RunClosed, RunOpened, Said, Warned
from dlcli.watch.listeners import Listeners

pytest.importorskip("mlflow", reason="the extra is not installed")
pytest.importorskip("sqlalchemy", reason="the extra is not installed")

from dlcli.watch.mlflow import MlflowListener, flattened
from tests.conftest import Recorder

EPOCHS = (
    EpochEnded("all layers", 1, 2, 0.9, 0.8, 0.5, accuracy=0.4, learning_rate=1e-3),
    EpochEnded("all layers", 2, 2, 0.7, 0.6, 0.75, accuracy=0.6, learning_rate=1e-4),
)
CLOSED = RunClosed("completed", {"test_accuracy": 0.7, "val_accuracy": 0.75})
SETTINGS = {"model": {"backbone": "lite"}, "train": {"optimizer": {"sgd": {"momentum": 0.9}}}}


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store as MLflow makes it, which takes a while."""
    file = tmp_path_factory.mktemp("store") / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{file}")
        MlflowListener()
    assert file.stat().st_size > 0
    return file


@pytest.fixture
def store(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The store that the environment names, for one test."""
    file = tmp_path / "mlflow.db"
    shutil.copyfile(empty_store, file)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{file}")
    return file


def opened(folder: Path, started: str = "today") -> RunOpened:
    return RunOpened(folder, started, SETTINGS)


def listen(*events: Event) -> None:
    listener = MlflowListener()
    for event in events:
        listener.report(event)


def runs_of(experiment: str = "Default") -> list[Any]:
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    return list(client.search_runs([found.experiment_id], order_by=["attribute.start_time"]))


def history(run: Any, key: str) -> list[tuple[int, float]]:
    from mlflow.tracking import MlflowClient

    found = MlflowClient().get_metric_history(run.info.run_id, key)
    return [(metric.step, metric.value) for metric in found]


@pytest.mark.usefixtures("store")
def test_a_training_is_a_run_with_its_settings_epochs_and_numbers(tmp_path: Path) -> None:
    listen(Said("hello"), opened(tmp_path / "animals-1"), *EPOCHS, CLOSED)
    (run,) = runs_of()
    assert (run.info.run_name, run.info.status) == ("animals-1", "FINISHED")
    assert run.data.params == {"model.backbone": "lite", "train.optimizer.sgd.momentum": "0.9"}
    assert history(run, "all layers/loss") == [(1, 0.9), (2, 0.7)]
    assert history(run, "all layers/accuracy") == [(1, 0.4), (2, 0.6)]
    assert history(run, "all layers/val_loss") == [(1, 0.8), (2, 0.6)]
    assert history(run, "all layers/val_accuracy") == [(1, 0.5), (2, 0.75)]
    assert history(run, "all layers/learning_rate") == [(1, 1e-3), (2, 1e-4)]
    assert run.data.metrics["test_accuracy"] == 0.7
    assert run.data.tags["dlcli.run"] == str(tmp_path / "animals-1")


@pytest.mark.usefixtures("store")
def test_a_head_is_logged_by_its_name(tmp_path: Path) -> None:
    listen(opened(tmp_path), HeadFitted("head, with mirror images", 0.3, 0.9), CLOSED)
    (run,) = runs_of()
    assert history(run, "head with mirror images/val_accuracy") == [(1, 0.9)]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(("status", "told"), [("interrupted", "KILLED"), ("failed", "FAILED")])
def test_how_a_training_ended_is_told(status: str, told: str, tmp_path: Path) -> None:
    listen(opened(tmp_path), EPOCHS[0], RunClosed(status))
    (run,) = runs_of()
    assert run.info.status == told
    assert history(run, "all layers/loss") == [(1, 0.9)]


@pytest.mark.usefixtures("store")
def test_a_training_that_goes_on_goes_on_in_its_run(tmp_path: Path) -> None:
    listen(opened(tmp_path / "it's"), EPOCHS[0], RunClosed("interrupted"))
    listen(opened(tmp_path / "it's"), EPOCHS[1], CLOSED)
    listen(opened(tmp_path / "it's", started="tomorrow"), CLOSED)
    first, second = runs_of()
    assert history(first, "all layers/loss") == [(1, 0.9), (2, 0.7)]
    assert first.info.status == "FINISHED"
    assert "all layers/loss" not in second.data.metrics


@pytest.mark.usefixtures("store")
def test_the_environment_names_the_experiment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "animals")
    listen(opened(tmp_path), CLOSED)
    listen(opened(tmp_path, started="tomorrow"), CLOSED)
    assert len(runs_of("animals")) == 2
    assert runs_of() == []


@pytest.mark.usefixtures("store")
def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    listen(opened(tmp_path), *EPOCHS, CLOSED)
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("store")
def test_names_of_any_bytes_and_settings_of_any_length_are_taken(tmp_path: Path) -> None:
    weights = {f"class, {number}": 2.0 for number in range(1000)}
    settings = {"train": {"class_weights": weights, **{f"k{n}": n for n in range(150)}}}
    listen(RunOpened(tmp_path / "an\udcffimals", "today", settings), CLOSED)
    (run,) = runs_of()
    assert run.info.run_name == "an\\udcffimals"
    assert len(run.data.params) == 151
    assert run.data.params["train.class_weights"].startswith('{"class, 0": 2.0, ')


def test_settings_are_flattened() -> None:
    settings = {
        "model": {"layers": ["relu", {"dense": 3}]},
        "train": {"ema": 0.9, "mix": {"mixup": 0.2}, "class_weights": {"a b": 2.0}, "on": True},
    }
    assert dict(flattened(settings)) == {
        "model.layers": '["relu", {"dense": 3}]',
        "train.ema": "0.9",
        "train.mix.mixup": "0.2",
        "train.class_weights": '{"a b": 2.0}',
        "train.on": "true",
    }


def test_a_store_that_breaks_midway_is_one_warning(store: Path, tmp_path: Path) -> None:
    own = Recorder()
    everybody = Listeners(own, {"MLflow": MlflowListener()})
    everybody.report(opened(tmp_path))
    everybody.report(EPOCHS[0])
    store.write_bytes(b"no database any more" * 1000)
    for event in (EPOCHS[1], CLOSED, Said("the end")):
        everybody.report(event)
    warnings = [event.text for event in own.events if isinstance(event, Warned)]
    assert len(warnings) == 1
    assert warnings[0].startswith("MLflow fails and is told no more (")
    assert own.events[-1] == Said("the end")


class _Server(ThreadingHTTPServer):
    """Answers as a tracking server does, until it has taken `most` batches."""

    def __init__(self, most: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.most = most
        self.batches: list[Any] = []


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        call = self.path.partition("?")[0].partition("/mlflow/")[2]
        answers: dict[str, Any] = {
            "experiments/search": {},
            "experiments/get-by-name": {"experiment": {"experiment_id": "7", "name": "Default"}},
            "runs/search": {},
            "runs/create": {"run": {"info": {"run_id": "a1", "run_uuid": "a1"}, "data": {}}},
        }
        code = 200 if call in answers else 404
        if call == "runs/log-batch":
            code = 200 if len(self.server.batches) < self.server.most else 503
            self.server.batches.append(json.loads(body))
        self.send_response(code)
        self.end_headers()
        self.wfile.write(json.dumps(answers.get(call, {})).encode())

    do_GET = do_POST = _answer  # noqa: N815 - as http.server calls them

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Server]:
    """One that fails after the settings and the first epoch."""
    server = _Server(most=2)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    yield server
    server.shutdown()
    server.server_close()


def test_a_server_that_fails_midway_is_one_warning(
    server: _Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    own = Recorder()
    everybody = Listeners(own, {"MLflow": MlflowListener()})
    for event in (opened(tmp_path), *EPOCHS, CLOSED, Said("the end")):
        everybody.report(event)
    assert len([event for event in own.events if isinstance(event, Warned)]) == 1
    assert own.events[-1] == Said("the end")
    logged = [metric["value"] for metric in server.batches[1]["metrics"]]
    assert logged == [0.9, 0.4, 0.8, 0.5, 1e-3]
    assert len(server.batches) == 3, "after a failure nothing more is sent"
    assert capfd.readouterr() == ("", "")


def test_a_server_that_is_not_there_is_a_missing_resource(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(ResourceError, match=r"^--mlflow http://127\.0\.0\.1:9: ") as caught:
        MlflowListener()
    assert "secret" not in str(caught.value)
    assert "MLFLOW_TRACKING_URI" in caught.value.fix
