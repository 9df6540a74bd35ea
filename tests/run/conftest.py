from tests.warm_workers import warm_workers

__all__ = ["warm_workers"]
