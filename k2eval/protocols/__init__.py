"""Protocols: how others run the same benchmarks, as data with sources."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
