"""What /proc/cpuinfo tells, and what this machine is."""

from __future__ import annotations

import os

from dlcli.machine.cpu import cores_of, find_cpu, instructions_of, model_of

TWO_CORES = """\
processor\t: 0
model name\t: A Processor @ 2.00GHz
physical id\t: 0
core id\t\t: 0
flags\t\t: fpu sse avx avx2 avx512f amx_tile

processor\t: 1
model name\t: A Processor @ 2.00GHz
physical id\t: 0
core id\t\t: 0
flags\t\t: fpu sse avx avx2 avx512f amx_tile

processor\t: 2
physical id\t: 0
core id\t\t: 1

processor\t: 3
physical id\t: 0
core id\t\t: 1
"""


def test_model_cores_and_instructions_are_read() -> None:
    assert model_of(TWO_CORES) == "A Processor @ 2.00GHz"
    assert cores_of(TWO_CORES) == 2, "of four processors two share a core each"
    assert instructions_of(TWO_CORES) == ("AVX2", "AVX-512", "AMX")
    assert instructions_of(TWO_CORES.replace("avx512f amx_tile", "avx512vl")) == ("AVX2",)
    assert instructions_of("flags\t: fpu sse\n") == ()


def test_where_nothing_is_told_nothing_is_known() -> None:
    assert (model_of(""), cores_of(""), instructions_of("")) == (None, None, None)


def test_this_machine_has_a_processor_and_memory() -> None:
    cpu = find_cpu()
    assert cpu.model
    assert 1 <= cpu.allowed <= cpu.processors
    assert cpu.threads >= 1
    if hasattr(os, "sysconf"):
        assert (cpu.memory_bytes or 0) > 2**28
