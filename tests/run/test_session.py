"""One start of a run, counted, and the sums over all of them."""

from __future__ import annotations

from k2eval.records import SpeculativeCounts
from k2eval.run.session import Session, total_speculation
from k2eval.statistics.acceptance import add_counts
from tests.run_records import session_record
from tests.test_records import generation

SOME = SpeculativeCounts(drafts=10, drafted_tokens=30, accepted_tokens=15, accepted_per_position=(8, 5, 2))


def test_what_was_generated_is_counted_and_described() -> None:
    session = Session()
    session.count(generation().model_copy(update={"speculative": SOME}))
    session.count(generation())
    described = session.describe(None)
    assert (described.generated, described.generated_tokens, described.prompt_tokens) == (2, 2, 2)
    assert (described.generations_with_speculation, described.speculative) == (1, {"t": SOME})


def test_a_session_that_only_replayed_is_not_empty() -> None:
    assert Session().is_empty
    assert not Session(replayed=1).is_empty


def test_tasks_have_the_counts_of_their_requests_and_the_run_those_of_the_engine() -> None:
    twice = add_counts(SOME, SOME)
    total = total_speculation([session_record(speculative={"aime24": SOME}, engine_speculative=twice)])
    assert total is not None
    assert (total.counted, total.drafts) == ("request", 20)
    assert total.tasks["aime24"].drafts == 10
    assert total.tasks["aime24"].acceptance_length == 2.5


def test_a_session_that_was_killed_has_the_counts_of_its_requests() -> None:
    killed = session_record(speculative={"aime24": SOME})
    total = total_speculation([killed, session_record(engine_speculative=SOME)])
    assert total is not None
    assert total.drafts == 20


def test_engine_counts_stand_in_and_have_no_tasks() -> None:
    session = session_record(engine_speculative=SOME)
    total = total_speculation([session, session])
    assert total is not None
    assert (total.counted, total.drafts, total.tasks) == ("engine", 20, {})


def test_without_speculation_there_is_no_total() -> None:
    assert total_speculation([session_record(), session_record()]) is None


def test_generations_of_a_start_without_speculation_are_not_among_those_to_be_counted() -> None:
    plain = session_record(generated=6)
    drafted = session_record(generated=3, generations_with_speculation=3, speculative={"aime24": SOME})
    total = total_speculation([plain, drafted])
    assert total is not None and (total.generations.generated, total.generations.counted) == (3, 3)
