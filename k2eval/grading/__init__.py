"""Graders: pure functions from a question and a response to a grade, and the processes they run in."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
