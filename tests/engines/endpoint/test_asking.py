"""How each server is asked: what it refuses is left out and noted, what it cannot hold is cut to fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from k2eval.errors import ConfigError, EngineGaveUp, EngineStopped, PromptTooLong
from k2eval.reasoning import NONE, format_named
from k2eval.records import Generation, Message, Request
from k2eval.testing import make_tiny_checkpoint
from tests.engines.endpoint.asked import engine_at, notes_of, request
from tests.engines.endpoint.fake_server import MODEL, Body, FakeServer, Reply, chunk, error, usage, well


def refusing(*names: str) -> Callable[[Body], Reply]:
    def behave(body: Body) -> Reply:
        refused = next((name for name in names if name in body), None)
        return error(400, f"Unsupported parameter: '{refused}' is not supported") if refused else well()

    return behave


@pytest.mark.parametrize("name", ["temperature", "top_p", "seed", "top_k", "min_p"])
async def test_a_parameter_that_is_refused_is_left_out_and_noted(name: str) -> None:
    async with FakeServer(refusing(name)) as server, engine_at(server, attempts=1) as engine:
        for seed in range(2):
            await engine.generate(request(seed, top_k=5, min_p=0.1))
        assert f"does not take {name}, which is left out: Unsupported parameter" in notes_of(engine)
    assert [name in body for body in server.bodies] == [True, False, False]


async def test_a_form_of_the_answer_that_is_refused_is_left_out_and_noted() -> None:
    async with FakeServer(refusing("response_format")) as server, engine_at(server, attempts=1) as engine:
        await engine.generate(request(json_schema={"type": "object"}))
        assert "does not take response_format, which is left out" in notes_of(engine)
    assert ["response_format" in body for body in server.bodies] == [True, False]


async def test_the_whole_vocabulary_is_asked_for_in_so_many_words() -> None:
    async with FakeServer() as server, engine_at(server) as engine:
        await engine.generate(request())
    assert server.bodies[0]["top_k"] == -1


async def test_a_server_that_does_not_know_what_changes_nothing_is_no_news() -> None:
    async with FakeServer(refusing("top_k", "min_p")) as server, engine_at(server) as engine:
        await engine.generate(request())
        assert "left out" not in notes_of(engine)
    assert "top_k" not in server.bodies[-1]


async def test_several_are_left_out_one_after_the_other() -> None:
    async with FakeServer(refusing("temperature", "top_p", "seed")) as server, engine_at(server) as engine:
        await engine.generate(request())
        assert notes_of(engine).count("left out") == 3
    assert len(server.bodies) == 4


async def test_max_tokens_is_sent_by_the_name_that_the_server_takes() -> None:
    async with FakeServer(refusing("max_tokens")) as server, engine_at(server) as engine:
        await engine.generate(request())
        assert "takes max_completion_tokens for max_tokens" in notes_of(engine)
    assert server.bodies[-1]["max_completion_tokens"] == 100


async def test_nothing_is_left_out_for_good_if_that_did_not_help() -> None:
    words = "the prompt says 'temperature', which is not allowed here"
    async with FakeServer(lambda body: error(400, words)) as server, engine_at(server) as engine:
        with pytest.raises(EngineGaveUp, match="not allowed here"):
            await engine.generate(request())
        server.behave = lambda body: well()
        await engine.generate(request())
        assert "left out" not in notes_of(engine)
    assert "temperature" in server.bodies[-1]


async def test_parameters_are_renamed_dropped_and_added_as_set() -> None:
    settings: dict[str, Any] = {
        "rename": {"max_tokens": "max_completion_tokens"},
        "drop": ["temperature", "top_p"],
        "extra_body": {"reasoning": {"effort": "high"}, "frequency_penalty": 0.5},
    }
    async with FakeServer() as server, engine_at(server, **settings) as engine:
        await engine.generate(request(5))
    [body] = server.bodies
    assert body["max_completion_tokens"] == 100
    assert not {"max_tokens", "temperature", "top_p"} & set(body)
    assert (body["reasoning"], body["frequency_penalty"]) == ({"effort": "high"}, 0.5)


async def test_fewer_tokens_are_asked_for_where_the_server_allows_no_more() -> None:
    def behave(body: Body) -> Reply:
        if body["max_tokens"] > 16:
            return error(
                400, "max_tokens is too large: 100. This model supports at most 16 completion tokens"
            )
        return well()

    async with FakeServer(behave) as server, engine_at(server) as engine:
        for seed in range(2):
            await engine.generate(request(seed))
        assert "allows at most 16 tokens an answer" in notes_of(engine)
    assert [body["max_tokens"] for body in server.bodies] == [100, 16, 16]


async def test_a_limit_to_max_tokens_that_speaks_of_the_context_is_no_prompt_that_is_too_long() -> None:
    words = (
        "`max_tokens` must be less than or equal to `16`, the maximum value for `max_tokens` is less than the "
        "`context_window` for this model"
    )
    async with (
        FakeServer(lambda body: error(400, words) if body["max_tokens"] > 16 else well()) as server,
        engine_at(server) as engine,
    ):
        assert (await engine.generate(request())).text == "fine"
        assert "allows at most 16 tokens an answer" in notes_of(engine)


@pytest.mark.parametrize(
    ("context", "asked"), [(None, [64_000, 32_000, 16_000, 8_000]), (9_000, [64_000, 8_446])]
)
async def test_fewer_tokens_are_tried_if_the_server_does_not_say_how_many_fit(
    context: int | None, asked: list[int]
) -> None:
    models = [{"id": MODEL, **({"max_model_len": context} if context else {})}]

    def behave(body: Body) -> Reply:
        return error(400, "this exceeds the context window") if body["max_tokens"] > 8_500 else well()

    async with FakeServer(behave, models) as server, engine_at(server) as engine:
        assert (await engine.generate(request(max_tokens=64_000))).text == "fine"
    assert [body["max_tokens"] for body in server.bodies] == asked


async def test_answers_that_are_cut_because_the_server_had_room_for_fewer_tokens_are_noted() -> None:
    words = "maximum context length is 60 tokens and your request has 20 input tokens"

    def behave(body: Body) -> Reply:
        if body["max_tokens"] > 40:
            return error(400, words)
        return Reply(events=[chunk("a " * 40), chunk(finish="length"), usage(completion=40)])

    async with FakeServer(behave) as server, engine_at(server) as engine:
        await engine.generate(request())
        assert "1 answers cut at 40 of 100 tokens" in notes_of(engine)


async def test_a_failure_that_names_the_context_is_a_prompt_that_is_too_long() -> None:
    words = "the request exceeds the available context size. try increasing the context size"
    async with FakeServer(lambda body: error(500, words)) as server, engine_at(server) as engine:
        with pytest.raises(PromptTooLong, match="available context size"):
            await engine.generate(request())
    assert len(server.bodies) == 1


async def test_a_question_that_is_flagged_does_not_stop_the_run() -> None:
    words = "Your input was flagged by moderation"
    async with FakeServer(lambda body: error(403, words)) as server, engine_at(server) as engine:
        with pytest.raises(EngineGaveUp, match="flagged"):
            await engine.generate(request())


async def test_an_answer_gets_the_room_that_the_context_has() -> None:
    def behave(body: Body) -> Reply:
        words = "maximum context length is 80 tokens and your request has 30 input tokens"
        return error(400, words) if body["max_tokens"] > 50 else well()

    async with FakeServer(behave) as server, engine_at(server) as engine:
        assert (await engine.generate(request())).text == "fine"
    assert [body["max_tokens"] for body in server.bodies] == [100, 50]


async def test_a_prompt_beyond_the_context_is_named_as_such() -> None:
    words = "the request exceeds the available context size, try increasing it"
    async with FakeServer(lambda body: error(400, words)) as server, engine_at(server) as engine:
        with pytest.raises(PromptTooLong, match="available context size"):
            await engine.generate(request())
    assert len(server.bodies) == 1


async def test_the_chat_templates_arguments_reach_every_server() -> None:
    async with FakeServer() as server, engine_at(server) as engine:
        await engine.generate(request(chat_template={"enable_thinking": False}))
    assert server.bodies[0]["chat_template_kwargs"] == {"enable_thinking": False}


async def test_the_switches_of_thinking_reach_every_server() -> None:
    async with FakeServer() as server, engine_at(server) as engine:
        await engine.generate(request(thinking=True, reasoning_effort="high", thinking_budget=512))
    body = server.bodies[0]
    assert body["chat_template_kwargs"]["enable_thinking"] is True
    assert (body["reasoning_effort"], body["thinking_token_budget"]) == ("high", 512)


@pytest.mark.parametrize("status", [400, 500])
async def test_a_server_without_a_system_turn_gets_its_text_in_the_first_user_turn(status: int) -> None:
    def behave(body: Body) -> Reply:
        return (
            error(status, "System role not supported") if body["messages"][0]["role"] == "system" else well()
        )

    turns = (Message(role="system", content="Be brief."), Message(role="user", content="6 times 7?"))
    async with FakeServer(behave) as server, engine_at(server) as engine:
        await engine.generate(request().model_copy(update={"messages": turns}))
        assert "takes no system turn" in notes_of(engine)
    assert server.bodies[-1]["messages"] == [{"role": "user", "content": "Be brief.\n\n6 times 7?"}]


async def test_stop_strings_are_sent_only_to_a_model_that_does_not_reason() -> None:
    async with FakeServer() as server, engine_at(server, reasoning=NONE) as engine:
        await engine.generate(request())
    assert server.bodies[0]["stop"] == ["</answer>"]
    assert server.bodies[0]["include_stop_str_in_output"] is True
    assert "skip_special_tokens" not in server.bodies[0]


@pytest.mark.parametrize(
    ("name", "is_noted"), [("mistral", True), ("harmony", True), ("think", False), ("auto", False)]
)
async def test_a_server_that_leaves_special_tokens_out_is_noted_if_they_mark_reasoning(
    name: str, is_noted: bool
) -> None:
    def behave(body: Body) -> Reply:
        if "skip_special_tokens" in body:
            return error(400, "Unrecognized request argument supplied: skip_special_tokens")
        return well()

    async with FakeServer(behave) as server, engine_at(server, reasoning=format_named(name)) as engine:
        await engine.generate(request())
        words = f"The marks of {name} are special tokens, so its texts may lack them"
        assert (words in notes_of(engine)) is is_noted


async def test_a_server_that_measures_prompts_clamps_and_tells_open_reasoning() -> None:
    models = [{"id": MODEL, "object": "model", "max_model_len": 80}]
    async with FakeServer(models=models) as server:
        server.pages["/tokenize"] = Reply(body=json.dumps({"count": 30, "token_strs": ["a", "<think>", "Ċ"]}))
        async with engine_at(server) as engine:
            generation = await engine.generate(request())
            assert engine.info.context == 80
    assert server.bodies[0]["max_tokens"] == 50
    assert generation.prefill == "<think>"


async def test_a_measured_prompt_beyond_the_context_is_not_even_asked() -> None:
    models = [{"id": MODEL, "object": "model", "max_model_len": 20}]
    async with FakeServer(models=models) as server:
        server.pages["/tokenize"] = Reply(body=json.dumps({"count": 30}))
        async with engine_at(server) as engine:
            with pytest.raises(PromptTooLong, match="30 tokens"):
                await engine.generate(request())
    assert server.bodies == []


async def test_prompts_of_llama_cpp_are_measured_by_its_own_template() -> None:
    async with FakeServer() as server:
        server.pages["/apply-template"] = Reply(body=json.dumps({"prompt": "user: x\n<think>\n"}))
        server.pages["/tokenize"] = lambda body: Reply(
            body=json.dumps({"tokens": [1] * len(body.get("content", ""))})
        )
        async with engine_at(server) as engine:
            assert (await engine.generate(request())).prefill == "<think>"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("model")
    make_tiny_checkpoint(folder)
    return str(folder)


async def test_a_server_with_completions_alone_gets_prompts_rendered_here(checkpoint: str) -> None:
    async with (
        FakeServer(lambda body: Reply(body=_completion("42"))) as server,
        engine_at(server, api="completions", tokenizer=checkpoint) as engine,
    ):
        generation = await engine.generate(request())
    assert generation.text == "42"
    assert server.paths[-1] == "/v1/completions"
    prompt = server.bodies[0]["prompt"]
    assert all(isinstance(token, int) for token in prompt) and len(prompt) > 5
    assert "messages" not in server.bodies[0]


async def test_chat_that_is_not_there_is_replaced_by_completions(checkpoint: str) -> None:
    async with FakeServer() as server:
        server.behave = lambda body: (
            Reply(body=_completion("42")) if "prompt" in body else error(404, "Not Detection")
        )
        async with engine_at(server, tokenizer=checkpoint) as engine:
            assert (await engine.generate(request())).text == "42"
            assert "has no chat" in notes_of(engine)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "json: cannot unmarshal array into Go struct field CompletionRequest.prompt of type string"),
        (422, "[{'loc': ['body', 'prompt'], 'msg': 'Input should be a valid string'}]"),
        (400, "'prompt' field must be a string"),
    ],
)
async def test_completions_that_take_text_alone_get_text(checkpoint: str, status: int, words: str) -> None:
    def behave(body: Body) -> Reply:
        return Reply(body=_completion("42")) if isinstance(body["prompt"], str) else error(status, words)

    async with (
        FakeServer(behave) as server,
        engine_at(server, api="completions", tokenizer=checkpoint) as engine,
    ):
        for seed in range(2):
            assert (await engine.generate(request(seed))).text == "42"
        assert "takes prompts as text alone" in notes_of(engine)
    assert [type(body["prompt"]) for body in server.bodies] == [list, str, str]
    assert "6 times 7?" in server.bodies[-1]["prompt"]


def _completion(text: str) -> str:
    choice = {"index": 0, "text": text, "finish_reason": "stop"}
    return json.dumps(
        {"model": MODEL, "choices": [choice], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}
    )


def _going_on() -> Request:
    before = Generation.answering(
        request(),
        text="so it is</think>41",
        prefill="<think>",
        finish_reason="stop",
        prompt_tokens=1,
        output_tokens=9,
        duration_s=0,
    )
    return request().model_copy(update={"begun": before, "begun_tokens": 5})


async def test_a_server_with_completions_goes_on_with_a_text(checkpoint: str) -> None:
    async with (
        FakeServer(lambda body: Reply(body=_completion("42"))) as server,
        engine_at(server, api="completions", tokenizer=checkpoint) as engine,
    ):
        plain = await engine.generate(request())
        generation = await engine.generate(_going_on())
    assert (plain.prefill, plain.text) == ("", "42")
    assert (generation.prefill, generation.text) == ("<think>so it</think>", "42")
    prompts = [body["prompt"] for body in server.bodies[-2:]]
    assert bytes(prompts[1][len(prompts[0]) :]) != b""
    assert prompts[1][: len(prompts[0])] == prompts[0]
    assert len(prompts[1]) == len(prompts[0]) + len("so it</think>")


async def test_a_chat_server_cannot_go_on_with_a_text_and_says_so_before_the_run() -> None:
    async with FakeServer() as server, engine_at(server) as engine:
        with pytest.raises(ConfigError, match=r"engine\.api=completions"):
            engine.preview(_going_on())
        with pytest.raises(EngineStopped, match="goes on with a text"):
            await engine.generate(_going_on())
