"""Real vLLM on the CPU, with a checkpoint of random weights. One engine serves the whole module."""

import asyncio
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from k2eval.engines.checkpoint import checkpoint_fingerprint
from k2eval.engines.facts import longest_context
from k2eval.engines.vllm.engine import VllmEngine
from k2eval.engines.vllm.requests import Prompts
from k2eval.engines.vllm.setup import reason, redirected, root_cause
from k2eval.errors import ConfigError, EngineError, PromptTooLong
from k2eval.journal import read_run
from k2eval.records import Message, Outcome, Request, Sampling
from k2eval.run.runner import Runner
from tests.scripted_runs import config, verdicts
from tests.vllm_engine import CONTEXT, Lent

started = [
    pytest.mark.slow,
    pytest.mark.xdist_group("engines"),
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(600),
    # vLLM's own, while it is imported
    pytest.mark.filterwarnings("ignore"),
]


def with_engine(function: Any) -> Any:
    for mark in started:
        function = mark(function)
    return function


def request(
    prompt: str = "How many?", seed: int = 1, key: str = "k", priority: int = 0, **sampling: Any
) -> Request:
    return Request(
        priority=priority,
        key=key,
        task="t",
        question_id="q",
        repeat_index=0,
        stage="solve",
        messages=(Message(role="user", content=prompt),),
        sampling=Sampling(**{"max_tokens": 60, "stop": ()} | sampling),
        seed=seed,
    )


@with_engine
async def test_small_first_requests_do_not_kill_the_worker(engine: VllmEngine) -> None:
    """They did on processors with AMX: see `k2eval.engines.vllm.cpu_repair`."""
    texts = await asyncio.gather(
        *(engine.generate(request("", seed=seed, key=str(seed))) for seed in range(3))
    )
    assert len(texts) == 3


@with_engine
async def test_a_generation_is_fully_described(engine: VllmEngine) -> None:
    answer = await engine.generate(request())
    assert (answer.key, answer.seed, answer.model) == ("k", 1, engine.info.name)
    assert answer.prompt_tokens == len(engine.prompt_ids(request()))
    assert 0 < answer.output_tokens <= 60
    assert answer.finish_reason in ("stop", "length")
    assert answer.queue_s is not None and answer.ttft_s is not None
    assert 0 <= answer.queue_s <= answer.ttft_s <= answer.duration_s


@with_engine
async def test_steps_are_counted_by_us_and_not_for_prometheus(engine: VllmEngine) -> None:
    before = engine.counters.count
    await engine.generate(request())
    assert engine.counters.count > before
    loggers = engine.llm.logger_manager.stat_loggers
    assert not [one for one in loggers if "Prometheus" in type(one).__name__]


@with_engine
async def test_the_same_seed_gives_the_same_text_alone_and_in_company(engine: VllmEngine) -> None:
    alone = [await engine.generate(request(seed=seed)) for seed in range(4)]
    company = [engine.generate(request(f"Count to {seed}.", seed=seed, key=str(seed))) for seed in range(60)]
    together = await asyncio.gather(*(engine.generate(request(seed=seed)) for seed in range(4)), *company)
    assert [answer.text for answer in together[:4]] == [answer.text for answer in alone]
    assert len({answer.text for answer in alone}) == 4


@with_engine
async def test_temperature_zero_ignores_the_seed(engine: VllmEngine) -> None:
    texts = {(await engine.generate(request(seed=seed, temperature=0.0))).text for seed in range(3)}
    assert len(texts) == 1


@with_engine
async def test_a_stop_string_stays_in_the_text(engine: VllmEngine) -> None:
    free = await engine.generate(request(max_tokens=200))
    stop = free.text[5:7]
    stopped = await engine.generate(request(max_tokens=200, stop=(stop,)))
    assert stopped.text == free.text[: free.text.index(stop) + len(stop)]
    assert stopped.finish_reason == "stop"


@with_engine
async def test_the_token_limit_is_told_from_an_end(engine: VllmEngine) -> None:
    answer = await engine.generate(request(max_tokens=3))
    assert (answer.finish_reason, answer.output_tokens) == ("length", 3)


@with_engine
async def test_a_prompt_that_exceeds_the_context_is_refused_and_not_cut(engine: VllmEngine) -> None:
    with pytest.raises(
        PromptTooLong, match=rf"Question 'q' \(t, solve\): the prompt has \d+ tokens, the context {CONTEXT}"
    ):
        await engine.generate(request("x" * CONTEXT))


@with_engine
async def test_a_prompt_that_just_fits_is_answered(engine: VllmEngine) -> None:
    frame = len(engine.prompt_ids(request("")))
    answer = await engine.generate(request("x" * (CONTEXT - frame - 1)))
    assert (answer.prompt_tokens, answer.output_tokens) == (CONTEXT - 1, 1)


