"""Benchmarks: YAML definitions, their rows, and the questions made from them."""
