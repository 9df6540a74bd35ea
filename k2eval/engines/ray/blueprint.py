"""The description by which each node opens the same engine."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast

from pydantic import Field

from k2eval.engines.protocol import Anticipates, Demand, Engine
from k2eval.reasoning import Detection
from k2eval.records import Json, ReasoningFormat, Record


class Blueprint(Record):
    """An engine that is not opened yet, as plain data."""

    kind: str
    """``vllm``, ``scripted``, or ``module:function`` of a function that takes this blueprint."""
    model: str
    arguments: dict[str, Json] = Field(default_factory=dict)
    speculative: dict[str, Json] | None = None
    reasoning: ReasoningFormat | None = None
    reasoning_from: str = ""
    keeps_budgets: bool = False
    """Whether vLLM itself must end thinking; found when the run's prompts were written before the start."""
    requests: int | None = None
    """All requests of the run that come to this replica, about; None if nobody knows. With a schedule of drafts they
    decide whether it starts with speculation, and for all replicas alike."""
    folder: str = ""
    """The driver's folder, which relative paths start from, if the node has it, too."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Variables that are set if the node has not set them itself."""

    def open(self, log: Path | None) -> Engine:
        """Return the engine, not started.

        Args:
            log: The file that takes its output.

        Raises:
            ConfigError: If the checkpoint is not there, or a setting is wrong.
        """
        if ":" in self.kind:
            from k2eval.tasks import import_object

            opened: Engine = import_object(self.kind, "engine")(self)
            return opened
        from k2eval.engines.kinds import open_engine

        detection = Detection(self.reasoning, self.reasoning_from) if self.reasoning else None
        engine = open_engine(self.kind, self.model, self.arguments, self.speculative, log, detection)
        if self.keeps_budgets:
            cast(Any, engine).keeps_budgets = True
        if self.requests is not None and isinstance(engine, Anticipates):
            # Replicas are compiled in any case: so many tokens that no start is eager.
            engine.anticipate(Demand(self.requests, math.inf, "as many as there are replicas,"))
        return engine