@with_engine
async def test_a_limit_beyond_the_context_is_cut_at_the_context(engine: VllmEngine) -> None:
    answers = [await engine.generate(request("x" * 1900, seed=seed, max_tokens=64_000)) for seed in range(3)]
    assert max(answer.prompt_tokens + answer.output_tokens for answer in answers) <= CONTEXT


@with_engine
async def test_where_requests_wait_the_smallest_priority_goes_first(engine: VllmEngine) -> None:
    places, ended = 256, list[str]()

    async def ask(key: str, priority: int) -> None:
        await engine.generate(request(key=key, seed=len(key), priority=priority, max_tokens=24))
        ended.append(key)

    first = [ask(str(number), 0) for number in range(places)]
    later = [ask(f"late {number}", 2) for number in range(places)]
    await asyncio.gather(*first, *later, ask("urgent", 1))
    assert ended.index("urgent") < 1.6 * places


@with_engine
async def test_a_json_schema_binds_the_answer(engine: VllmEngine) -> None:
    schema = {
        "type": "object",
        "properties": {"index": {"enum": [0, 1]}},
        "required": ["index"],
        "additionalProperties": False,
    }
    answer = await engine.generate(request(json_schema=schema, max_tokens=400))
    assert json.loads(answer.text)["index"] in (0, 1)


@with_engine
async def test_a_request_that_vllm_refuses_is_an_engine_error_and_the_engine_lives(
    engine: VllmEngine,
) -> None:
    with pytest.raises(EngineError, match="vLLM failed on question 'q'"):
        await engine.generate(request(json_schema={"type": "nonsense"}))
    assert (await engine.generate(request())).output_tokens > 0


@with_engine
async def test_a_cancelled_request_leaves_the_engine_free(engine: VllmEngine) -> None:
    task = asyncio.create_task(engine.generate(request("x" * 50, max_tokens=1900)))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await engine.generate(request())).output_tokens > 0


@with_engine
async def test_a_template_that_refuses_the_prompt_is_explained(engine: VllmEngine) -> None:
    template = {"chat_template": "{{ raise_exception('no system turn') }}"}
    with pytest.raises(
        ConfigError, match=r"The chat template of .* refuses a prompt with the turns user: no system"
    ):
        await engine.generate(request(chat_template=template))


@with_engine
async def test_without_a_template_prompts_are_plain_text(
    engine: VllmEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.tokenizer, "chat_template", None)
    ids, prefill = Prompts("m", engine.tokenizer).of(request("plain"))
    assert len(ids) == 5 and not prefill


@with_engine
async def test_vllm_goes_on_with_a_text_as_if_it_were_the_prompt(engine: VllmEngine) -> None:
    """Each byte is a token here."""
    sampling: dict[str, Any] = {
        "chat_template": {"chat_template": "{{ messages[-1].content }}"}, "temperature": 0.0,
    }  # fmt: skip
    before = (await engine.generate(request(**sampling))).model_copy(update={"text": "seven of them"})
    going_on = request("How", **sampling).model_copy(update={"begun": before, "begun_tokens": 5})
    gone_on, whole = await asyncio.gather(
        engine.generate(going_on), engine.generate(request("Howseven", key="w", **sampling))
    )
    assert (gone_on.prefill, gone_on.prompt_tokens) == ("seven", 8)
    assert gone_on.text == whole.text


@with_engine
async def test_what_a_template_opens_is_kept_as_prefill(engine: VllmEngine) -> None:
    template = {"chat_template": "{{ messages[-1].content }}<think>\n"}
    assert (await engine.generate(request(chat_template=template))).prefill == "<think>"


@with_engine
async def test_the_engine_says_what_it_is(engine: VllmEngine) -> None:
    assert engine.info.engine.startswith("vllm ") and engine.info.engine.endswith("(cpu)")
    assert (engine.info.context, engine.info.honours_seeds) == (CONTEXT, True)
    assert engine.info.settings["enable_chunked_prefill"] is False


@with_engine
async def test_a_run_says_that_its_context_cuts_answers(engine: VllmEngine, tmp_path: Path) -> None:
    out = io.StringIO()
    long = {"smoke": {"system": "x" * CONTEXT}}
    run_config = config(tmp_path / "run", limit=1, repeats=1, overrides=long)
    summary = await Runner(run_config, {"solver": Lent(engine)}, Console(file=out, width=400)).run()
    assert summary.infrastructure == 1
    assert verdicts(tmp_path / "run")[0].outcome is Outcome.PROMPT_TOO_LONG
    assert out.getvalue().count(f"must fit a context of {CONTEXT} tokens") == 1
    assert read_run(tmp_path / "run").model.context == CONTEXT


