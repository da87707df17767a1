"""dlcli train: a folder -> a run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.errors import DataError, UsageError
from dlcli.events import Reporter, RunClosed, Said

if TYPE_CHECKING:
    from dlcli.artifact import ModelFacts
    from dlcli.commands.plan import Plan
    from dlcli.data.dataset import Dataset
    from dlcli.data.index import SkippedFile
    from dlcli.metrics.report import Report
    from dlcli.runs.run import Run
    from dlcli.spec.loader import SpecSource
    from dlcli.spec.schema import Spec
    from dlcli.training.trained import TrainedModel

SPEC_SUFFIXES, MANIFEST_SUFFIX = (".yaml", ".yml"), ".csv"
_BEGINNINGS = {"imagenet": "ImageNet weights", "random": "random weights"}


@dataclass(frozen=True)
class TrainOptions:
    """What was typed; `target` is a folder or a spec, `overrides` are `key=value` texts."""

    target: Path | None
    runs_folder: Path
    spec: Path | None = None
    overrides: tuple[str, ...] = ()
    name: str | None = None
    strict: bool = False
    dry_run: bool = False
    command: tuple[str, ...] = ()
    device: str = "auto"
    backend: str = "tensorflow"
    deterministic: bool = False


@dataclass(frozen=True)
class StageResult:
    """One stage of a training."""

    name: str
    epochs: int
    seconds: float
    val_accuracy: float


@dataclass(frozen=True)
class TrainResult:
    """A finished training; `test` is None where the folder has no test part."""

    run: Path
    status: str
    classes: tuple[str, ...]
    num_images: dict[str, int]
    skipped: tuple[SkippedFile, ...]
    stages: tuple[StageResult, ...]
    best_epoch: int
    val: Report
    test: Report | None
    seconds: dict[str, float]
    model: ModelFacts
    calibration_error_before: float | None = None
    is_elsewhere: bool = False
    """Whether the other commands find the run only when it is named."""


@dataclass
class _Clock:
    """Seconds by phase."""

    started: float = field(default_factory=time.monotonic)
    phases: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        begun = time.monotonic()
        try:
            yield
        finally:
            self.phases[name] = self.phases.get(name, 0.0) + time.monotonic() - begun

    def seconds(self) -> dict[str, float]:
        total = time.monotonic() - self.started
        return {name: round(spent, 3) for name, spent in {**self.phases, "total": total}.items()}


@dataclass(frozen=True)
class DryRunResult:
    """What a training would do: no picture was read, so `num_images` are those of the listing."""

    plan: Plan
    classes: tuple[str, ...]
    num_images: dict[str, int]


def run(options: TrainOptions, reporter: Reporter) -> TrainResult | DryRunResult:
    """Trains on a folder and leaves a run; with `dry_run` shows the model and stops.

    Raises:
        SpecError: with every fault of the spec.
        UsageError: if the folder is not there, or the run's name is taken.
        DataError: if the folder cannot be learned from.
        ResourceError: if the disk is full or not writable, or the weights are not installed.
    """
    from dlcli.commands.plan import make_plan
    from dlcli.commands.split_rule import choose_split_rule
    from dlcli.commands.watching import run_completed, run_opened
    from dlcli.data.dataset import expected_sizes, list_dataset, prepare_dataset
    from dlcli.data.split import TRAIN
    from dlcli.machine.device import Choice
    from dlcli.runs.run import FAILED, INTERRUPTED

    clock = _Clock()
    source = read_options(options)
    folder = _folder_of(source.spec)
    _require_room(options, folder)
    index = list_dataset(folder, reporter, exclude=source.spec.data.exclude)
    rule = choose_split_rule(source.spec.data, index, options.runs_folder)
    sizes = expected_sizes(index, rule)
    with clock.phase("model"):
        plan = make_plan(
            source,
            index.class_names,
            sizes[TRAIN],
            options.runs_folder,
            reporter,
            choice=Choice(options.device, options.backend, options.deterministic),
        )
    _introduce(plan, reporter)
    if options.dry_run:
        return DryRunResult(plan, index.class_names, sizes)
    with clock.phase("model"):
        plan.prepare(reporter)
    with clock.phase("data"):
        strict = options.strict or plan.spec.data.unreadable == "error"
        dataset = prepare_dataset(index, plan.pixel_format, rule, reporter, strict=strict)
    opened = _open_run(options, plan, dataset)
    with opened.at_work():
        try:
            reporter.report(run_opened(opened, plan.spec))
            result = _train(opened, plan, dataset, clock, reporter)
        except KeyboardInterrupt:
            _close(opened, INTERRUPTED, clock, reporter)
            raise
        except BaseException:
            _close(opened, FAILED, clock, reporter)
            raise
    reporter.report(run_completed(result))
    return replace(result, is_elsewhere=_is_elsewhere(options.runs_folder))


def read_options(options: TrainOptions) -> SpecSource:
    """The spec that the options amount to: a target folder takes the place of data.folder."""
    from dlcli.spec.loader import read_spec

    target = options.target
    if target is not None and target.suffix.lower() in SPEC_SUFFIXES and not target.is_dir():
        if options.spec is not None:
            raise UsageError(
                f"two specs were given, {target} and {options.spec}.",
                where="--spec",
                fix="Give one.",
            )
        return read_spec(target, options.overrides)
    source = read_spec(options.spec, options.overrides)
    if target is None:
        return source
    if any(override.partition("=")[0].strip() == "data.folder" for override in options.overrides):
        raise UsageError(
            f"the folder is named twice, here and as {target}.",
            where="--set data.folder",
            fix="Name it once.",
        )
    data = source.spec.data.model_copy(update={"folder": target})
    return replace(source, spec=source.spec.model_copy(update={"data": data}))


def _introduce(plan: Plan, reporter: Reporter) -> None:
    """The device, the model and the plan, a line each."""
    from dlcli.training.stages import describe_plan

    height, width = plan.spec.data.image_size
    alone = "an earlier body" if plan.spec.trains_head_only else "the layers of the spec"
    name = plan.spec.model.backbone or alone
    begin = _BEGINNINGS.get(plan.start.name, f"weights of {plan.start.name}")
    color = "" if plan.spec.data.color == "rgb" else ", grey"
    body = ", int8" if plan.spec.model.body == "int8" else ""
    device = f"device: {plan.device.describe()}"
    reporter.report(Said(f"{device} · model: {name}, {begin}, {height} x {width} px{color}{body}"))
    reporter.report(plan.summary)
    reporter.report(Said(f"plan: {'; '.join(describe_plan(plan.spec, plan.stages))}"))


def _folder_of(spec: Spec) -> Path:
    if spec.data.folder is None:
        raise UsageError(
            "no folder of pictures was named.", fix="Type `dlcli train FOLDER` or set data.folder."
        )
    return spec.data.folder


def _require_room(options: TrainOptions, folder: Path) -> None:
    """Whether the run can be made where it is wanted; asked before any picture is read."""
    from dlcli.runs.run import require_free_name

    if folder.is_dir() and options.runs_folder.resolve().is_relative_to(folder.resolve()):
        raise UsageError(
            f"the runs folder {options.runs_folder} would lie among the pictures.",
            where=str(folder),
            fix="Name another with --runs-dir, or train from another folder: nothing is ever "
            "written among your pictures.",
        )
    require_free_name(options.runs_folder, options.name)


def _open_run(options: TrainOptions, plan: Plan, dataset: Dataset) -> Run:
    from dlcli.runs import files
    from dlcli.runs.environment import describe_environment
    from dlcli.runs.run import create_run
    from dlcli.spec.loader import dump_spec

    index = dataset.index
    opened = create_run(
        options.runs_folder,
        index.source.resolve().name.removesuffix(MANIFEST_SUFFIX),
        options.name,
        {
            "command": list(options.command),
            **describe_environment(plan.device),
            "seed": plan.spec.train.seed,
            "data": {
                "folder": str(index.folder.resolve()),
                "fingerprint": dataset.store.key,
                "classes": list(dataset.class_names),
                "num_images": dataset.num_images(),
            },
            "skipped": [{"path": file.path, "reason": file.reason} for file in dataset.skipped],
        },
    )
    files.write_text(opened.folder / files.SPEC, dump_spec(_with_whole_paths(plan.spec, dataset)))
    header = ("path", "label", "split", "group", "sha256")
    files.write_csv(opened.folder / files.SPLIT, header, dataset.split_rows())
    return opened


def _with_whole_paths(spec: Spec, dataset: Dataset) -> Spec:
    """As it must be to be read again from another folder."""
    from dlcli.data.partition import EarlierSplit

    data: dict[str, Any] = {"folder": dataset.index.source.resolve()}
    if spec.data.exclude is not None:
        data["exclude"] = spec.data.exclude.resolve()
    if isinstance(dataset.rule, EarlierSplit):
        data["split_from"] = str(Path(dataset.rule.name).resolve())
    return spec.model_copy(update={"data": spec.data.model_copy(update=data)})


def _is_elsewhere(runs_folder: Path) -> bool:
    from dlcli.runs.run import default_runs_folder

    return runs_folder.resolve() != default_runs_folder().resolve()


def _train(
    opened: Run, plan: Plan, dataset: Dataset, clock: _Clock, reporter: Reporter
) -> TrainResult:
    from dlcli.metrics.report import make_report
    from dlcli.runs.run import COMPLETED
    from dlcli.training.artifact import write_model

    with opened.workspace() as folder:
        with clock.phase("train"):
            trained = plan.train(dataset, folder, reporter)
        with clock.phase("evaluate"):
            val = make_report(*trained.answers("val"), dataset.class_names)
            test = None
            if dataset.num_images()["test"]:
                test = make_report(*trained.answers("test"), dataset.class_names)
        with clock.phase("export"), opened.new_model() as building:
            write_model(building, trained, plan.pixel_format, plan.facts)
    seconds = round(clock.phases["train"], 3)
    name = plan.stages[0].name
    stage = StageResult(name, len(trained.history), seconds, trained.best.val_accuracy)
    result = TrainResult(
        run=opened.folder,
        status=COMPLETED,
        classes=dataset.class_names,
        num_images=dataset.num_images(),
        skipped=dataset.skipped,
        stages=(stage,),
        best_epoch=trained.best.epoch,
        val=val,
        test=test,
        seconds=clock.seconds(),
        model=plan.facts,
        calibration_error_before=trained.calibration_error_before("test" if test else "val"),
    )
    _write_results(opened, result, trained)
    return result


def _write_results(opened: Run, result: TrainResult, trained: TrainedModel) -> None:
    from dlcli.runs import files
    from dlcli.training.trained import HistoryRow

    columns = tuple(column.name for column in fields(HistoryRow))
    rows = (["" if value is None else value for value in astuple(row)] for row in trained.history)
    files.write_csv(opened.folder / files.HISTORY, columns, rows)
    reports: dict[str, Any] = {"schema": 1, "val": result.val.to_json(), "test": None}
    if result.test:
        reports["test"] = result.test.to_json()
    files.write_json(opened.folder / files.METRICS, reports)
    _close_with(opened, status=result.status, seconds=result.seconds)


def _close(opened: Run, status: str, clock: _Clock, reporter: Reporter) -> None:
    import contextlib

    # The disk may be what failed: the error under way says more than a second one would.
    with contextlib.suppress(OSError, DataError):
        _close_with(opened, status=status, seconds=clock.seconds())
    reporter.report(RunClosed(status))


def _close_with(opened: Run, **facts: Any) -> None:
    from dlcli.runs.run import now

    opened.update(finished=now(), **facts)
