"""A run folder for a training: where it may be, and what is written into it first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.errors import UsageError

if TYPE_CHECKING:
    from dlcli.commands.plan import Plan
    from dlcli.commands.train import TrainOptions
    from dlcli.data.dataset import Dataset
    from dlcli.runs.run import Run
    from dlcli.spec.schema import Spec

MANIFEST_SUFFIX = ".csv"


def require_room(options: TrainOptions, folder: Path) -> None:
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


def open_new_run(options: TrainOptions, plan: Plan, dataset: Dataset) -> Run:
    """Creates it, with all that says how the training was begun."""
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
            "options": options.to_json(),
            **describe_environment(plan.device),
            "seed": plan.spec.train.seed,
            "data": {
                "folder": str(index.folder.resolve()),
                "source": str(index.source.resolve()),
                "fingerprint": dataset.store.key,
                "classes": list(dataset.class_names),
                "num_images": dataset.num_images(),
            },
            "skipped": [{"path": file.path, "reason": file.reason} for file in dataset.skipped],
        },
    )
    spec = dump_spec(_with_whole_paths(plan.spec, dataset))
    described = plan.describe(dataset.num_images())
    files.write_text(opened.folder / files.SPEC, f"# plan: {described}\n{spec}")
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
