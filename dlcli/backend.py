"""The door to Keras and its backends: the only module that imports them to train.

`prepare()` runs once a process. `from dlcli.backend import keras` works from then on and is
refused before, so that no import order can start a framework by accident.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from dlcli import processor
from dlcli.errors import ResourceError
from dlcli.machine.device import CPU, GPU, Choice, Cluster, Device, cpu
from dlcli.machine.driver import Gpu, find_driver, read_capability
from dlcli.machine.gpu import CPU_INSTALLS, OK, VISIBLE, Check, check_visible, examine

if TYPE_CHECKING:
    keras: Any

Model: TypeAlias = Any
"""A keras.Model, for signatures: Keras carries no type information."""

_prepared: dict[str, Any] = {}


def prepare(
    *,
    seed: int = 0,
    backend: str = "tensorflow",
    device: str = "auto",
    deterministic: bool = False,
    cluster: Cluster | None = None,
) -> None:
    """Starts Keras on a backend and a device, quietly and with every random state seeded; with a
    `cluster` together with its other processes, which jax alone can.

    A second call with the same choice does nothing.

    Raises:
        ResourceError: if the backend is not installed, or has no GPU where one is asked for.
        RuntimeError: for a second call with another choice.
    """
    choice = {"seed": seed, **vars(Choice(device, backend, deterministic, cluster))}
    if _prepared:
        if not _serves(choice):
            raise RuntimeError(f"Keras already runs with {_prepared['choice']}, not {choice}")
        return
    _require_installed(backend)
    processor.keep_freed_memory()
    _set_environment(backend, device, deterministic)
    with _own_keras_home(), _without_matplotlib(), processor.silenced_stderr():
        framework = importlib.import_module(backend)
        if cluster is not None:
            _join(framework, cluster, device)
        gpus = () if device == CPU else _FIND_GPUS[backend](framework)
        if backend == "torch" and not gpus:
            os.environ["KERAS_TORCH_DEVICE"] = "cpu"  # Keras would take any accelerator
        import keras
    if device == GPU and not gpus:
        raise _no_gpu(backend, examine(backend).fault)
    found = replace(_device(gpus, backend), backend=backend, deterministic=deterministic)
    if cluster is not None:
        found = replace(found, processes=cluster.num_processes)
    _set_up(framework, found)
    _seed(framework, backend, seed)
    _prepared.update({"choice": choice, "keras": keras, "device": found, backend: framework})


def require(choice: Choice) -> None:
    """Whether a choice could be had, without starting anything here.

    Raises:
        ResourceError: if the backend is not installed, or has no GPU where one is asked for.
    """
    _require_installed(choice.backend)
    if choice.device == GPU and (fault := examine(choice.backend).fault) is not None:
        raise _no_gpu(choice.backend, fault)


def _serves(choice: dict[str, Any]) -> bool:
    """Whether what runs is what is wanted; any device is right for `auto`."""
    runs = {**_prepared["choice"], "device": choice["device"]}
    return runs == choice and choice["device"] in ("auto", _prepared["device"].kind)


def tensorflow() -> Any:
    """The tensorflow module, for what Keras has no words for; it must be the backend."""
    return _module("tensorflow")


def cluster() -> Cluster | None:
    """The processes that take each step together; None for one alone."""
    found: Cluster | None = _prepared["choice"]["cluster"]
    return found


def device() -> Device:
    """What Keras runs on; its precision is the training's own matter."""
    found: Device = _prepared["device"]
    return found


def jit_compile() -> str | bool:
    """What `compile` is to be told. XLA is for GPUs: on a CPU TensorFlow is ten times slower with
    it. JAX knows nothing else, and is slower still where it compiles each operation by itself.
    Keras turns `auto` off for layers that XLA cannot compile, and where ops are deterministic. What
    TensorFlow spreads over many devices XLA cannot compile."""
    running = device()
    if running.backend == "tensorflow" and running.count > 1:
        return False
    return "auto" if running.kind == GPU or running.backend == "jax" else False


