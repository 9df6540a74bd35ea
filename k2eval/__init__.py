"""k2eval: evaluate reasoning checkpoints on mathematics, code and science."""

__version__ = "0.1.0"
