"""The replicas of an engine: how many, where, and with how much patience."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from k2eval.values import Integer, Number, Text

_MOST = 4096


def _number(value: Any) -> Any:
    """Read a number that a command line gives as text, and name all that may stand there if it is none of them."""
    if value in ("auto", "all"):
        return value
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= _MOST:
        raise ValueError(f"expected a number from 1 to {_MOST:,}, auto or all")
    return int(text)


Replicas = Annotated[int | Literal["auto", "all"], BeforeValidator(_number)]
"""A number, ``auto`` or ``all``."""


class FleetConfig(BaseModel):
    """Replicas of the engine. They change how fast a run is, not what it says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    replicas: Replicas = "auto"
    """``auto``: one for each card of this host, or for as few cards as the model fits into; one without cards.
    ``all``: as many as the cluster has room for, at any time of the run."""
    cluster: Annotated[Text, Field(min_length=1)] | None = None
    """Ray cluster: ``host:port``, or ``auto`` for the one that this host belongs to. None: this host alone."""
    restarts: Annotated[Integer, Field(ge=0, le=1000)] = 3
    """New starts in a row of a replica that was lost."""
    hang_s: Annotated[Number, Field(gt=0)] = 300.0
    """Seconds without progress after which a replica counts as hanging."""
    drain_s: Annotated[Number, Field(ge=0)] = 120.0
    """Seconds for a replica that leaves to finish its requests."""
    wait_s: Annotated[Number, Field(gt=0)] = 600.0
    """Seconds to wait for a place in the cluster while no replica is up."""
