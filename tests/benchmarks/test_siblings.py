"""Recorded samples are made again step by step, by what a drafter proposes."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.siblings import Count, Recorded, Running, replay, step

ANSWER = (5, 6, 7, 8, 9)


class Cache:
    """Proposes what followed the last token in any finished answer."""

    def __init__(self, max_tree_depth: int, max_cached_requests: int) -> None:
        self.kept = max_cached_requests
        self.finished: list[list[int]] = []
        self.active: dict[int, list[int]] = {}

    def start_request(self, key: int, prompt: Any) -> None:
        self.active[key] = []

    def add_active_response(self, key: int, tokens: list[int]) -> None:
        self.active[key] += tokens

    def stop_request(self, key: int) -> None:
        answer = self.active.pop(key)
        if self.kept:
            self.finished.append(answer)

    def speculate(self, key: int, pattern: Any, max_spec_tokens: int, **settings: float) -> SimpleNamespace:
        last = int(pattern[-1])
        for answer in self.finished:
            if last in answer:
                start = answer.index(last) + 1
                return SimpleNamespace(token_ids=answer[start : start + max_spec_tokens])
        return SimpleNamespace(token_ids=[])


@pytest.fixture(autouse=True)
def _package(monkeypatch: pytest.MonkeyPatch) -> None:
    package = SimpleNamespace(SuffixDecodingCache=Cache)
    monkeypatch.setitem(sys.modules, "arctic_inference.suffix_decoding", package)


def samples(*answers: tuple[int, ...]) -> list[Recorded]:
    return [Recorded("t", "q", repeat, (1, 2), answer) for repeat, answer in enumerate(answers)]


def test_without_finished_answers_each_step_makes_one_token() -> None:
    by_task, _ = replay(samples(ANSWER, ANSWER), places=1, tokens=8, kept=0)
    assert by_task["t"] == Count(steps=10, tokens=10)


def test_a_finished_sibling_drafts_the_rest() -> None:
    _, by_siblings = replay(samples(ANSWER, ANSWER), places=1, tokens=8, kept=10)
    assert by_siblings[1, 1] == Count(steps=2, tokens=5, drafted=4, accepted=4)


def test_siblings_that_are_made_beside_are_no_drafts() -> None:
    by_task, _ = replay(samples(ANSWER, ANSWER), places=2, tokens=8, kept=10)
    assert by_task["t"].drafted == 0


def test_a_draft_counts_up_to_the_first_token_that_differs() -> None:
    entry, count = Running(samples(ANSWER)[0], 1, draft=[5, 6, 0, 8]), Count()
    cache = Cache(24, 0)
    cache.start_request(0, ())
    step(cache, 0, entry, 8, count)
    assert count == Count(steps=1, tokens=3, drafted=4, accepted=2)


def test_no_step_goes_beyond_the_end() -> None:
    entry, count = Running(samples((5,))[0], 1, draft=[5, 6, 7]), Count()
    cache = Cache(24, 0)
    cache.start_request(0, ())
    step(cache, 0, entry, 8, count)
    assert (count.tokens, count.accepted) == (1, 1)
