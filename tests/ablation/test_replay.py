import io
from pathlib import Path

import pytest
from rich.console import Console

from k2eval.ablation.render import judge_line, print_ablation
from k2eval.ablation.replay import ablate
from k2eval.ablation.table import Duel, Table
from k2eval.errors import JournalError
from k2eval.records import Request
from k2eval.run.plan import Work
from k2eval.tasks.scicode import problem_of
from tests.scripted_runs import config, golds, run, student

RIGHT_AT = {"solve": 1, "solve-1": 0}


def right(request: Request) -> bool:
    """Two candidates solve other runs, the third none; with a plan all of them do."""
    planned = "Use this plan" in request.messages[-1].content
    return planned or request.repeat_index == RIGHT_AT.get(request.stage)


async def two_runs(folder: Path) -> list[Path]:
    folders = [folder / "bo3", folder / "k2"]
    for out in folders:
        settings = config(out, recipe=out.name)
        await run(settings, student(golds(settings), right))
    return folders


def score(table: Table, row: str) -> float:
    places = table.common([row])
    return float(table.scores(row, places).mean())


def shown(table: Table) -> str:
    console = Console(file=io.StringIO(), width=200)
    print_ablation(table, console)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


async def test_two_runs_give_all_four_corners_and_the_baselines(tmp_path: Path) -> None:
    table = await ablate(await two_runs(tmp_path))
    assert score(table, "plain") == 0.5
    assert score(table, "plan") == 1.0
    assert score(table, "bo3") == 1.0
    assert score(table, "plan-bo3") == 1.0
    assert score(table, "maj3") == 0.5
    assert score(table, "random") == pytest.approx(1 / 3)
    assert score(table, "oracle3") == 1.0
    assert score(table, "bo1") == score(table, "plain")
    assert score(table, "bo2") == 1.0


async def test_the_cost_of_everything_counts(tmp_path: Path) -> None:
    table = await ablate(await two_runs(tmp_path))
    place = table.common(["plan-bo3"])[0]
    cost = table.cells["plan-bo3"][place].cost
    assert (cost.selected, cost.calls) == (1, 6)
    assert cost.whole == 6
    assert table.cells["plan"][place].cost.calls == 2


async def test_a_run_alone_shows_what_it_holds_and_what_would_be_missing(tmp_path: Path) -> None:
    folders = await two_runs(tmp_path)
    printed = shown(await ablate(folders[:1]))
    assert "a random candidate of 3" in printed
    assert "Not in these runs: plan, plan-bo3" in printed
    assert "Planning × choosing" not in printed


async def test_a_row_that_only_some_samples_have_is_left_out_and_named(tmp_path: Path) -> None:
    settings = config(tmp_path / "bo3", recipe="bo3")
    await run(settings, student(golds(settings), right))
    lines = (settings.out / "generations.jsonl").read_text().splitlines(keepends=True)
    judged = [line for line in lines if '"judge.' in line]
    (settings.out / "generations.jsonl").write_text(
        "".join(line for line in lines if line not in judged[:20])
    )
    table = await ablate([settings.out])
    assert 0 < table.partial()["bo3"] < 12
    assert "bo3" not in table.rows()
    printed = shown(table)
    assert (
        f"Left out, as only some of 12 samples have all their generations: bo3 ({table.partial()['bo3']})"
        in printed
    )
    assert "12 samples that every row has" in printed
    assert "judge of bo3" not in printed


async def test_the_report_has_the_two_by_two_and_the_judge(tmp_path: Path) -> None:
    printed = shown(await ablate(await two_runs(tmp_path)))
    assert "Planning × choosing" in printed
    assert "6 questions, 12 samples that every row has" in printed
    assert "best of N by N: 1: 50.0, 2: 100.0, 3: 100.0" in printed
    assert "maj@N by N: 1: 50.0, 2: 50.0, 3: 50.0" in printed
    assert "pass@N by N: 1: 50.0, 2: 100.0, 3: 100.0" in printed
    assert "both orders agree in 100.0%" in printed
    assert "the right one is chosen in 100.0%" in printed


async def test_runs_with_other_seeds_do_not_belong_together(tmp_path: Path) -> None:
    for out, seed in ((tmp_path / "a", 0), (tmp_path / "b", 1)):
        settings = config(out, seed=seed, limit=1)
        await run(settings, student(golds(settings), right))
    with pytest.raises(JournalError, match="seed: 0 in"):
        await ablate([tmp_path / "a", tmp_path / "b"])


async def test_the_judge_of_a_task_in_steps_is_held_against_whole_solutions(tmp_path: Path) -> None:
    settings = config(tmp_path / "bo2", recipe="bo2", tasks=("nano_science",), limit=2, repeats=1)
    asked = {
        assignment.question.id: problem_of(assignment.question) for assignment in Work(settings).assignments()
    }

    def script(request: Request) -> str:
        if request.stage.startswith("judge"):
            return '{"explanation": "", "index": 0}'
        problem = asked[request.question_id]
        stage, _, number = request.stage.partition(".")
        [step] = [step for step in problem.sub_steps if step.step_number == number]
        wrong = stage == "solve-1" and step is problem.sub_steps[0]
        code = f"def {step.name}(*_):\n    return None" if wrong else step.ground_truth_code
        return f"<think>so</think>```python\n{code}\n```"

    await run(settings, script)
    table = await ablate([settings.out], n=2)
    duels = [duel for listed in table.duels["bo2"].values() for duel in listed]
    assert [(duel.orders, duel.right) for duel in duels] == [((0, 1), frozenset({0}))] * 2
    assert score(table, "random") == 0.5


def test_a_judge_that_always_names_the_first_is_seen_through() -> None:
    duels = [Duel((0, 1), (0, 1), 0, frozenset({1})), Duel((0, 1), (0, 1), 0, frozenset({0}))]
    assert judge_line(duels) == (
        "2 comparisons; both orders agree in 0.0% (0/2); the response shown first is named in 100.0% (4/4); "
        "if exactly one of two is right, the right one is chosen in 50.0% (1/2) (single verdicts: 50.0% (2/4))"
    )


async def test_stored_generations_are_taken_over_by_other_recipes(tmp_path: Path) -> None:
    settings = config(tmp_path / "bo3", recipe="bo3")
    await run(settings, student(golds(settings), right))

    def nobody(request: Request) -> str:
        raise AssertionError(f"{request.stage} was asked again")

    for recipe in ("plain", "bo2", "bo3", "maj3", "adaptive3"):
        out = tmp_path / recipe / "again"
        summary = await run(config(out, recipe=recipe, reuse=(settings.out,)), nobody)
        assert summary.done == summary.total == 12
        assert summary.generated == 0


async def test_a_larger_n_makes_only_what_is_missing(tmp_path: Path) -> None:
    settings = config(tmp_path / "maj2", recipe="maj2")
    await run(settings, student(golds(settings), right))
    asked: list[str] = []

    def script(request: Request) -> str:
        asked.append(request.stage)
        return student(golds(settings), right)(request)

    await run(config(tmp_path / "maj3", recipe="maj3", reuse=(settings.out,)), script)
    assert set(asked) == {"solve-2"}
