"""One HTML file about one or more runs: charts, a grid of all samples, and a viewer of each."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
