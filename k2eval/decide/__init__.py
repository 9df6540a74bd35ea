"""Decisions: what runs will show, and which differences are decided with the fewest tokens."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
