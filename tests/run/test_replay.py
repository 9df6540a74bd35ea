"""Recipes over the journal: what is there is never made again, what is missing is never guessed."""

from pathlib import Path

import pytest

from k2eval.errors import EngineError, EngineStopped
from k2eval.journal import GENERATIONS, Archive, read_lines
from k2eval.records import Generation, Request
from k2eval.run.regrade import regrade_run
from tests.scripted_runs import config, golds, run, student, verdicts


def keys_of(out: Path) -> list[str]:
    return [generation.key for _, generation in read_lines(out / GENERATIONS, Generation)]


@pytest.mark.parametrize(
    "recipe", ["plan", "bo3", "k2", "k2-published", "maj3", "adaptive4", "bo4-tournament"]
)
async def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path, recipe: str) -> None:
    settings = config(tmp_path / "run", recipe=recipe, limit=3)
    good = student(golds(settings), lambda request: request.seed % 2 == 0)
    left = iter(range(9))

    def dying(request: Request) -> str:
        if next(left, None) is None:
            raise EngineStopped("killed")
        return good(request)

    with pytest.raises(EngineStopped):
        await run(settings, dying)
    before = keys_of(settings.out)
    assert len(before) == 9
    summary = await run(settings, good)
    after = keys_of(settings.out)
    assert after[:9] == before
    assert len(after) == len(set(after)) == 9 + summary.generated
    whole = config(tmp_path / "whole", recipe=recipe, limit=3)
    await run(whole, good)
    assert sorted(keys_of(whole.out)) == sorted(after)
    assert {verdict.sample_key: verdict for verdict in verdicts(whole.out)} == {
        verdict.sample_key: verdict for verdict in verdicts(settings.out)
    }


async def test_grading_again_leaves_out_samples_that_are_not_finished(tmp_path: Path) -> None:
    settings = config(tmp_path / "run", recipe="bo3", limit=2, repeats=1)
    good = student(golds(settings), lambda request: request.stage == "solve-1")

    def dying(request: Request) -> str:
        if request.question_id != first and request.stage == "solve-1":
            raise EngineStopped("killed")
        return good(request)

    first = next(iter(golds(settings)))
    with pytest.raises(EngineStopped):
        await run(settings, dying)
    done = await regrade_run(settings.out)
    assert done.missing >= 1
    assert done.graded + done.missing == 2
    assert all(verdict.score == 1.0 for verdict in verdicts(settings.out))


async def test_grading_again_knows_which_candidates_were_lost(tmp_path: Path) -> None:
    settings = config(tmp_path / "run", recipe="k2", limit=2, repeats=1)
    good = student(golds(settings), lambda request: True)

    def losing(request: Request) -> str:
        if request.stage == "solve-2":
            raise EngineError("gone")
        return good(request)

    await run(settings, losing)
    assert [len(verdict.notes["lost"]) for verdict in verdicts(settings.out)] == [1, 1]
    done = await regrade_run(settings.out)
    assert (done.graded, done.missing, done.changed) == (2, 0, 0)


async def test_what_is_taken_over_makes_the_new_run_complete_by_itself(tmp_path: Path) -> None:
    settings = config(tmp_path / "bo2", recipe="bo2", limit=2)
    script = student(golds(settings), lambda request: request.stage == "solve")
    await run(settings, script)
    plain = config(tmp_path / "plain", limit=2, reuse=(settings.out,))
    assert (await run(plain, script)).generated == 0
    assert set(keys_of(plain.out)) < set(keys_of(settings.out))
    key = keys_of(plain.out)[0]
    assert Archive([plain.out]).find(key) == Archive([settings.out]).find(key)
    assert (await regrade_run(plain.out)).missing == 0
