"""Reasoning and answer: which format a checkpoint reasons in, and where in a response its answer stands.

Reasoning is split off in this package alone. Graders, judges, the viewer, exports and the engines' stop strings
all go by `split` and by the formats here.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