@with_engine
async def test_an_unknown_argument_gets_a_near_match(
    checkpoint: Path, tmp_path: Path, engine: VllmEngine
) -> None:
    wrong = VllmEngine(str(checkpoint), {"max_model_length": 5}, log=tmp_path / "log")
    with pytest.raises(
        ConfigError, match=r"has no engine argument 'max_model_length'. Did you mean max_model_len"
    ):
        await wrong.__aenter__()


@with_engine
async def test_weights_that_cannot_be_read_are_named(
    checkpoint: Path, tmp_path: Path, engine: VllmEngine
) -> None:
    """The only other start in this module; it fails before an engine stands."""
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in checkpoint.iterdir():
        content = path.read_bytes()
        (broken / path.name).write_bytes(
            content[: len(content) // 2] if path.suffix == ".safetensors" else content
        )
    with pytest.raises(EngineError, match=r"could not start with .*: SafetensorError: ") as caught:
        await VllmEngine(str(broken), log=tmp_path / "log").__aenter__()
    assert f"vLLM's own words are in {tmp_path / 'log'}" in str(caught.value)
    assert "\nSettings: {" in str(caught.value)


def written(folder: Path, **files: str | bytes) -> str:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(
            content.encode() if isinstance(content, str) else content
        )
    return str(folder)


def test_a_moved_checkpoint_is_the_same_and_another_is_not(tmp_path: Path) -> None:
    here = written(tmp_path / "a", config__json="{}", w__safetensors=b"x" * 100)
    there = written(tmp_path / "b", config__json="{}", w__safetensors=b"x" * 100)
    other = written(tmp_path / "c", config__json="{}", w__safetensors=b"x" * 99 + b"y")
    assert checkpoint_fingerprint(here) == checkpoint_fingerprint(there) != checkpoint_fingerprint(other)


def test_logs_beside_the_weights_do_not_change_the_checkpoint(tmp_path: Path) -> None:
    here = written(tmp_path / "a", config__json="{}")
    before = checkpoint_fingerprint(here)
    written(tmp_path / "a", training__log="step 1", README__md="# A model")
    assert checkpoint_fingerprint(here) == before


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"is not a checkpoint: it has no config.json"),
        ({"config__json": "{"}, r"Cannot read .*config.json: expected the JSON"),
        ({"config__json": b"\xff\xfe"}, r"Cannot read .*config.json"),
        ({"config__json": "[]"}, r"config.json: expected a JSON object, got list"),
    ],
)
def test_a_folder_that_is_no_checkpoint_is_explained(
    tmp_path: Path, files: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        VllmEngine(written(tmp_path / "model", **files))


def test_a_file_in_place_of_a_checkpoint_is_explained(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_text("")
    with pytest.raises(ConfigError, match=r"model.gguf is a file, expected the folder of a checkpoint"):
        checkpoint_fingerprint(str(tmp_path / "model.gguf"))


@pytest.mark.parametrize("name", ["/nowhere/model", "./model", "model", "a/b/c", "~/model"])
def test_a_path_where_nothing_is_gets_no_look_at_the_hub(name: str) -> None:
    with pytest.raises(ConfigError, match="There is no checkpoint at"):
        checkpoint_fingerprint(name)


def test_a_hub_name_is_its_own_identity() -> None:
    assert checkpoint_fingerprint("owner/name") != checkpoint_fingerprint("owner/other")
    assert longest_context("owner/name") is None


def test_output_goes_to_the_log_and_then_back(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with redirected(tmp_path / "deep" / "log"):
        os.write(1, b"inside\n")
        os.write(2, b"errors too\n")
    os.write(1, b"outside\n")
    assert capfd.readouterr().out == "outside\n"
    assert (tmp_path / "deep" / "log").read_text() == "inside\nerrors too\n"


def test_output_of_several_engines_goes_back_in_any_order(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Engines of a race end side by side; that of the first must not take the output along."""
    first, second = redirected(tmp_path / "first"), redirected(tmp_path / "second")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    os.write(1, b"of the second\n")
    second.__exit__(None, None, None)
    os.write(1, b"outside\n")
    assert capfd.readouterr().out == "outside\n"
    assert (tmp_path / "first").read_text() == ""
    assert (tmp_path / "second").read_text() == "of the second\n"


def test_the_root_cause_is_found_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("old.Error: of an earlier start\n")
    start = log.stat().st_size
    with log.open("a") as file:
        file.write("(EngineCore pid=1) ERROR [core.py:1] ValueError: first\n")
        file.write("(EngineCore pid=1) ERROR [core.py:1] safetensors_rust.SafetensorError: cut short\n")
        file.write("RuntimeError: Engine core initialization failed. See root cause above.\n")
    assert root_cause(log, start) == "SafetensorError: cut short"
    assert root_cause(log, log.stat().st_size) is None


def test_a_reason_is_one_line() -> None:
    assert reason(ValueError("2 errors\n\n  first\n  second")) == "ValueError: 2 errors first second"
