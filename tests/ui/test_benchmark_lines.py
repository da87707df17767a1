"""The table of dlcli benchmark."""

from __future__ import annotations

from dataclasses import replace

from dlcli.commands.benchmark import BenchmarkResult, Pace, TimedModel
from dlcli.ui.benchmark_lines import benchmark_lines

LITERT = TimedModel(
    "runs/a",
    "runs/a",
    "litert",
    "float32",
    13_500_000,
    46,
    "pictures of val and test",
    0.957,
    Pace(0.0061, 0.0063, 216.4),
)


def test_each_target_has_a_table_and_each_model_a_row() -> None:
    int8 = replace(LITERT, target="small", body="int8", size_bytes=4_000_000)
    noise = replace(int8, format="onnx", source="pictures of noise", num_images=16, accuracy=None)
    slow = replace(LITERT, format="keras", pace=Pace(1.25, 1.5, 0.8))
    lines = list(benchmark_lines(BenchmarkResult("AMD EPYC", 2, (LITERT, slow, int8, noise))))
    assert [line.split() for line in lines if " MB" in line] == [
        ["litert", "6.1", "ms", "6.3", "ms", "216", "13.5", "MB", "95.7%"],
        ["keras", "1,250.0", "ms", "1,500.0", "ms", "1", "13.5", "MB", "95.7%"],
        ["litert", "int8", "6.1", "ms", "6.3", "ms", "216", "4.0", "MB", "95.7%"],
        ["onnx", "int8", "6.1", "ms", "6.3", "ms", "216", "4.0", "MB", "-"],
    ]
    assert [line for line in lines if line in (" runs/a", " small")] == [" runs/a", " small"]
    assert "   right: of 46 pictures of val and test" in lines
    only_noise = list(benchmark_lines(BenchmarkResult("AMD EPYC", 1, (noise,))))
    assert only_noise[-3:] == [
        "   timed on 16 pictures of noise",
        "",
        " On 1 thread of AMD EPYC; pictures were read beforehand.",
    ]
    assert lines[-1] == " On 2 threads of AMD EPYC; pictures were read beforehand."
    assert max(map(len, lines)) <= 80
