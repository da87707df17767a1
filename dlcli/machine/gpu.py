"""What stands between this machine's GPU and a framework, in the order in which it is mended:
driver, CUDA_VISIBLE_DEVICES, build, packages, libraries, compute capability."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from dlcli.machine.ask import LIBRARIES
from dlcli.machine.driver import Driver, Gpu, find_driver
from dlcli.machine.frameworks import Framework, find_framework

OK, FAULT, SKIPPED = "ok", "fault", "skipped"
VISIBLE = "CUDA_VISIBLE_DEVICES"
DRIVER_PAGE = "https://www.nvidia.com/drivers"
INSTALLS = {
    "tensorflow": "pip install 'dlcli-vision[gpu]'",
    "jax": "pip install 'dlcli-vision[jax-gpu]'",
    "torch": "pip install 'dlcli-vision[torch]'",
}
CPU_INSTALLS = {**INSTALLS, "jax": "pip install 'dlcli-vision[jax]'"}
_NAMES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
_LEAST_CAPABILITIES = {12: (5, 0), 13: (7, 5)}
"""By CUDA's major version."""

_LEAST_DRIVERS = {12: 525, 13: 580}
_WSL = "Use WSL2: there is no GPU for it on Windows itself."


@dataclass(frozen=True)
class Check:
    """One step: its `status` is ok, fault or skipped, `detail` what was found, and `fix` a
    sentence or a command where there is a fault."""

    name: str
    status: str
    detail: str
    fix: str = ""


@dataclass(frozen=True)
class Examination:
    """All steps for one backend."""

    backend: str
    version: str | None
    checks: tuple[Check, ...]

    @property
    def fault(self) -> Check | None:
        """The first thing to mend; None where the backend has a GPU."""
        return next((check for check in self.checks if check.status == FAULT), None)


def examine(
    backend: str,
    driver: Driver | None = None,
    environment: Mapping[str, str] = os.environ,
    find: Callable[[str], Framework] = find_framework,
    system: str = sys.platform,
) -> Examination:
    """Why a backend has no GPU here, or that it has one. The framework itself, which takes
    seconds, is asked only where there is a GPU that it might see."""
    driver = driver or find_driver()
    first = (
        check_driver(driver, system),
        check_visible(environment.get(VISIBLE), len(driver.gpus)),
    )
    if any(check.status == FAULT for check in first):
        rest = tuple(
            Check(name, SKIPPED, "without a GPU that can be seen") for name in _FRAMEWORK_CHECKS
        )
        return Examination(backend, None, (*first, *rest))
    framework = find(backend)
    return Examination(
        backend, framework.version, (*first, *check_framework(framework, driver, system))
    )


def check_driver(driver: Driver, system: str) -> Check:
    """Whether there are a driver and a GPU."""
    if system == "darwin":
        return Check("driver", FAULT, "there is none for macOS", "Train with --device cpu.")
    if driver.fault is None:
        names = ", ".join(gpu.name for gpu in driver.gpus)
        version = f"driver {driver.version}, " if driver.version else ""
        return Check("driver", OK, f"{version}{names}")
    fix = (
        f"If there is an NVIDIA GPU, install its driver ({DRIVER_PAGE}); in a container, start it "
        "with --gpus all."
    )
    return Check("driver", FAULT, driver.fault, fix)


def check_visible(value: str | None, num_gpus: int) -> Check:
    """Whether CUDA_VISIBLE_DEVICES hides all GPUs: what comes behind a wrong entry counts for
    nothing, so the first one decides."""
    if value is None:
        return Check(VISIBLE, OK, "is not set")
    first = value.split(",")[0].strip()
    number = first.removeprefix("-")
    is_hidden = not first or (
        number.isdecimal() and (first.startswith("-") or not int(number) < max(1, num_gpus))
    )
    if not is_hidden:
        return Check(VISIBLE, OK, f"is {value!r}")
    fix = f"Unset it (unset {VISIBLE}), or set it to the number of a GPU, such as 0."
    return Check(VISIBLE, FAULT, f"is {value!r}, which hides every GPU", fix)


