"""What a training runs on, in words, and the precision that pays there."""

from __future__ import annotations

import pytest

from dlcli.machine.device import CPU, GPU, Device, choose_precision, cpu, doubt_precision

TWO_THREADS = Device(CPU, 2)


def gpu(*capability: int) -> Device:
    return Device(GPU, 2, "NVIDIA L4", (capability[0], capability[1]) if capability else None)


@pytest.mark.parametrize(
    ("device", "words"),
    [
        (TWO_THREADS, "CPU, 2 threads"),
        (Device(CPU, 1, backend="tensorflow", precision="float32"), "CPU, 1 thread"),
        (Device(CPU, 2, backend="jax", precision="float32"), "CPU, 2 threads, jax"),
        (Device(GPU, 2), "GPU"),
        (
            Device(GPU, 2, "NVIDIA L4", (8, 9), "jax", "mixed_bfloat16"),
            "GPU, NVIDIA L4, mixed_bfloat16, jax",
        ),
        (Device(GPU, 2, "NVIDIA L4", count=4), "4 GPUs, NVIDIA L4"),
    ],
)
def test_a_device_in_words(device: Device, words: str) -> None:
    assert device.describe() == words


def test_a_device_for_a_file_holds_how_many_there_are() -> None:
    assert Device(GPU, 2, "NVIDIA L4", count=4).to_json()["count"] == 4


def test_a_device_for_a_file_holds_only_what_it_has() -> None:
    assert TWO_THREADS.to_json() == {"kind": "cpu", "threads": 2, "deterministic": False}
    found = Device(GPU, 2, "NVIDIA L4", (8, 9), "torch", "mixed_bfloat16", True).to_json()
    assert found == {
        "kind": "gpu",
        "threads": 2,
        "name": "NVIDIA L4",
        "capability": "8.9",
        "backend": "torch",
        "precision": "mixed_bfloat16",
        "deterministic": True,
    }


def test_without_a_framework_it_is_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLCLI_THREADS", "3")
    assert cpu() == Device(CPU, 3)


@pytest.mark.parametrize(
    ("device", "precision"),
    [
        (TWO_THREADS, "float32"),
        (gpu(), "float32"),
        (gpu(6, 1), "float32"),
        (gpu(7, 0), "mixed_float16"),
        (gpu(7, 5), "mixed_float16"),
        (gpu(8, 0), "mixed_bfloat16"),
        (gpu(12, 0), "mixed_bfloat16"),
    ],
)
def test_auto_is_the_precision_that_pays(device: Device, precision: str) -> None:
    assert choose_precision("auto", device) == precision
    assert doubt_precision(precision, device) is None


@pytest.mark.parametrize("asked", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_what_is_asked_for_is_taken(asked: str) -> None:
    for device in (TWO_THREADS, gpu(6, 1), gpu(9, 0)):
        assert choose_precision(asked, device) == asked


def test_a_precision_that_does_not_pay_is_doubted() -> None:
    on_cpu = doubt_precision("mixed_bfloat16", TWO_THREADS)
    assert on_cpu == "train.precision mixed_bfloat16 is slower than float32 on a CPU"
    on_gpu = doubt_precision("mixed_bfloat16", gpu(7, 5))
    assert on_gpu == "train.precision mixed_bfloat16 is slower than float32 on NVIDIA L4"
    assert doubt_precision("mixed_float16", gpu(6, 1)) is not None
    assert doubt_precision("mixed_float16", gpu(7, 5)) is None
    assert doubt_precision("mixed_float16", gpu()) is None, "nobody knows"
