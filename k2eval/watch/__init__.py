"""Checkpoints that appear in a folder, evaluated one after the other, with their curves and a page of their states."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