def check_framework(framework: Framework, driver: Driver, system: str) -> Iterator[Check]:
    """Build, packages, libraries and compute capability of an installed framework."""
    backend, name = framework.backend, _NAMES[framework.backend]
    install = _WSL if system == "win32" else INSTALLS[backend]
    if framework.version is None or framework.fault is not None:
        what = f"{name} is not installed"
        if framework.fault is not None:
            what = f"{name} {framework.version} does not start ({framework.fault})"
        yield Check("build", FAULT, what, install)
        yield from (Check(rest, SKIPPED, "") for rest in _FRAMEWORK_CHECKS[1:])
        return
    if framework.cuda is None:
        what = f"{name} {framework.version} is built for CPUs alone"
        # An extra that brings the same package again would change nothing.
        again = "pip install --force-reinstall torch"
        yield Check("build", FAULT, what, again if backend == "torch" else install)
        yield from (Check(rest, SKIPPED, "") for rest in _FRAMEWORK_CHECKS[1:])
        return
    major = int(framework.cuda.partition(".")[0])
    yield _check_build(framework, name, major, driver)
    # A framework that finds a GPU has found what it needs, wherever that lies.
    missing = () if framework.num_devices else framework.missing
    yield _check_packages(framework, LIBRARIES.get(major, {}), missing, install)
    yield _check_libraries(missing, install)
    yield _check_capability(framework, name, major, driver.gpus)


_FRAMEWORK_CHECKS = ("build", "packages", "libraries", "compute capability")


def _check_build(framework: Framework, name: str, major: int, driver: Driver) -> Check:
    what = f"{name} {framework.version} is built with CUDA {framework.cuda}"
    least = _LEAST_DRIVERS.get(major)
    number = (driver.version or "").partition(".")[0]
    if least is not None and number.isdecimal() and int(number) < least:
        fix = f"Install a newer driver ({DRIVER_PAGE})."
        what = f"{what}, which needs driver {least} or newer; {driver.version} is installed"
        return Check("build", FAULT, what, fix)
    return Check("build", OK, what)


def _check_packages(
    framework: Framework, libraries: Mapping[str, str], missing: tuple[str, ...], install: str
) -> Check:
    """A package that is not there is a fault where what it brings is not there either."""
    absent = [package for package, version in framework.packages if version is None]
    needed = {libraries.get(library) for library in missing}
    if lacking := [package for package in absent if package in needed]:
        return Check("packages", FAULT, f"not installed: {', '.join(lacking)}", install)
    present = [f"{package} {version}" for package, version in framework.packages if version]
    return Check("packages", OK, ", ".join(present) or "CUDA is the system's own")


def _check_libraries(missing: tuple[str, ...], install: str) -> Check:
    if missing:
        fix = install.replace("pip install", "pip install --force-reinstall")
        return Check("libraries", FAULT, f"cannot be loaded: {', '.join(missing)}", fix)
    return Check("libraries", OK, "all can be loaded")


def _check_capability(framework: Framework, name: str, major: int, gpus: tuple[Gpu, ...]) -> Check:
    """One GPU that serves is enough."""
    known = [gpu.capability for gpu in gpus if gpu.capability]
    found = ", ".join(_text(capability) for capability in known) or "not known"
    least = max(min(framework.capabilities, default=(0, 0)), _LEAST_CAPABILITIES.get(major, (0, 0)))
    most = max(framework.capabilities, default=None)
    serving = [one for one in known if one >= least and (most is None or one <= most)]
    if known and not serving:
        bounds = f"{_text(least)} and newer" if most is None else f"{_text(least)}-{_text(most)}"
        what = f"{found}; {name} {framework.version} is built for {bounds}"
        return Check("compute capability", FAULT, what, _for_capability(framework, max(known)))
    if not framework.num_devices and not framework.missing:
        what = f"{found}; all is there, and yet {name} {framework.version} finds no GPU"
        fix = "Close what uses the GPU, restart the machine, or update the driver."
        return Check("compute capability", FAULT, what, fix)
    return Check("compute capability", OK, found)


def _for_capability(framework: Framework, capability: tuple[int, int]) -> str:
    if framework.backend != "jax" and capability >= _LEAST_CAPABILITIES[13]:
        return INSTALLS["jax"]
    return "No backend that dlcli knows serves this GPU: train with --device cpu."


def _text(capability: tuple[int, int]) -> str:
    return ".".join(map(str, capability))
