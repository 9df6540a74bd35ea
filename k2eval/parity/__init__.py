"""Whether a run agrees with the figures of somebody else, and which of eight causes explain it if not."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
