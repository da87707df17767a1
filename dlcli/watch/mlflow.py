"""A run of MLflow's, on the tracking server that the environment names, beside a run of ours.

A thread of its own talks to the server, so that no epoch waits for it.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import re
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from dlcli import __version__
from dlcli.errors import ResourceError
from dlcli.events import EpochEnded, Event, HeadFitted, RunClosed, RunOpened
from dlcli.watch.listeners import missing, reason, without_password

_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
"""For what the environment leaves open: nothing is sent to anybody else, stdout is ours, and a
server that is away is noticed in seconds, not in minutes."""

_STATUS = {"completed": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}
_MOST_PARAMS, _LONGEST_VALUE = 100, 6000
_LONGEST_REASON = 600
_PLAIN_KEY = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class MlflowListener:
    """Logs settings, the numbers of every epoch and those of the end; a training that is gone on
    with goes on in the run that it began. `address` is where, without a password.

    Raises:
        ResourceError: if MLflow is not installed, or cannot log where it is to.
    """

    def __init__(self) -> None:
        for name, value in _SETTINGS.items():
            os.environ.setdefault(name, value)
        try:
            import mlflow
            from mlflow import entities
            from mlflow.tracking import MlflowClient
        except ImportError as error:
            raise missing("mlflow", "--mlflow") from error
        for talker in ("alembic", "urllib3"):
            logging.getLogger(talker).setLevel(logging.ERROR)
        self._entities = entities
        self.address = without_password(mlflow.get_tracking_uri())
        try:
            self._client = MlflowClient()
            self._client.search_experiments(max_results=1)
        except Exception as error:
            raise ResourceError(
                f"MLflow cannot log there ({reason(error, _LONGEST_REASON)}).",
                where=f"--mlflow {self.address}",
                fix="Start the tracking server, or name another in MLFLOW_TRACKING_URI.",
            ) from error
        self._run_id = ""
        self._events: queue.Queue[Event] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._fault: Exception | None = None

    def report(self, event: Event) -> None:
        """Hands the event over; with the last one waits until all is logged, or has failed.

        Raises:
            Exception: once the server has failed, whatever it failed with.
        """
        if isinstance(event, RunOpened):
            self._thread = threading.Thread(target=self._log_all, daemon=True)
            self._thread.start()
        if self._thread is None or not isinstance(
            event, RunOpened | EpochEnded | HeadFitted | RunClosed
        ):
            return
        self._events.put(event)
        if isinstance(event, RunClosed):
            self._thread.join()
        if self._fault is not None:
            raise self._fault

    def _log_all(self) -> None:
        try:
            while self._log(self._events.get()):
                pass
        except Exception as error:  # noqa: BLE001 - told by `report`, in the thread that trains
            self._fault = error

    def _log(self, event: Event) -> bool:
        """Whether there is more to come."""
        match event:
            case RunOpened():
                self._open(event)
            case EpochEnded():
                numbers = {
                    "loss": event.loss,
                    "accuracy": event.accuracy,
                    "val_loss": event.val_loss,
                    "val_accuracy": event.val_accuracy,
                    "learning_rate": event.learning_rate,
                }
                self._log_numbers(numbers, event.epoch, event.name)
            case HeadFitted(name, val_loss, val_accuracy):
                self._log_numbers({"val_loss": val_loss, "val_accuracy": val_accuracy}, 1, name)
            case RunClosed(status, numbers):
                self._log_numbers(numbers, 0)
                self._client.set_terminated(self._run_id, _STATUS[status])
        return not isinstance(event, RunClosed)

    def _open(self, event: RunOpened) -> None:
        experiment = self._experiment()
        own = {"dlcli.run": _text(event.folder.resolve()), "dlcli.started": event.started}
        wanted = " and ".join(f"tags.`{key}` = {_quoted(value)}" for key, value in own.items())
        found = self._client.search_runs([experiment], wanted, max_results=1)
        if found:
            self._run_id = found[0].info.run_id
            self._client.update_run(self._run_id, status="RUNNING")
            return
        source = {"mlflow.source.name": "dlcli", "mlflow.source.type": "LOCAL"}
        tags = {**source, **own, "dlcli.version": __version__}
        name = _text(event.folder.name)
        self._run_id = self._client.create_run(experiment, tags=tags, run_name=name).info.run_id
        params = [self._entities.Param(*pair) for pair in flattened(event.settings)]
        for start in range(0, len(params), _MOST_PARAMS):
            self._client.log_batch(self._run_id, params=params[start : start + _MOST_PARAMS])

    def _experiment(self) -> str:
        """The one that the environment names, as for every program that logs to MLflow."""
        if number := os.environ.get("MLFLOW_EXPERIMENT_ID"):
            return number
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "Default"
        found = self._client.get_experiment_by_name(name)
        if found is None:
            return str(self._client.create_experiment(name))
        return str(found.experiment_id)

    def _log_numbers(
        self, numbers: Mapping[str, float | None], step: int, stage: str | None = None
    ) -> None:
        """Each stage counts its own epochs: `all layers/val_loss`."""
        opening = "" if stage is None else re.sub(r"[^\w .-]", "", stage) + "/"
        now = int(time.time() * 1000)
        metrics = [
            self._entities.Metric(f"{opening}{key}", value, now, step)
            for key, value in numbers.items()
            if value is not None
        ]
        self._client.log_batch(self._run_id, metrics=metrics)


def flattened(settings: Mapping[str, Any], opening: str = "") -> Iterator[tuple[str, str]]:
    """`train.optimizer.sgd.momentum` and its value, and so on; lists, and maps whose keys are names
    of classes, are values as they are, in JSON."""
    for key, value in settings.items():
        if isinstance(value, Mapping) and value and all(map(_PLAIN_KEY.fullmatch, value)):
            yield from flattened(value, f"{opening}{key}.")
        else:
            yield f"{opening}{key}", _text(value)[:_LONGEST_VALUE]


def _text(value: Any) -> str:
    """Bytes of a path that were no UTF-8 are escaped: no server would take them."""
    written = json.dumps(value) if isinstance(value, list | Mapping | bool) else str(value)
    return written.encode("utf-8", "backslashreplace").decode()


def _quoted(value: str) -> str:
    """For a filter, which knows no escapes: what it cannot hold does not match."""
    mark = '"' if "'" in value else "'"
    return f"{mark}{value}{mark}"
