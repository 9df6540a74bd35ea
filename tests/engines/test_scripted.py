"""The scripted engine: the seam for tests and rehearsals."""

from pathlib import Path
from typing import Any

import pytest

from k2eval.engines.kinds import open_engine
from k2eval.engines.scripted import ScriptedEngine, from_file
from k2eval.errors import ConfigError
from k2eval.records import Message, Request, Sampling


def request(prompt: str = "How many?", repeat_index: int = 0, **sampling: Any) -> Request:
    return Request(
        key="k",
        task="t",
        question_id="q",
        repeat_index=repeat_index,
        stage="solve",
        messages=(Message(role="user", content=prompt),),
        sampling=Sampling(**sampling),
        seed=5,
    )


async def test_a_generation_says_where_it_belongs() -> None:
    answer = await ScriptedEngine(lambda request: "thirty five", name="m").generate(
        request("How many are there?")
    )
    assert (answer.key, answer.text, answer.finish_reason, answer.seed) == ("k", "thirty five", "stop", 5)
    assert (answer.prompt_tokens, answer.output_tokens, answer.model) == (4, 2, "m")


async def test_a_long_answer_is_cut_as_a_model_would_be() -> None:
    answer = await ScriptedEngine(lambda request: "a b c d").generate(request(max_tokens=3))
    assert (answer.text, answer.finish_reason, answer.output_tokens) == ("a b c", "length", 3)


async def test_requests_are_remembered_in_order() -> None:
    engine = ScriptedEngine(lambda request: "")
    for number in range(3):
        await engine.generate(request(repeat_index=number))
    assert [request.repeat_index for request in engine.requests] == [0, 1, 2]


async def test_a_file_answers_by_what_the_prompt_contains_and_in_turn_by_run(tmp_path: Path) -> None:
    path = tmp_path / "script.jsonl"
    path.write_text('{"match": "many", "responses": ["1", "2"]}\n{"match": "", "responses": ["else"]}\n')
    engine = from_file(path)
    answers = [(await engine.generate(request(repeat_index=index))).text for index in range(3)]
    assert [*answers, (await engine.generate(request("Why?"))).text] == ["1", "2", "1", "else"]


def test_the_name_is_the_identity(tmp_path: Path) -> None:
    first, other = (ScriptedEngine(str, name=name).info.fingerprint for name in ("a", "b"))
    assert first != other


@pytest.mark.parametrize(
    "line",
    ["", "[]", '{"match": "x"}', '{"match": "x", "responses": 5}', '{"match": "x", "responses": []}', "{"],
)
def test_a_line_of_another_shape_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "script.jsonl"
    path.write_text('{"match": "", "responses": [""]}\n' + line + "\n")
    with pytest.raises(ConfigError, match=r'script.jsonl:2: expected \{"match"'):
        from_file(path)


def test_a_script_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Cannot read the script .*absent"):
        from_file(tmp_path / "absent")


def test_an_unknown_argument_gets_a_near_match() -> None:
    with pytest.raises(ConfigError, match=r"no argument 'delay'. Did you mean delay_s"):
        open_engine("scripted", "x", {"delay": 1})


def test_an_unknown_kind_gets_a_near_match() -> None:
    with pytest.raises(ConfigError, match=r"Unknown kind of engine 'vlm'. Did you mean vllm"):
        open_engine("vlm", "x", {})
