"""Self-contained HTML pages: content, style and script in one file, nothing loaded from elsewhere."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
