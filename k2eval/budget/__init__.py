"""Answers at a budget: scores against the tokens that an answer may cost."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
