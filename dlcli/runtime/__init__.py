"""Inference without any framework."""
