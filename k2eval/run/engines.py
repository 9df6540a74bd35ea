"""The engines of a run: one for each role, usually one for all roles."""

from __future__ import annotations

from collections.abc import Mapping

from k2eval.config import RunConfig
from k2eval.engines import Engine, EngineInfo
from k2eval.reasoning import AUTO, Detection, find_format
from k2eval.records import ROLES, Note, ReasoningFormat, Role, SpeculativeCounts
from k2eval.statistics import add_counts


class RoleEngines:
    """The engine of each role.

    Args:
        engines: Engines by role, at least that of ``solver``. A role that is not named has the solver's engine.
        config: Configuration of the run; tells the reasoning format of engines that do not know theirs.
    """

    def __init__(self, engines: Mapping[Role, Engine], config: RunConfig | None = None) -> None:
        self._detections = {role: _detect(config, role) for role in ROLES}
        self._of_role: dict[Role, Engine] = {role: engines.get(role, engines["solver"]) for role in ROLES}
        self.distinct: list[Engine] = list({id(engine): engine for engine in self._of_role.values()}.values())
        """Each engine once, the solver's first."""
        self.fingerprints: dict[Role, str] = {
            role: engine.info.fingerprint for role, engine in self._of_role.items()
        }

    def __getitem__(self, role: Role) -> Engine:
        return self._of_role[role]

    @property
    def solver(self) -> EngineInfo:
        """The solver's engine."""
        return self["solver"].info

    def detection(self, role: Role) -> Detection:
        """Return the reasoning format of the checkpoint behind a role, and the place that told it."""
        info = self[role].info
        if info.reasoning.name != "auto":
            return Detection(info.reasoning, info.reasoning_from)
        return self._detections[role if self[role] is not self["solver"] else "solver"]

    @property
    def reasoning(self) -> dict[Role, ReasoningFormat]:
        """The reasoning format of the checkpoint behind each role."""
        return {role: self.detection(role).form for role in ROLES}

    @property
    def capacity(self) -> int:
        """Number of requests in flight that keep the largest engine full."""
        return max(engine.capacity for engine in self.distinct)

    @property
    def honour_seeds(self) -> bool:
        """Whether all engines that shape a response honour seeds; the answer judge shapes none."""
        return all(self[role].info.honours_seeds for role in ROLES if role != "answer_judge")

    @property
    def notes_of_others(self) -> list[Note]:
        """The notes of engines other than the solver's, each with its role."""
        return [
            note.model_copy(update={"text": f"{role}: {note.text}"})
            for role, engine in self._of_role.items()
            if engine is not self["solver"]
            for note in engine.info.notes
        ]

    @property
    def speculation(self) -> SpeculativeCounts | None:
        """All that the engines drafted and accepted since they started; None if none of them counts that."""
        total: SpeculativeCounts | None = None
        for engine in self.distinct:
            if engine.info.speculation is not None:
                total = add_counts(total, engine.info.speculation)
        return total


def _detect(config: RunConfig | None, role: Role) -> Detection:
    if config is None:
        return Detection(AUTO, "each response tells")
    own = dict(config.roles.get(role, {}))
    if role == "solver" or not own:
        return find_format(config.model, config.reasoning, config.engine.arguments)
    return find_format(str(own.get("model", config.model)), own.get("reasoning") or "auto", own)