def missed_gpu() -> Gpu | None:
    """A GPU that the driver knows and the backend does not, where nobody hid it."""
    if device().kind == GPU or _prepared["choice"]["device"] != "auto":
        return None
    gpus = find_driver().gpus
    is_seen = check_visible(os.environ.get(VISIBLE), len(gpus)).status == OK
    return gpus[0] if gpus and is_seen else None


def keeps_random_state_in_variables() -> bool:
    """Whether all that a model draws follows from its variables. On torch a dropout layer draws
    from the state of the whole process: see `seed_step`."""
    return device().backend != "torch"


def seed(number: int) -> None:
    """Seeds every random state anew, so that what is built next begins as it would have first."""
    name = str(_prepared["choice"]["backend"])
    _seed(_module(name), name, number)


def seed_step(*numbers: int) -> None:
    """Lets what torch draws from now on follow from these numbers."""
    torch: Any = _module("torch")
    torch.manual_seed(int(np.random.SeedSequence(numbers).generate_state(1)[0]))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a step failed because its tensors do not fit into the memory of the device."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & {"ResourceExhaustedError", "OutOfMemoryError", "MemoryError"}:
        return True
    return "RuntimeError" in names and any(words in str(error) for words in _OUT_OF_MEMORY)


_OUT_OF_MEMORY = ("RESOURCE_EXHAUSTED", "Out of memory", "can't allocate memory")


def is_indeterministic(error: BaseException) -> bool:
    """Whether a step failed because an op has no deterministic implementation."""
    return "determinis" in str(error) and device().deterministic


def _join(jax: Any, cluster: Cluster, device: str) -> None:
    """Connects jax with the other processes. That one is gone we notice ourselves, and end with a
    sentence; jax is to wait so long, where it would abort."""
    jax.config.update("jax_enable_recoverability", True)
    local = None if device == CPU or cluster.local_id is None else [cluster.local_id]
    jax.distributed.initialize(
        cluster.address,
        cluster.num_processes,
        cluster.process_id,
        local_device_ids=local,
        cluster_detection_method="deactivate",
        heartbeat_timeout_seconds=_JAX_PATIENCE,
        shutdown_timeout_seconds=_JAX_PATIENCE,
    )
    from jax._src import xla_bridge
    from jax._src.lib import _jax
    from jax.experimental.multihost_utils import sync_global_devices
    from jax.extend.backend import register_backend_factory

    def connected_cpu() -> Any:
        """jax would connect processors at what the host's own name stands for: on Debian that is
        127.0.1.1, and elsewhere it may stand for nothing."""
        client = jax._src.distributed.global_state.client
        return xla_bridge.make_cpu_client(
            _jax.make_gloo_tcp_collectives(client, hostname=cluster.own_address)
        )

    register_backend_factory(CPU, connected_cpu, priority=0, fail_quietly=False)
    try:
        with processor.silenced_stdout():  # where Gloo says whom it has reached
            sync_global_devices("dlcli")
    except RuntimeError as error:
        raise ResourceError(
            f"jax does not reach the other processes: {str(error).partition(chr(10))[0]}.",
            where="--hosts",
            fix="Let these hosts reach each other at all ports.",
        ) from error


def leave() -> None:
    """Takes leave of the other processes, if there are any; process 0 goes last."""
    if _prepared and cluster() is not None:
        _module("jax").distributed.shutdown()


_JAX_PATIENCE = 600


def _device(gpus: Sequence[Gpu], backend: str) -> Device:
    if not gpus:
        return cpu()
    count = 1 if backend == "torch" else len(gpus)
    return Device(GPU, processor.num_threads(), gpus[0].name, gpus[0].capability, count=count)


def _require_installed(backend: str) -> None:
    if importlib.util.find_spec(backend) is None:
        raise ResourceError(
            f"{backend} is not installed.",
            where=f"--backend {backend}",
            fix=f"Install it: {CPU_INSTALLS[backend]}",
        )


