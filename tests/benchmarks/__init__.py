"""Benchmarks: `python -m tests.benchmarks [NAME...]`; run by hand, never a gate."""
