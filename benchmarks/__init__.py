"""Benchmarks of speed and fidelity, each a command whose last line is a ratio measured in one run."""
