"""Tagged plain data: how values cross between the sandbox and the grader. Never pickle."""

from __future__ import annotations


class Opaque:
    """Stands for a value that is not plain data (an instance, a function, a generator). Equal to nothing."""

    __slots__ = ("type_name",)

    def __init__(self, type_name: str) -> None:
        self.type_name = type_name

    def __eq__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"Opaque({self.type_name!r})"
