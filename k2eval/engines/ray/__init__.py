"""Replicas as actors of Ray, on one host or on a cluster. The only room that knows Ray."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
