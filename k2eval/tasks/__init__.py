"""Benchmarks: YAML definitions, their rows, and the questions made from them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
