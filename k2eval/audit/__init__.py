"""The same responses by the graders of other harnesses, and the samples on which they disagree with k2eval's."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
