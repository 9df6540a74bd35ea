"""A local server over a folder of runs: live progress, and boards, comparisons and reports on the spot."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
