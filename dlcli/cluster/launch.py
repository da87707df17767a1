"""Which process of how many this is: as it was typed, or as SLURM, Open MPI or Kubernetes say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from dlcli.errors import UsageError

PORT = 29471
"""Where process 0 is met unless another port is named."""

_DEALT_GPUS = {"SLURM_GPUS_PER_TASK", "SLURM_NTASKS_PER_GPU"}

_NUMBERED = re.compile(r"([^,\[]+)(?:\[(\d+)[^\]]*\])?")
"""The first host of a list as SLURM writes it: `node[003-007,012]`."""


@dataclass(frozen=True)
class Launch:
    """Process `process_id` of `num_processes`, which meet at `host:port`, where process 0 runs.
    `local_id` counts those of one host from 0, each of which takes the GPU of that number; None
    where a process takes all that it sees."""

    host: str
    port: int
    num_processes: int
    process_id: int
    local_id: int | None = None


@dataclass(frozen=True)
class LaunchOptions:
    """What was typed; None for what was not."""

    hosts: str | None = None
    num_processes: int | None = None
    process_id: int | None = None

    @property
    def is_given(self) -> bool:
        """Whether anything was."""
        return self != LaunchOptions()


def find_launch(options: LaunchOptions, environment: Mapping[str, str]) -> Launch | None:
    """The launch that options and environment amount to; None for a process on its own.

    Raises:
        UsageError: if one of the three is missing, or no such process can be.
    """
    known = _of_launcher(environment)
    host, port = _address(options.hosts or known.get("host"), environment)
    num_processes = options.num_processes or _number(known.get("num_processes"))
    process_id = options.process_id
    if process_id is None:
        process_id = _number(known.get("process_id"))
    if not options.is_given and (num_processes or 1) == 1:
        return None
    missing = [
        name
        for name, value in (
            ("--hosts", host),
            ("--num-processes", num_processes),
            ("--process-id", process_id),
        )
        if value is None
    ]
    if missing or host is None or num_processes is None or process_id is None:
        raise UsageError(
            "it is not known how many processes there are, which one this is, and where they meet.",
            where=" and ".join(missing),
            fix="Name it, e.g. --hosts node0:29471 --num-processes 2 --process-id 0. SLURM's srun "
            "and Open MPI's mpirun say it themselves, a Kubernetes job the --process-id.",
        )
    if not 0 <= process_id < num_processes:
        raise UsageError(
            f"of {num_processes} processes the last is number {num_processes - 1}.",
            where=f"--process-id {process_id}",
            fix="They are counted from 0.",
        )
    if num_processes == 1:
        return None
    num_local = _number(known.get("num_local")) or 1
    shares_gpus = num_local > 1 and not _has_own_gpus(environment, num_local)
    local_id = _number(known.get("local_id")) if shares_gpus else None
    return Launch(host, port, num_processes, process_id, local_id)


def _has_own_gpus(environment: Mapping[str, str], num_local: int) -> bool:
    """Whether the launcher has dealt the GPUs of the host to its processes, each of which sees all
    that it may take, and no others."""
    visible = environment.get("CUDA_VISIBLE_DEVICES", "")
    is_few = bool(visible) and len(visible.split(",")) < num_local
    return is_few or not environment.keys().isdisjoint(_DEALT_GPUS)


def _of_launcher(environment: Mapping[str, str]) -> dict[str, str]:
    """What the launcher has left in the environment; only a step of SLURM is one, not the script
    that a whole job begins with."""
    if "OMPI_COMM_WORLD_SIZE" in environment:
        names = {
            "num_processes": "OMPI_COMM_WORLD_SIZE",
            "process_id": "OMPI_COMM_WORLD_RANK",
            "num_local": "OMPI_COMM_WORLD_LOCAL_SIZE",
            "local_id": "OMPI_COMM_WORLD_LOCAL_RANK",
        }
        found = _present(names, environment)
        is_on_one_host = found.get("num_local") == found["num_processes"]
        return {**found, "host": "127.0.0.1"} if is_on_one_host else found
    if environment.get("SLURM_STEP_NUM_TASKS", "1") != "1":
        names = {
            "num_processes": "SLURM_STEP_NUM_TASKS",
            "process_id": "SLURM_PROCID",
            "local_id": "SLURM_LOCALID",
            "host": "SLURM_STEP_NODELIST",
        }
        found = _present(names, environment)
        num_hosts = environment.get("SLURM_STEP_NUM_NODES", "1")
        num_local = -(-int(found["num_processes"]) // int(num_hosts))
        return {**found, "num_local": str(num_local)}
    return _present({"process_id": "JOB_COMPLETION_INDEX"}, environment)


def _present(names: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    return {key: environment[name] for key, name in names.items() if name in environment}


def _address(named: str | None, environment: Mapping[str, str]) -> tuple[str | None, int]:
    """The first host of a list, where process 0 runs, and the port. On one machine several
    trainings meet at ports of their own, which a job's number tells apart."""
    if not named:
        return None, PORT
    first, colon, port = named.split(",")[0].rpartition(":")
    if colon and port.isdecimal() and 0 < int(port) < 65536:
        return first.strip("[]"), int(port)
    match = _NUMBERED.match(named)
    if colon or match is None:
        raise UsageError(
            "that is no host and port.", where=f"--hosts {named}", fix="E.g. --hosts node0:29471"
        )
    job = _number(environment.get("SLURM_JOB_ID")) or 0
    return f"{match[1]}{match[2] or ''}", PORT + job % 1000


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None
