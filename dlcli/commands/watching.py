"""Who watches a training beside the one at the terminal, and what they are told of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlcli.events import Reporter, RunClosed, RunOpened, Said

if TYPE_CHECKING:
    from dlcli.commands.train_result import TrainResult
    from dlcli.runs.run import Run
    from dlcli.spec.schema import Spec


def with_listeners(reporter: Reporter, *, tensorboard: bool, mlflow: bool) -> Reporter:
    """`reporter`, and with it those that were asked for.

    Raises:
        ResourceError: if a package is not installed, or MLflow cannot log where it is to.
    """
    listeners: dict[str, Reporter] = {}
    if tensorboard:
        from dlcli.watch.tensorboard import TensorBoardListener

        listeners["TensorBoard"] = TensorBoardListener()
    if mlflow:
        from dlcli.watch.mlflow import MlflowListener

        listener = MlflowListener()
        reporter.report(Said(f"MLflow logs to {listener.address}"))
        listeners["MLflow"] = listener
    if not listeners:
        return reporter
    from dlcli.watch.listeners import Listeners

    return Listeners(reporter, listeners)


def run_opened(opened: Run, spec: Spec) -> RunOpened:
    """What is trained, and how."""
    settings = spec.model_dump(mode="json", exclude_none=True, include={"model", "train"})
    return RunOpened(opened.folder, str(opened.describe()["started"]), settings)


def run_completed(result: TrainResult) -> RunClosed:
    """The numbers of the reports on val and test, as `val_accuracy`, `test_log_loss` and so on."""
    numbers = {
        f"{split}_{name}": value
        for split, report in (("val", result.val), ("test", result.test))
        if report is not None
        for name, value in (
            ("accuracy", report.accuracy),
            ("balanced_accuracy", report.balanced_accuracy),
            ("log_loss", report.log_loss),
            ("expected_calibration_error", report.expected_calibration_error),
        )
        if value is not None
    }
    return RunClosed(result.status, {**numbers, "seconds": result.seconds["total"]})
