"""The weights of a checkpoint, as ``run.json`` describes them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictInt

from k2eval.records import Record
from k2eval.values import MOST, Line


class WeightsRecord(Record):
    """The kind and the size of a checkpoint's weights.

    >>> WeightsRecord(dtype="bfloat16", quantisation="INT4 (W4A16, groups of 128)", size=None).label
    'INT4 (W4A16, groups of 128)'
    """

    dtype: Line
    """Type of the numbers that are not quantised, such as ``bfloat16``."""
    quantisation: Line | None = None
    """The quantisation in words; None if there is none."""
    size: Annotated[StrictInt, Field(ge=0, le=MOST)] | None = None
    """Bytes of all weights in the checkpoint's files; None if unknown, or if the engine quantises them itself."""

    @property
    def label(self) -> str:
        """The quantisation, or else the type of the numbers."""
        return self.quantisation or self.dtype
