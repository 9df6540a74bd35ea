"""The gate before the replicas; tests/engines/test_gate.py has what it shares with that before servers."""

from k2eval.engines.fleet.gate import ReplicaGate
from k2eval.engines.fleet.member import Member
from k2eval.engines.scripted import ScriptedEngine
from tests.engines.fleet.support import ScriptedReplica, text_of


def member(name: str = "replica 0", window: int = 1) -> Member:
    return Member(ScriptedReplica(name, window), ScriptedEngine(text_of).info)


async def test_a_replica_that_accepts_nothing_gets_nothing() -> None:
    gate, leaving, staying = ReplicaGate(), member("leaving", 9), member("staying", 9)
    gate.add(leaving)
    gate.add(staying)
    leaving.leave()
    assert {(await gate.enter()).name for _ in range(9)} == {"staying"}
    assert gate.places == 9