def _no_gpu(backend: str, fault: Check | None) -> ResourceError:
    """What the doctor finds."""
    what = fault.detail if fault else f"{backend} finds none"
    fix = fault.fix if fault else "See dlcli doctor."
    return ResourceError(f"there is no GPU to train on: {what}.", where="--device gpu", fix=fix)


def _set_environment(backend: str, device: str, deterministic: bool) -> None:
    """What is read while a framework is imported."""
    os.environ["KERAS_BACKEND"] = backend
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    if device == CPU:
        os.environ[VISIBLE] = "-1"
        os.environ["JAX_PLATFORMS"] = "cpu"
    # A share of the memory for each process, as XLA would take it, leaves too little for two.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    os.environ.setdefault("NPROC", str(processor.num_threads()))  # JAX's threads on a CPU
    if deterministic:
        flags = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def _tensorflow_gpus(tensorflow: Any) -> tuple[Gpu, ...]:
    found = []
    for one in tensorflow.config.list_physical_devices(GPU.upper()):
        details = tensorflow.config.experimental.get_device_details(one)
        found.append(Gpu(details.get("device_name", one.name), details.get("compute_capability")))
    return tuple(found)


def _jax_gpus(jax: Any) -> tuple[Gpu, ...]:
    try:
        devices = jax.devices(GPU)
    except RuntimeError:  # there are none
        return ()
    return tuple(Gpu(one.device_kind, read_capability(one.compute_capability)) for one in devices)


def _torch_gpus(torch: Any) -> tuple[Gpu, ...]:
    cuda = torch.cuda
    return tuple(
        Gpu(cuda.get_device_name(number), cuda.get_device_capability(number))
        for number in range(cuda.device_count())
    )


_FIND_GPUS = {"tensorflow": _tensorflow_gpus, "jax": _jax_gpus, "torch": _torch_gpus}


def _set_up(framework: Any, device: Device) -> None:
    """Threads, memory and determinism, as far as the environment does not say them."""
    threads, has_gpu = processor.num_threads(), device.kind == GPU
    if device.backend == "tensorflow":
        config = framework.config
        config.threading.set_intra_op_parallelism_threads(threads)
        config.threading.set_inter_op_parallelism_threads(threads)
        for gpu in config.list_physical_devices(GPU.upper()) if has_gpu else ():
            config.experimental.set_memory_growth(gpu, enable=True)
        if has_gpu and device.deterministic:  # on a CPU its ops are so as they are
            config.experimental.enable_op_determinism()
    elif device.backend == "torch":
        framework.set_num_threads(threads)
        if has_gpu and device.deterministic:
            framework.use_deterministic_algorithms(mode=True)


def _seed(framework: Any, backend: str, seed: int) -> None:
    """Every random state. Keras' own function would import TensorFlow where it is not used, which
    takes seconds and memory."""
    random.seed(seed)  # from which Keras takes the seed of each layer
    np.random.seed(seed)
    if backend == "tensorflow":
        framework.random.set_seed(seed)
    elif backend == "torch":
        framework.manual_seed(seed)


def _module(name: str) -> ModuleType:
    if not _prepared:
        raise ImportError(f"dlcli.backend.prepare() must run before {name} is used")
    if name not in _prepared:
        raise ImportError(f"Keras runs on {_prepared['choice']['backend']}, not on {name}")
    module: ModuleType = _prepared[name]
    return module


def __getattr__(name: str) -> ModuleType:
    if name == "keras":
        return _module("keras")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@contextlib.contextmanager
def _without_matplotlib() -> Iterator[None]:
    """Keras would import it, with all that pyplot needs, for galleries that nobody asks for."""
    if "matplotlib" in sys.modules:
        yield
        return
    sys.modules["matplotlib"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["matplotlib"]


@contextlib.contextmanager
def _own_keras_home() -> Iterator[None]:
    """Keras writes keras.json into its home on import: it gets a home that vanishes."""
    if "KERAS_HOME" in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="dlcli-keras-") as home:
        os.environ["KERAS_HOME"] = home
        try:
            yield
        finally:
            del os.environ["KERAS_HOME"]
