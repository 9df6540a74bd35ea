"""A fleet: several replicas of one engine behind the contract of an engine. Knows neither vLLM nor Ray."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
