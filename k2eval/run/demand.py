"""All that a start of a run will ask its engine: it decides how the engine starts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from k2eval.engines import Demand, Engine
from k2eval.journal import RunRecord
from k2eval.records import Note, NoteKind, Verdict
from k2eval.run.engines import RoleEngines
from k2eval.run.lengths import EarlierLengths, has_length
from k2eval.run.order import Order, limit_of
from k2eval.run.plan import Assignment
from k2eval.run.rehearsal import CANDIDATES, Asked

EAGER = "enforce_eager"
MIXED = Note(
    kind=NoteKind.ENGINE,
    text="some samples were made with compilation and graphs, others without (enforce_eager), which differ a little in "
    "their numerics",
)


def demand_of(
    engine: Engine,
    engines: RoleEngines,
    missing: Sequence[Assignment],
    asked: Iterable[Asked],
    candidates: int,
    verdicts: Iterable[Verdict],
    earlier: EarlierLengths,
) -> Demand:
    """Return what one engine will be asked at most; its tokens as expected, where lengths of every task are known.

    Args:
        engine: The engine.
        engines: The engines of the run.
        missing: Samples to be made.
        asked: All requests about one question of each task; see `rehearse`.
        candidates: Candidates of the recipe; the rehearsal plays `CANDIDATES` at most.
        verdicts: Verdicts of the run so far.
        earlier: Lengths in earlier runs.
    """
    more = max(1.0, candidates / CANDIDATES)
    requests: dict[str, float] = defaultdict(float)
    tokens: dict[str, float] = defaultdict(float)
    for role, request in asked:
        if engines[role] is engine:
            requests[request.task] += more
            tokens[request.task] += more * request.sampling.max_tokens
    verdicts = [verdict for verdict in verdicts if has_length(verdict)]
    known = {*earlier.tasks, *(verdict.task for verdict in verdicts)}
    left = [assignment for assignment in missing if requests[assignment.question.task]]
    in_flight = sum(requests[assignment.question.task] for assignment in left)
    if left and all(assignment.question.task in known for assignment in left):
        return Demand(
            round(in_flight), Order(left, verdicts, earlier).tokens_left(), "as earlier samples were long,"
        )
    most = sum(max(tokens[assignment.question.task], limit_of(assignment)) for assignment in left)
    return Demand(round(in_flight), most, "at most")


def was_eager(run: RunRecord) -> bool | None:
    """Return whether earlier starts of a run answered without compilation and graphs.

    None if none answered, or the last one computed on a CPU, where no start is compiled unless the user says so.
    """
    if not any(session.generated for session in run.sessions) or "(cpu)" in run.model.engine:
        return None
    return bool(run.engine.settings.get(EAGER))


def mixed(run: RunRecord, settings: object) -> list[Note]:
    """Return a note if a run has samples of both kinds.

    Args:
        run: ``run.json`` before the start.
        settings: Settings of the engine that has started.
    """
    before, now = was_eager(run), isinstance(settings, dict) and bool(settings.get(EAGER))
    return [MIXED] if MIXED in run.engine.notes or before not in (None, now) else []
