"""One training by many processes: who they are, and what must be the same for all."""

from __future__ import annotations

import _thread
import contextlib
import hashlib
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dlcli.errors import DlcliError, UsageError

if TYPE_CHECKING:
    from dlcli.cluster.launch import Launch, LaunchOptions
    from dlcli.cluster.team import Team
    from dlcli.commands.network_plan import NetworkPlan
    from dlcli.commands.plan import Plan
    from dlcli.commands.train import TrainOptions
    from dlcli.data.dataset import Dataset
    from dlcli.machine.device import Cluster
    from dlcli.spec.schema import Spec

OnEnd = Callable[[DlcliError], None]


@dataclass(frozen=True)
class FollowResult:
    """What a process has that is not the first: process 0 has the run."""

    process_id: int
    num_processes: int


def find_launch_for(options: LaunchOptions, backend: str) -> Launch | None:
    """Which process this is; None for one on its own.

    Raises:
        UsageError: if that is not known, or the backend knows nothing of others.
    """
    from dlcli.cluster.launch import find_launch

    if backend == "jax":
        return find_launch(options, os.environ)
    if options.is_given:
        raise UsageError(
            "many processes train with jax.",
            where=f"--backend {backend}",
            fix="Choose --backend jax, or leave --hosts, --num-processes and --process-id out.",
        )
    return None


@contextlib.contextmanager
def together(options: TrainOptions, on_end: OnEnd) -> Iterator[Team | None]:
    """The other processes, once all have come; None for one on its own.

    Raises:
        SpecError: with every fault of the spec.
        UsageError: for what one process alone can do.
        ResourceError: if one does not come.
    """
    from dlcli import backend
    from dlcli.cluster.team import joined

    if options.launch is None or options.dry_run:
        yield None
        return
    _require_before_meeting(options)
    with joined(options.launch, on_end) as team:
        team.on_interrupt, team.on_leave = _thread.interrupt_main, backend.leave
        if not team.leads:
            signal.signal(signal.SIGINT, lambda *_: team.ask_to_stop())
        yield team


def _require_before_meeting(options: TrainOptions) -> None:
    """What can be known before one waits for another.

    Raises:
        SpecError: with every fault of the spec.
        UsageError: if the processes have nothing to do together.
    """
    from dlcli.commands.train import read_options

    if options.refit:
        raise UsageError(
            "one process trains once more.", where="--refit", fix="Leave it out with many."
        )
    if options.resume is None:
        require_for_many(read_options(options).spec)


def require_for_many(spec: Spec) -> None:
    """Whether the processes have something to do together.

    Raises:
        UsageError: if not.
    """
    if spec.train.max_time != "none":
        raise UsageError(
            "each process has a clock of its own.",
            where="train.max_time",
            fix="Limit train.epochs, or train with one process.",
        )
    if spec.begins_trained:
        raise UsageError(
            "below a head that stands first, layers are trained by one process.",
            where="--hosts",
            fix="Train all layers of a network (model.layers, or model.weights: random), or use "
            "one process with all GPUs of its host.",
        )


def cluster_of(team: Team) -> Cluster:
    """The processes as the framework is to know them."""
    from dlcli.machine.device import Cluster

    launch, meeting = team.launch, team.meeting
    host = f"[{launch.host}]" if ":" in launch.host else launch.host
    return Cluster(
        f"{host}:{meeting.port}",
        launch.num_processes,
        launch.process_id,
        launch.local_id,
        meeting.address,
    )


def with_team(plan: Plan, team: Team) -> NetworkPlan:
    """The plan of many processes."""
    from dlcli.commands.network_plan import NetworkPlan

    if not isinstance(plan, NetworkPlan):
        raise TypeError("many processes train all layers of a network")
    return replace(plan, team=team)


def agree(team: Team, plan: Plan, dataset: Dataset) -> None:
    """Waits for the others, and sees that they have the same spec, pictures and versions.

    Raises:
        DlcliError: if they have not.
    """
    from dlcli.machine.packages import installed_versions
    from dlcli.spec.loader import dump_spec

    versions = installed_versions()
    data = plan.spec.data.model_copy(update={"folder": None, "split_from": None, "exclude": None})
    pictures = hashlib.sha256(repr([*dataset.split_rows()]).encode("utf-8", "surrogateescape"))
    team.agree(
        {
            "spec": dump_spec(plan.spec.model_copy(update={"data": data})),
            "data set": f"{len(dataset.splits)} pictures, {pictures.hexdigest()[:16]}",
            "version": "\n".join(f"{name} {versions[name]}" for name in sorted(versions)),
        }
    )
