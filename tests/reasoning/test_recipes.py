"""Every recipe over responses of every family: what counts is what follows the reasoning."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from k2eval.engines.scripted import ScriptedEngine
from k2eval.errors import JournalError
from k2eval.grading import grader_for
from k2eval.journal import read_run
from k2eval.reasoning import AUTO, Detection, format_named
from k2eval.recipes import recipe_for
from k2eval.recipes.answers import answer_of
from k2eval.recipes.judge import read_index, reply_of
from k2eval.records import ROLES, Generation, Grade, Outcome, ReasoningFormat, Request, Response, Role
from k2eval.run.runner import Runner
from tests.recipes.support import QUESTION, Asked, sample_of
from tests.scripted_runs import config

SHAPES: dict[str, str] = {
    "think": "<think>\n{}\n</think>\n\n{}",
    "harmony": "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>{}<|return|>",
    "mistral": "[THINK]{}[/THINK]{}",
    "seed": "<seed:think>{}</seed:think>{}",
    "gemma": "<|channel>thought\n{}<channel|>{}",
    "kimi_vl": "◁think▷{}◁/think▷{}",
    "sky": "<|begin_of_thought|>\n\n{}\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\n{}\n\n<|end_of_solution|>",
    "medgemma": "<unused94>thought\n{}<unused95>{}",
    "apertus": "<|inner_prefix|>{}<|inner_suffix|>{}<|assistant_end|>",
    "solar": "<|think|>{}<|end|><|begin|>assistant<|content|>{}<|flush|>",
    "s1": "<|im_start|>think\n{}\n<|im_start|>answer\n{}",
}
RECIPES = ("plain", "plan", "bo3", "k2")
GUESS = f"They want it inside <answer> and </answer> tags. SECRET. Is it \\boxed{{{QUESTION.gold}}}?"


def student(shape: str, answers: Callable[[Request], str], kind: type[Asked] | None = None) -> Asked:
    """Think in this shape, with the right answer as a guess, and answer as ``answers`` says."""

    def script(request: Request) -> str:
        if request.stage.startswith("plan"):
            return shape.format(GUESS, "<plan>Think.</plan>")
        if request.stage.startswith("judge"):
            return shape.format(GUESS + ' {"index": 1}', '{"explanation": "", "index": 0}')
        return shape.format(GUESS, answers(request))

    return (kind or Asked)(script)


async def respond(recipe: str, asked: Asked, form: ReasoningFormat) -> tuple[Response, Grade]:
    response = await recipe_for(recipe)(sample_of(asked, reasoning=dict.fromkeys(ROLES, form)))
    truncated = response.finish_reason == "length"
    grade = grader_for("math").grade_response
    return response, grade(QUESTION, response.text, truncated, response.reasoning, response.answer_start)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize(
    ("name", "form"), [(name, form) for name in SHAPES for form in (format_named(name), AUTO)]
)
async def test_the_answer_counts_and_no_prompt_shows_reasoning(
    name: str, form: ReasoningFormat, recipe: str
) -> None:
    asked = student(
        SHAPES[name], lambda request: f"\\boxed{{{42 if request.stage == 'solve' else request.seed}}}"
    )
    response, grade = await respond(recipe, asked, form)
    assert grade.outcome is Outcome.CORRECT
    assert not any(
        "SECRET" in message.content for request in asked.engine.requests for message in request.messages
    )
    assert ("judge.0-1" in asked.stages) == (recipe in ("bo3", "k2"))
    assert response.notes.get("marks", []) == []


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("name", SHAPES)
async def test_a_guess_within_reasoning_is_no_answer(name: str, recipe: str) -> None:
    _, grade = await respond(recipe, student(SHAPES[name], lambda request: "I cannot tell."), AUTO)
    assert grade.outcome is Outcome.NO_ANSWER


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("name", SHAPES)
async def test_a_response_cut_within_its_reasoning_is_truncated(name: str, recipe: str) -> None:
    cut = SHAPES[name].format(GUESS, "").partition("?")[0]
    _, grade = await respond(recipe, Asked(lambda request: cut), AUTO)
    assert grade.outcome is Outcome.TRUNCATED


class Server(Asked):
    """Splits reasoning off, and gives it between marks with the place where the answer starts."""

    async def __call__(self, request: Request, role: Role) -> Generation:
        generation = await super().__call__(request, role)
        thought, _, content = generation.text.partition("|||")
        changes = {
            "text": f"<think>{thought}{'</think>' if content else ''}{content}",
            "answer_start": len(f"<think>{thought}{'</think>' if content else ''}"),
            "finish_reason": "stop" if content else "length",
        }
        return generation.model_copy(update=changes)


BLOCK = f"SECRET <think>hm</think><answer>{QUESTION.gold}</answer> or so"


@pytest.mark.parametrize("recipe", RECIPES)
async def test_an_answer_behind_a_servers_boundary_counts_and_no_prompt_shows_what_is_before(
    recipe: str,
) -> None:
    answer = "\\boxed{{{}}}".format
    asked = student(
        f"{BLOCK} {{}}|||{{}}",
        lambda request: answer(42 if request.stage == "solve" else request.seed),
        Server,
    )
    _, grade = await respond(recipe, asked, AUTO)
    assert grade.outcome is Outcome.CORRECT
    assert not any(
        "SECRET" in message.content for request in asked.engine.requests for message in request.messages
    )


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize(
    ("text", "outcome"), [(f"{BLOCK}|||I cannot tell.", Outcome.NO_ANSWER), (BLOCK, Outcome.TRUNCATED)]
)
async def test_a_block_before_a_servers_boundary_is_no_answer(
    recipe: str, text: str, outcome: Outcome
) -> None:
    response, grade = await respond(recipe, Server(lambda request: text), AUTO)
    assert (grade.outcome, answer_of(QUESTION, response).vote) == (outcome, None)


async def test_a_judges_reply_that_a_server_took_for_reasoning_is_read() -> None:
    text = '{"explanation": "", "index": 1}'
    sample = sample_of(Server(lambda request: f"{text}||| "))
    generation = await sample.generate("judge.0-1", QUESTION.messages, role="judge")
    assert read_index(reply_of(sample, generation, "judge")) == 1


async def start(out: Path, setting: str) -> str:
    run_config = config(out, limit=1, repeats=1, reasoning=setting)
    engine = ScriptedEngine(
        lambda request: "\\boxed{35}", reasoning=Detection(format_named(setting), "as set")
    )
    terminal = io.StringIO()
    await Runner(run_config, {"solver": engine}, Console(file=terminal, width=200)).run()
    return terminal.getvalue()


async def test_a_run_shows_and_keeps_its_format_and_refuses_another(tmp_path: Path) -> None:
    assert "Reasoning: harmony (as set)" in await start(tmp_path / "run", "harmony")
    assert read_run(tmp_path / "run").reasoning == dict.fromkeys(ROLES, format_named("harmony"))
    with pytest.raises(JournalError, match="solver's reasoning: harmony there, mistral now"):
        await start(tmp_path / "run", "mistral")


async def test_a_format_that_was_only_found_may_be_found_anew(tmp_path: Path) -> None:
    await start(tmp_path / "run", "auto")
    engine = ScriptedEngine(
        lambda request: "", reasoning=Detection(format_named("think"), "found in the chat template")
    )
    run_config = config(tmp_path / "run", limit=1, repeats=2)
    await Runner(run_config, {"solver": engine}, Console(file=io.StringIO())).run()
    assert read_run(tmp_path / "run").reasoning["solver"].name == "think"
