"""Real vLLM with a draft model, over answers that k2eval ends at a stop string before the model would."""

import asyncio
from pathlib import Path

import pytest

from k2eval.engines.vllm.engine import VllmEngine
from k2eval.reasoning import stop_place
from k2eval.records import Generation, Request, Sampling
from k2eval.tasks import load_questions, load_tasks
from tests.warm_engines import warm_engines

__all__ = ["warm_engines"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("engines"),
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore"),
]

NANO = Path(__file__).parents[3] / "models" / "nano"
STOP = "\\boxed"
"""Every answer has it, some words before its end."""
DRAFTED = 3


def requests(*stop: str) -> list[Request]:
    [task] = load_tasks(["nano_math"])
    return [
        Request(
            key=question.id, task=question.task, question_id=question.id, repeat_index=0, stage="solve", seed=1,
            messages=question.messages, sampling=Sampling(temperature=0.0, top_p=1.0, max_tokens=1500, stop=stop),
        )
        for question in load_questions(task, data=None, limit=8).questions()
    ]  # fmt: skip


def counted_tokens(generation: Generation) -> int:
    """Return the tokens by the counts of speculation: the first, then one and the accepted ones with each draft."""
    counts = generation.speculative
    assert counts is not None
    return 1 + counts.drafts + counts.accepted_tokens


async def test_an_answer_that_is_ended_is_the_beginning_of_the_whole_one(tmp_path: Path) -> None:
    speculative = {"method": "draft_model", "model": str(NANO / "draft"), "num_speculative_tokens": DRAFTED}
    arguments = {"max_model_len": 4096}
    async with VllmEngine(str(NANO / "rl"), arguments, speculative, tmp_path / "engine.log") as engine:
        form = engine.info.reasoning
        wholes = await asyncio.gather(*map(engine.generate, requests()))
        before = engine.info.speculation
        ended = await asyncio.gather(*map(engine.generate, requests(STOP)))
        after = engine.info.speculation
    assert before is not None and after is not None
    for whole, short in zip(wholes, ended, strict=True):
        place = stop_place(whole.text, form, [STOP], whole.prefill)
        assert place is not None and short.text == whole.text[:place] and len(short.text) < len(whole.text)
        assert short.finish_reason == "stop" and short.output_tokens < whole.output_tokens
        # The last draft may have held tokens behind the end of the answer.
        assert 0 <= counted_tokens(whole) - whole.output_tokens <= DRAFTED
        # vLLM tells a request's own counts at its own end, which may come in the same piece as the stop string.
        assert short.speculative is None or counted_tokens(short) >= short.output_tokens
    # The engine's own counts hold both rounds, and what was drafted behind a stop string.
    assert before.drafts == sum(whole.speculative.drafts for whole in wholes if whole.speculative)
    least = sum(short.output_tokens - 1 for short in ended)
    made = after.drafts - before.drafts + after.accepted_tokens - before.accepted_tokens
    assert least <= made <= least + 8 * (64 + DRAFTED)
    assert after.accepted_tokens == sum(after.accepted_per_position) <= after.drafted_tokens
