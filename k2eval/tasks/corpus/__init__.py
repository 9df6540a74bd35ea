"""A folder of training data: its files, the fingerprints of its texts, and the questions that stand in it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
