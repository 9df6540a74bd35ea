"""The servers behind an endpoint, and the gate that spreads requests over them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from k2eval.engines.endpoint.bodies import Dialect
from k2eval.engines.endpoint.client import Client
from k2eval.engines.gate import Gate
from k2eval.records import Note, NoteKind

_RESTS_S = 10.0
"""Seconds for which a server that failed is passed over, if there is another; they double after each trial."""
_RESTS_AT_MOST_S = 300.0
_NAMED = 12
"""Troubles of a server that are told one by one."""


@dataclass(slots=True, eq=False)
class Asked:
    """One request in flight."""

    max_tokens: int
    since: float
    """Time on the loop's clock at which it was sent."""
    task: asyncio.Task[Any]
    """Task that waits for the answer."""
    last_text: float | None = None
    """Time at which the last piece of a streamed answer came."""
    given_up: bool = False

    def give_up(self) -> None:
        """End the wait."""
        if not self.given_up:
            self.given_up = True
            self.task.cancel()


@dataclass(slots=True, eq=False)
class Server:
    """One server, with what is known about it."""

    url: str
    client: Client
    limit: int
    """Most requests in flight that it gets."""
    dialect: Dialect = field(default_factory=Dialect)
    places: int = 0
    """Requests in flight that keep it full, as far as was known when it was met."""
    in_flight: int = 0
    failures: int = 0
    """Failures since its last answer; those during one rest count once."""
    rests_until: float = 0.0
    has_answered: bool = False
    context: int | None = None
    measures: bool = True
    """True if it tells the length of prompts; assumed until it does not."""
    prefills: dict[str, str] = field(default_factory=dict)
    """The mark with which a chat template with these arguments opens the reasoning, so that answers do not."""
    counts_work: bool = False
    """True if it has a page of metrics that tells its progress."""
    progress: float | None = None
    held: int = 0
    """The most requests that it was seen to work on at once."""
    last_sign: float = 0.0
    """Time on the loop's clock at which it last answered or made progress."""
    slowest: float | None = None
    """Tokens per second of the slowest answer of some length."""
    asked: set[Asked] = field(default_factory=set)
    troubles: Counter[str] = field(default_factory=Counter)
    """Failures after which a request was sent again, with their numbers."""
    cuts: Counter[tuple[int, int]] = field(default_factory=Counter)
    """Answers that it cut before max_tokens, by tokens (answer, max_tokens)."""
    alone: int = 0
    """Finished answers of which it gave reasoning alone."""

    def failed(self, trouble: str) -> float:
        """Record a failure and pass the server over for a while; return the seconds."""
        self.troubles[trouble] += 1
        now = time.monotonic()
        if self.rests_until <= now:
            self.failures += 1
            rest = min(_RESTS_S * 2 ** (self.failures - 1), _RESTS_AT_MOST_S)
            self.rests_until = now + rest
        return self.rests_until - now

    def answered(self) -> None:
        """Count the server as well again."""
        self.failures, self.rests_until, self.has_answered = 0, 0.0, True

    @property
    def is_up(self) -> bool:
        """Whether the server can take more requests; after a rest, a single request tries it."""
        if not self.failures:
            return True
        return self.rests_until <= time.monotonic() and not self.in_flight


class ServerGate(Gate[Server]):
    """The gate before the servers of a model.

    Args:
        servers: All servers of the model.
    """

    def __init__(self, servers: list[Server]) -> None:
        super().__init__()
        self.servers = servers
        """All that get requests."""
        self.leaving: list[Server] = []
        """Those that get nothing more, and finish what they have."""

    @property
    def all(self) -> list[Server]:
        """All that may have requests."""
        return [*self.servers, *self.leaving]

    def roomiest(self) -> Server | None:
        """Return the server with the smallest load, of those that are up if any is; None if these are full."""
        servers = self.servers
        if len(servers) == 1:
            return servers[0] if servers[0].in_flight < servers[0].limit else None
        for server in servers:
            if server.failures:
                servers = [server for server in servers if server.is_up] or servers
                break
        chosen, smallest = None, 1.0
        for server in servers:
            load = server.in_flight / server.limit
            if load < smallest:
                chosen, smallest = server, load
        return chosen

    def let_in_later(self, after_s: float) -> None:
        """Look again when a server's rest is over."""
        asyncio.get_running_loop().call_later(after_s + 0.001, self.let_in)


def notes_on(server: Server) -> list[Note]:
    """Return what must be known about one server: what was asked again, where it cut answers, and what lacks them."""
    texts = []
    if server.troubles:
        texts.append(f"{server.url}: asked again after {listed(server.troubles)}")
    if server.cuts:
        shortest, longest = min(server.cuts), max(server.cuts)
        lengths = f"{shortest[0]:,}" + (f" to {longest[0]:,}" if longest[0] > shortest[0] else "")
        allowed = max(allowed for _, allowed in server.cuts)
        texts.append(
            f"{server.url}: {sum(server.cuts.values())} answers cut at {lengths} of {allowed:,} tokens: the server's "
            "own limit"
        )
    notes = [Note(kind=NoteKind.SERVER, text=text) for text in texts]
    if server.alone:
        text = (
            f"{server.url}: {server.alone} finished answers are reasoning alone, and have no answer: the model ended "
            "there, or the server's reasoning parser took the answer for reasoning (as some do if thinking is off: "
            "start it without the parser then)"
        )
        notes.append(Note(kind=NoteKind.REASONING, text=text))
    return notes


def listed(troubles: Counter[str]) -> str:
    """Return troubles with their numbers, the most frequent first; others, of which servers choose the words, as one.

    >>> listed(Counter({"HTTP 503": 4, "time-out": 1}))
    'HTTP 503 (4×), time-out (1×)'
    """
    named = troubles.most_common(_NAMED)
    texts = [f"{trouble} ({count}×)" for trouble, count in named]
    rest = troubles.total() - sum(count for _, count in named)
    return ", ".join([*texts, f"others ({rest}×)"] if rest else texts)
