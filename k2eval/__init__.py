"""k2eval: evaluate reasoning checkpoints on mathematics, code and science."""

__version__ = "0.2.0"
