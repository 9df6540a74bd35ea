"""The lines that end a run."""

from __future__ import annotations

from typing import Any

from k2eval.journal.run_record import EngineRecord, SessionRecord
from k2eval.run.closing import closing_words
from k2eval.run.session import total_speculation
from tests.run.test_session import SOME
from tests.run_records import run_record, session_record


def words(*sessions: SessionRecord, **fields: Any) -> list[str]:
    return closing_words(run_record(sessions=sessions, speculative=total_speculation(sessions), **fields))


def speculating() -> EngineRecord:
    settings = {"speculative_config": {"method": "ngram"}}
    return run_record().engine.model_copy(update={"settings": settings})


def test_without_cache_and_speculation_there_is_nothing_to_tell() -> None:
    assert words(session_record()) == []


def test_closing_words_tell_cache_acceptance_and_seeds() -> None:
    session = session_record(prompt_tokens=200, cached_tokens=150, speculative={"a": SOME})
    text = "\n".join(words(session, engine=speculating()))
    assert "75.0 % of 200 prompt tokens" in text
    assert "acceptance length 2.50, 50.0 % of 30 drafted tokens accepted (by position, %: 80 50 20)" in text
    assert "Acceptance length by task: a 2.50" in text
    assert "reproducible: false" in text


def test_speculation_of_an_earlier_start_is_told_with_its_consequence() -> None:
    session = session_record(speculative={"a": SOME})
    assert "reproducible: false" in words(session, reproducible=False)[-1]


def test_generations_that_were_not_counted_are_told() -> None:
    session = session_record(generated=20, generations_with_speculation=19, speculative={"a": SOME})
    assert any("(19 of 20 generations; vLLM" in line for line in words(session))


def test_counts_of_an_engine_are_told_apart() -> None:
    assert any(
        "counts per engine, not per task" in line for line in words(session_record(engine_speculative=SOME))
    )


def test_speculation_that_drafted_nothing_is_told() -> None:
    assert "Speculation: nothing was drafted." in words(engine=speculating())
