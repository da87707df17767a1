"""Which process this is: typed, or from a launcher's environment."""

from __future__ import annotations

import pytest

from dlcli.cluster.launch import PORT, Launch, LaunchOptions, find_launch
from dlcli.errors import UsageError

SLURM = {
    "SLURM_JOB_ID": "41234",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_STEP_NODELIST": "gpu[007-008]",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
}
OPEN_MPI = {
    "OMPI_COMM_WORLD_SIZE": "2",
    "OMPI_COMM_WORLD_RANK": "1",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
    "OMPI_COMM_WORLD_LOCAL_RANK": "1",
}


def test_nothing_typed_and_no_launcher_is_one_process() -> None:
    assert find_launch(LaunchOptions(), {}) is None
    assert find_launch(LaunchOptions(), {"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}) is None
    assert find_launch(LaunchOptions(), {"JOB_COMPLETION_INDEX": "3"}) is None
    assert find_launch(LaunchOptions("a:1234", 1, 0), {}) is None


def test_what_is_typed_counts() -> None:
    typed = LaunchOptions("node0:1234", 3, 2)
    assert find_launch(typed, {}) == Launch("node0", 1234, 3, 2)
    assert find_launch(LaunchOptions("[::1]:1234", 3, 2), {}) == Launch("::1", 1234, 3, 2)
    assert find_launch(LaunchOptions("node0,node1", 2, 0), {}) == Launch("node0", PORT, 2, 0)


def test_a_step_of_slurm_says_all() -> None:
    found = find_launch(LaunchOptions(), SLURM)
    assert found == Launch("gpu007", PORT + 234, 4, 3, local_id=1)
    alone = {**SLURM, "SLURM_STEP_NUM_NODES": "4", "SLURM_STEP_NODELIST": "a1,b2,c3,d4"}
    assert find_launch(LaunchOptions(), alone) == Launch("a1", PORT + 234, 4, 3)


@pytest.mark.parametrize(
    ("name", "value", "local_id"),
    [
        ("CUDA_VISIBLE_DEVICES", "0,1", 1),
        ("CUDA_VISIBLE_DEVICES", "1", None),
        ("SLURM_GPUS_PER_TASK", "2", None),
    ],
)
def test_a_process_takes_all_gpus_that_the_launcher_gave_it_alone(
    name: str, value: str, local_id: int | None
) -> None:
    found = find_launch(LaunchOptions(), {**SLURM, name: value})
    assert found == Launch("gpu007", PORT + 234, 4, 3, local_id)


def test_open_mpi_says_all_on_one_host() -> None:
    assert find_launch(LaunchOptions(), OPEN_MPI) == Launch("127.0.0.1", PORT, 2, 1, local_id=1)
    two_hosts = {**OPEN_MPI, "OMPI_COMM_WORLD_LOCAL_SIZE": "1", "OMPI_COMM_WORLD_LOCAL_RANK": "0"}
    assert find_launch(LaunchOptions("node0"), two_hosts) == Launch("node0", PORT, 2, 1)
    with pytest.raises(UsageError, match=r"--hosts: it is not known"):
        find_launch(LaunchOptions(), two_hosts)


def test_an_indexed_job_of_kubernetes_says_which() -> None:
    typed = LaunchOptions("animals-0.animals:29471", 4)
    environment = {"JOB_COMPLETION_INDEX": "2"}
    assert find_launch(typed, environment) == Launch("animals-0.animals", 29471, 4, 2)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (LaunchOptions("node0:1"), "--num-processes and --process-id: it is not known"),
        (LaunchOptions(None, 2, 0), "--hosts: it is not known"),
        (LaunchOptions("node0:1", 2, 2), "--process-id 2: of 2 processes the last is number 1"),
        (LaunchOptions("node0:none", 2, 0), "--hosts node0:none: that is no host and port"),
        (LaunchOptions("node0:99999", 2, 0), "--hosts node0:99999: that is no host and port"),
    ],
)
def test_what_cannot_be_is_said(typed: LaunchOptions, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        find_launch(typed, {})
