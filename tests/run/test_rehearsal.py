"""Every prompt of a recipe is written once before an engine starts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pytest

from k2eval.engines.opening import open_engines
from k2eval.engines.scripted import ScriptedEngine
from k2eval.engines.vllm.engine import VllmEngine
from k2eval.errors import ConfigError
from k2eval.records import Request
from k2eval.run.engines import RoleEngines
from k2eval.run.plan import Work
from k2eval.run.rehearsal import rehearse
from tests import chat_templates
from tests.chat_templates import checkpoint
from tests.scripted_runs import config


class Previewing(ScriptedEngine):
    """Keeps what it was to show, and is never started."""

    def __init__(self) -> None:
        super().__init__(lambda request: "")
        self.shown: list[tuple[Request, list[str]]] = []

    def preview(self, request: Request, switches: Collection[str] = ()) -> str | None:
        self.shown.append((request, list(switches)))
        return ""


async def shown(folder: Path, **fields: Any) -> Mapping[str, tuple[Request, list[str]]]:
    """What each stage asks, by its name without numbers."""
    engine = Previewing()
    work = Work(config(folder, **fields))
    asked = await rehearse(work, RoleEngines({"solver": engine}), work.assignments())
    assert not engine.requests
    steps = {entry.request.key: entry.step for entry in asked}
    return {steps[request.key]: (request, names) for request, names in engine.shown}


@pytest.mark.parametrize(
    ("recipe", "stages"),
    [
        ("plain", {"solve"}),
        ("plan", {"plan", "solve"}),
        ("bo3", {"solve", "judge"}),
        ("k2", {"plan", "solve", "judge"}),
        ("k2-tournament", {"plan", "solve", "judge"}),
        ("plan-adaptive8", {"plan", "solve"}),
        ("k2-published", {"topics", "plan", "solve", "judge"}),
        ("forced1024", {"solve", "forced"}),
    ],
)
async def test_all_stages_of_a_recipe_are_seen(tmp_path: Path, recipe: str, stages: set[str]) -> None:
    assert set(await shown(tmp_path, recipe=recipe)) == stages


async def test_the_answer_judge_is_seen(tmp_path: Path) -> None:
    assert "answer_judge" in await shown(tmp_path, roles={"answer_judge": {}})


async def test_a_task_in_steps_is_seen(tmp_path: Path) -> None:
    assert set(await shown(tmp_path, tasks=("nano_science",), recipe="k2")) >= {"plan", "solve"}


async def test_switches_that_the_user_set_are_told_from_a_role_s_own(tmp_path: Path) -> None:
    roles = {"judge": {"reasoning_effort": "low"}}
    stages = await shown(tmp_path, recipe="k2", thinking=True, roles=roles)
    assert {stage: names for stage, (_, names) in stages.items()} == {
        "plan": [],
        "solve": ["thinking"],
        "judge": ["reasoning_effort"],
    }


async def test_a_recipe_of_the_user_s_that_stumbles_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stumbling.py").write_text(
        "async def recipe(sample):\n    response = await sample.solve()\n    raise KeyError(response.text)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert set(await shown(tmp_path, recipe="stumbling:recipe")) == {"solve"}


async def test_a_recipe_that_asks_for_ever_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "endless.py").write_text(
        "async def recipe(sample):\n    n = 0\n    while True:\n"
        "        await sample.generate(f'try-{n}', sample.question.messages)\n        n += 1\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "try" in await shown(tmp_path, recipe="endless:recipe")


async def vllm(folder: Path, source: str | None, **fields: Any) -> VllmEngine:
    model = checkpoint(folder / "model", source)
    run = config(folder / "run", model=model, **fields)
    engines = open_engines(run)
    work = Work(run)
    await rehearse(work, RoleEngines(engines), work.assignments())
    engine = engines["solver"]
    assert isinstance(engine, VllmEngine)
    return engine


async def test_a_template_that_demands_an_argument_fails_before_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"smoke, stage solve \(solver\): .* --reasoning-effort VALUE"):
        await vllm(tmp_path, chat_templates.DEMANDS_EFFORT)


@pytest.mark.parametrize("recipe", ["plan", "bo3", "k2", "k2-published"])
async def test_an_argument_of_the_template_reaches_every_role(tmp_path: Path, recipe: str) -> None:
    sampling = {"chat_template": {"reasoning_effort": "low"}}
    await vllm(
        tmp_path, chat_templates.DEMANDS_EFFORT, recipe=recipe, sampling=sampling, roles={"answer_judge": {}}
    )


async def test_an_effort_reaches_every_role(tmp_path: Path) -> None:
    await vllm(tmp_path, chat_templates.DEMANDS_EFFORT, recipe="k2", reasoning_effort="low")


@pytest.mark.parametrize("recipe", ["plain", "plan", "bo3", "k2", "k2-published"])
async def test_a_template_without_a_system_turn_can_be_asked_by_every_recipe(
    tmp_path: Path, recipe: str
) -> None:
    engine = await vllm(tmp_path, chat_templates.GEMMA_2, recipe=recipe, roles={"answer_judge": {}})
    assert [note.text for note in engine.info.notes] == [
        "the chat template has no system turn: system text stands at the start of the first user turn"
    ]


async def test_a_template_with_a_system_turn_needs_no_note(tmp_path: Path) -> None:
    assert (await vllm(tmp_path, chat_templates.QWEN_3, recipe="k2")).info.notes == ()


async def test_a_switch_that_the_template_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"no switch for thinking on or off \(--thinking\).*reads: reasoning_effort"
    ):
        await vllm(tmp_path, chat_templates.GPT_OSS, thinking=False)


async def test_a_switch_of_a_base_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no switch for the effort"):
        await vllm(tmp_path, None, reasoning_effort="high")


async def test_the_planner_s_own_switch_may_be_without_effect(tmp_path: Path) -> None:
    await vllm(tmp_path, chat_templates.GPT_OSS, recipe="k2")


async def test_a_switch_that_a_role_sets_is_checked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\(judge\): .* no switch for thinking"):
        await vllm(tmp_path, chat_templates.GPT_OSS, recipe="k2", roles={"judge": {"thinking": True}})
