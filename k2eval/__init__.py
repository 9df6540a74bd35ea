"""k2eval: evaluate reasoning checkpoints on mathematics, code and science.

``evaluate`` makes a run, ``load_run`` reads one, ``build_leaderboard`` and ``compare_runs`` set runs side by side, and
``grade`` grades one response. ``__init__.pyi`` lists the public names. Each is imported when it is first used.
"""

import lazy_loader

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]
