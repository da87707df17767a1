"""dlcli train: a folder -> a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.errors import DlcliError, UsageError
from dlcli.events import NullReporter, Reporter, Said

if TYPE_CHECKING:
    from dlcli.cluster.launch import Launch
    from dlcli.cluster.team import Team
    from dlcli.commands.plan import Plan
    from dlcli.commands.together import FollowResult, OnEnd
    from dlcli.commands.train_result import TrainResult
    from dlcli.runs.run import Run
    from dlcli.spec.loader import SpecSource
    from dlcli.spec.schema import Spec

SPEC_SUFFIXES = (".yaml", ".yml")
KEPT_OPTIONS = ("strict", "device", "backend", "deterministic", "refit")
_BEGINNINGS = {"imagenet": "ImageNet weights", "random": "random weights"}


@dataclass(frozen=True)
class TrainOptions:
    """What was typed; `target` is a folder or a spec, `overrides` are `key=value` texts. `launch`
    is None for one process on its own."""

    target: Path | None
    runs_folder: Path
    spec: Path | None = None
    overrides: tuple[str, ...] = ()
    name: str | None = None
    resume: str | None = None
    strict: bool = False
    dry_run: bool = False
    command: tuple[str, ...] = ()
    device: str = "auto"
    backend: str = "tensorflow"
    deterministic: bool = False
    refit: bool = False
    launch: Launch | None = None

    def to_json(self) -> dict[str, Any]:
        """What a training that is gone on with must know beside its spec."""
        return {name: getattr(self, name) for name in KEPT_OPTIONS}


@dataclass(frozen=True)
class DryRunResult:
    """What a training would do: no picture was read, so `num_images` are those of the listing."""

    plan: Plan
    classes: tuple[str, ...]
    num_images: dict[str, int]

    @property
    def expected_seconds(self) -> float | None:
        """How long it may take; None where that is not known."""
        seconds = self.plan.expected_seconds(self.num_images)
        return None if seconds is None else round(seconds, 1)


def _raise_in_main(error: DlcliError) -> None:
    raise error


def run(
    options: TrainOptions, reporter: Reporter, on_end: OnEnd = _raise_in_main
) -> TrainResult | DryRunResult | FollowResult:
    """Trains on a folder and leaves a run; with `dry_run` shows the model and stops. With `resume`
    goes on with a run that was stopped; gives the result of one that is over. `on_end` ends this
    process, where another one of the training has failed.

    Raises:
        SpecError: with every fault of the spec.
        UsageError: if the folder is not there, the run's name is taken, or a run that is to be
            resumed is not there or was made otherwise.
        DataError: if the folder cannot be learned from, or has changed since.
        ResourceError: if the disk is full or not writable, or the weights are not installed.
    """
    from dlcli.commands.together import together

    with together(options, on_end) as team:
        is_led = team is not None and not team.leads
        return _run(options, NullReporter() if is_led else reporter, team)


def _run(
    options: TrainOptions, reporter: Reporter, team: Team | None
) -> TrainResult | DryRunResult | FollowResult:
    from dlcli.commands.resume import find_unfinished, options_of
    from dlcli.commands.train_result import stored_result

    if options.resume is None:
        return _begin(options, None, reporter, team)
    earlier = find_unfinished(options, reporter)
    if earlier.is_over:
        return replace(stored_result(earlier), is_elsewhere=_is_elsewhere(options.runs_folder))
    return _begin(options_of(earlier, options), earlier, reporter, team)


def _begin(
    options: TrainOptions, earlier: Run | None, reporter: Reporter, team: Team | None
) -> TrainResult | DryRunResult | FollowResult:
    from dlcli.commands.new_run import open_new_run, require_room
    from dlcli.commands.plan import make_plan
    from dlcli.commands.resume import reopen
    from dlcli.commands.split_rule import choose_split_rule
    from dlcli.commands.together import agree, cluster_of, require_for_many, with_team
    from dlcli.commands.train_stages import Clock, train_in
    from dlcli.data.dataset import expected_sizes, list_dataset, prepare_dataset
    from dlcli.data.split import PARTS, TRAIN
    from dlcli.machine.device import Choice

    clock = Clock()
    source = read_options(options)
    _require_time_to_refit(options, source.spec)
    if team is not None:
        require_for_many(source.spec)
    cluster = cluster_of(team) if team is not None else None
    folder = _folder_of(source.spec)
    if earlier is None and (team is None or team.leads):
        require_room(options, folder)
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
            choice=Choice(options.device, options.backend, options.deterministic, cluster),
        )
    _introduce(plan, sizes, reporter)
    if options.refit:
        num_images = sum(sizes[part] for part in PARTS)
        once_more = f"once more on all {num_images} pictures, when the numbers are taken"
        reporter.report(Said(f"refit: {once_more}"))
    if options.dry_run:
        return DryRunResult(plan, index.class_names, sizes)
    with clock.phase("model"):
        plan.prepare(reporter)
    with clock.phase("data"):
        strict = options.strict or plan.spec.data.unreadable == "error"
        begin_at = 0.0 if team is None else team.launch.process_id / team.launch.num_processes
        dataset = prepare_dataset(
            index, plan.pixel_format, rule, reporter, strict=strict, begin_at=begin_at
        )
    if team is not None:
        agree(team, plan, dataset)
        led = with_team(plan, team)
        if not team.leads:
            return led.follow(dataset, team)
        plan = led
    opened = reopen(earlier, dataset) if earlier else open_new_run(options, plan, dataset)
    result = train_in(opened, plan, dataset, clock, reporter, refit=options.refit)
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
        source, target = read_spec(target, options.overrides), None
    else:
        source = read_spec(options.spec, options.overrides)
    _require_use_of_effort(source.spec, options.overrides)
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


def _require_use_of_effort(spec: Spec, overrides: tuple[str, ...]) -> None:
    """Refuses an effort that is asked for beside a list of stages, which spend what they say."""
    efforts = [one.partition("=")[2] for one in overrides if one.startswith("train.effort=")]
    if efforts and not isinstance(spec.train.stages, str):
        raise UsageError(
            "changes nothing where the spec lists train.stages.",
            where=f"--effort {efforts[-1]}",
            fix="Leave it out, or let it choose them: --set train.stages=auto.",
        )


def _require_time_to_refit(options: TrainOptions, spec: Spec) -> None:
    if options.refit and spec.train.max_time != "none":
        raise UsageError(
            "trains once more as long as the best training took, whatever train.max_time says.",
            where="--refit",
            fix="Leave one of the two out.",
        )


def _introduce(plan: Plan, sizes: Mapping[str, int], reporter: Reporter) -> None:
    """The device, the model and the plan, a line each."""
    height, width = plan.spec.data.image_size
    alone = "an earlier body" if plan.spec.trains_head_only else "the layers of the spec"
    name = plan.spec.model.backbone or alone
    begin = _BEGINNINGS.get(plan.start.name, f"weights of {plan.start.name}")
    color = "" if plan.spec.data.color == "rgb" else ", grey"
    body = ", int8" if plan.spec.model.body == "int8" else ""
    device = f"device: {plan.device.describe()}"
    reporter.report(Said(f"{device} · model: {name}, {begin}, {height} x {width} px{color}{body}"))
    reporter.report(plan.summary)
    reporter.report(Said(f"plan: {plan.describe(sizes)}"))


def _folder_of(spec: Spec) -> Path:
    if spec.data.folder is None:
        raise UsageError(
            "no folder of pictures was named.", fix="Type `dlcli train FOLDER` or set data.folder."
        )
    return spec.data.folder


def _is_elsewhere(runs_folder: Path) -> bool:
    from dlcli.runs.run import default_runs_folder

    return runs_folder.resolve() != default_runs_folder().resolve()
