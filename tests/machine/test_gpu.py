"""What stands between a GPU and a framework, step by step."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dlcli.machine.driver import Driver, Gpu
from dlcli.machine.frameworks import Framework
from dlcli.machine.gpu import FAULT, OK, SKIPPED, Check, Examination, check_visible, examine

GPU, JAX_GPU = "pip install 'dlcli-vision[gpu]'", "pip install 'dlcli-vision[jax-gpu]'"
H100 = Driver("580.82.07", (Gpu("NVIDIA H100", (9, 0)),))
BUILT_FOR = ((6, 0), (7, 0), (8, 0), (8, 9), (9, 0))
WHOLE = Framework(
    "tensorflow", "2.21.0", "12.5.1", BUILT_FOR, 1, (("nvidia-cudnn-cu12", "9.3.0.75"),)
)
STEPS = ["driver", "CUDA_VISIBLE_DEVICES", "build", "packages", "libraries", "compute capability"]


def examined(
    framework: Framework = WHOLE,
    driver: Driver = H100,
    environment: dict[str, str] | None = None,
    system: str = "linux",
) -> Examination:
    found = examine(framework.backend, driver, environment or {}, lambda _: framework, system)
    assert [check.name for check in found.checks] == STEPS
    return found


def fault(*args: object, **more: object) -> Check:
    found = examined(*args, **more).fault  # type: ignore[arg-type]
    assert found is not None
    return found


def test_where_all_is_there_each_step_is_ok() -> None:
    found = examined()
    assert found.fault is None
    assert {check.status for check in found.checks} == {OK}
    assert found.checks[0].detail == "driver 580.82.07, NVIDIA H100"
    assert found.checks[3].detail == "nvidia-cudnn-cu12 9.3.0.75"


def test_without_a_driver_the_framework_is_not_asked() -> None:
    def find(_: str) -> Framework:
        raise AssertionError("it takes seconds")

    found = examine("tensorflow", Driver(None, (), "no NVIDIA driver was found"), {}, find, "linux")
    assert found.fault == found.checks[0]
    assert found.fault.detail == "no NVIDIA driver was found"
    assert "--gpus all" in found.fault.fix
    assert {check.status for check in found.checks[2:]} == {SKIPPED}


@pytest.mark.parametrize("value", ["", "-1", "-1,0", "1", "7,0", " "])
def test_a_variable_that_hides_the_gpu_is_a_fault(value: str) -> None:
    found = fault(environment={"CUDA_VISIBLE_DEVICES": value})
    assert found.name == "CUDA_VISIBLE_DEVICES"
    assert found.detail == f"is {value!r}, which hides every GPU"
    assert "unset CUDA_VISIBLE_DEVICES" in found.fix


@pytest.mark.parametrize("value", ["0", "0,5", "0,-1", "GPU-8932f937", "MIG-abc", None])
def test_a_variable_that_leaves_a_gpu_is_none(value: str | None) -> None:
    assert check_visible(value, 1).status == OK


def test_the_third_gpu_counts_where_there_are_three() -> None:
    assert check_visible("2", 3).status == OK
    assert check_visible("2", 2).status == FAULT


@pytest.mark.parametrize(
    ("framework", "detail", "fix"),
    [
        (
            Framework("tensorflow", "2.21.0"),
            "TensorFlow 2.21.0 is built for CPUs alone",
            GPU,
        ),
        (Framework("jax", "0.10.2"), "JAX 0.10.2 is built for CPUs alone", JAX_GPU),
        (
            Framework("torch", "2.13.0+cpu"),
            "PyTorch 2.13.0+cpu is built for CPUs alone",
            "pip install --force-reinstall torch",
        ),
        (Framework("jax", None), "JAX is not installed", JAX_GPU),
        (
            Framework("tensorflow", "2.21.0", fault="it did not end within 120 s"),
            "TensorFlow 2.21.0 does not start (it did not end within 120 s)",
            GPU,
        ),
    ],
)
def test_a_build_without_cuda_is_a_fault(framework: Framework, detail: str, fix: str) -> None:
    assert fault(framework) == Check("build", FAULT, detail, fix)


def test_a_driver_too_old_for_the_build_is_a_fault() -> None:
    jax = Framework("jax", "0.10.2", "13", num_devices=0)
    found = fault(jax, replace(H100, version="535.104.05"))
    assert "needs driver 580 or newer; 535.104.05 is installed" in found.detail
    assert examined(WHOLE, replace(H100, version="535.104.05")).fault is None


def test_a_package_that_is_missing_is_named_with_what_installs_it() -> None:
    packages = (("nvidia-cudnn-cu12", None), ("nvidia-cublas-cu12", "12.5.3.2"))
    broken = replace(WHOLE, num_devices=0, packages=packages, missing=("libcudnn.so.9",))
    found = examined(broken)
    assert found.fault == Check("packages", FAULT, "not installed: nvidia-cudnn-cu12", GPU)
    assert found.checks[4].status == FAULT


def test_a_library_that_cannot_be_loaded_though_its_package_is_there_is_named() -> None:
    broken = replace(WHOLE, num_devices=0, missing=("libcudnn.so.9",))
    expected = Check(
        "libraries",
        FAULT,
        "cannot be loaded: libcudnn.so.9",
        "pip install --force-reinstall 'dlcli-vision[gpu]'",
    )
    assert fault(broken) == expected


def test_the_systems_own_cuda_serves_without_packages() -> None:
    found = examined(replace(WHOLE, packages=(("nvidia-cudnn-cu12", None),)))
    assert found.fault is None
    assert found.checks[3].detail == "CUDA is the system's own"


def test_a_gpu_too_new_for_tensorflow_is_one_for_jax() -> None:
    blackwell = Driver("580.82.07", (Gpu("NVIDIA B200", (10, 0)),))
    found = fault(WHOLE, blackwell)
    assert found.name == "compute capability"
    assert found.detail == "10.0; TensorFlow 2.21.0 is built for 6.0-9.0"
    assert found.fix == JAX_GPU
    jax = Framework("jax", "0.10.2", "13", num_devices=1)
    assert examined(jax, blackwell).fault is None


def test_a_gpu_too_old_for_all_is_told_as_such() -> None:
    kepler = Driver("580.82.07", (Gpu("Tesla K80", (3, 7)),))
    assert "--device cpu" in fault(WHOLE, kepler).fix


def test_one_gpu_that_serves_is_enough() -> None:
    both = Driver("580.82.07", (Gpu("NVIDIA B200", (10, 0)), Gpu("NVIDIA L4", (8, 9))))
    assert examined(WHOLE, both).fault is None


def test_a_gpu_that_is_not_found_though_all_is_there_is_no_silence() -> None:
    assert "finds no GPU" in fault(replace(WHOLE, num_devices=0)).detail


def test_windows_and_macos_are_told_what_there_is() -> None:
    windows = fault(Framework("tensorflow", "2.21.0"), system="win32")
    assert "WSL2" in windows.fix
    found = fault(WHOLE, Driver(None, (), "no driver"), system="darwin")
    assert found.detail == "there is none for macOS"
