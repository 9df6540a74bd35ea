"""The Python API, as ``k2eval`` exports it: evaluate, read runs, compare them, grade a response."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
