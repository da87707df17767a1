"""YAML -> a checked Spec."""
