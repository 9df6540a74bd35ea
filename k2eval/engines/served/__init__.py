"""An engine that stays up between runs, in a process of its own that belongs to one user."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
