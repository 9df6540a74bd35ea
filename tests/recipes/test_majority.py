import pytest
from hypothesis import given, strategies as st

from k2eval.errors import EngineError
from k2eval.recipes.majority import Majority, missing_votes, winner
from tests.recipes.support import answering, sample_of

VOTES = st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=12)


async def test_the_most_frequent_answer_wins_by_its_first_candidate() -> None:
    response = await Majority(5)(sample_of(answering(1, 2, "2.0", 3, 2)))
    assert response.notes["selected"] == 1
    assert response.notes["votes"] == [3, 1, 1]


async def test_ties_go_to_the_answer_seen_first() -> None:
    response = await Majority(4)(sample_of(answering(None, 7, 8, None)))
    assert response.notes["selected"] == 1


async def test_without_answers_the_first_candidate_stands() -> None:
    response = await Majority(3)(sample_of(answering(None, None, None)))
    assert response.notes["selected"] == 0


async def test_an_adaptive_vote_stops_when_it_is_settled() -> None:
    ask = answering(*[42] * 8)
    response = await Majority(8, adaptive=True)(sample_of(ask))
    assert len(ask.stages) == 4
    assert response.notes["candidates_saved"] == 4
    assert response.notes["tokens_saved_estimate"] == 16


async def test_an_adaptive_vote_shares_its_candidates_with_the_whole_vote() -> None:
    whole, part = answering(*[42] * 8), answering(*[42] * 8)
    await Majority(8)(sample_of(whole))
    await Majority(8, adaptive=True)(sample_of(part))
    keys = [{request.key for request in ask.engine.requests} for ask in (whole, part)]
    assert keys[1] < keys[0]


async def test_a_lost_candidate_is_said() -> None:
    response = await Majority(3)(sample_of(answering(EngineError("gone"), 1, 1)))
    assert response.notes["marks"] == ["2 of 3 candidates: the engine gave up on the others"]


@given(VOTES)
def test_stopping_early_never_changes_the_winner(votes: list[str | None]) -> None:
    asked = 0
    while more := missing_votes(votes[:asked], len(votes)):
        asked += more
    assert winner(votes[:asked]) == winner(votes)


@given(VOTES)
def test_no_wave_is_larger_than_it_must_be(votes: list[str | None]) -> None:
    """With one candidate less than a wave asks for, no outcome of it could settle the vote."""
    asked = 0
    while more := missing_votes(votes[:asked], len(votes)):
        for fewer in range(1, more):
            best = votes[:asked] + [winner(votes[:asked]) or "x"] * fewer
            assert missing_votes(best, len(votes)) > 0
        asked += more


@pytest.mark.parametrize(("n", "first"), [(1, 1), (2, 1), (3, 2), (4, 2), (8, 4), (9, 5)])
def test_the_first_wave_is_the_least_that_can_settle(n: int, first: int) -> None:
    assert missing_votes([], n) == first
