"""Weights swapped in a real vLLM on the CPU give the answers of a fresh start, byte for byte."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from k2eval.engines.vllm.engine import VllmEngine
from k2eval.errors import EngineError
from k2eval.records import Message, Request, Sampling
from tests.warm_engines import warm_engines

__all__ = ["warm_engines"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("engines"),
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore"),
]

NANO = Path(__file__).resolve().parents[3] / "models" / "nano"
ARGUMENTS = {"max_model_len": 2048, "max_num_seqs": 16}
COMMON = "Think step by step, and give the answer in a box. " * 40


def request(number: int, temperature: float = 0.0) -> Request:
    return Request(
        key=f"{number}",
        task="t",
        question_id=f"{number}",
        repeat_index=0,
        stage="solve",
        messages=(Message(role="user", content=f"{COMMON}What is {number + 17} + {3 * number + 8}?"),),
        sampling=Sampling(temperature=temperature, max_tokens=48, stop=()),
        seed=number,
    )


async def answers(engine: VllmEngine) -> tuple[list[str], int]:
    """Answers, greedy and drawn, and how many tokens of the first prompt the cache had."""
    first = await engine.generate(request(0))
    others = [await engine.generate(request(n, temperature=float(n % 2))) for n in range(1, 6)]
    return [answer.text for answer in (first, *others)], first.cached_tokens


async def fresh(model: Path, log: Path) -> list[str]:
    async with VllmEngine(str(model), ARGUMENTS, log=log) as engine:
        return (await answers(engine))[0]


async def test_swapped_weights_answer_as_a_fresh_start_does_in_both_directions(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    sft, rl = NANO / "sft", tmp_path / "rl"
    shutil.copytree(NANO / "rl", rl)
    expected = {rl: await fresh(rl, log)}
    engine = VllmEngine(str(sft), ARGUMENTS, log=log)
    await engine.__aenter__()
    try:
        expected[sft] = (await answers(engine))[0]
        assert expected[sft] != expected[rl]
        again = await engine.generate(request(0))
        assert again.cached_tokens > 0, "the probe must reach the prefix cache"
        for model in (rl, sft, rl):
            successor = VllmEngine(str(model), ARGUMENTS)
            assert successor.obstacle(engine) is None
            await successor.take_over(engine)
            assert engine.is_dead
            texts, cached = await answers(successor)
            assert (texts, cached) == (expected[model], 0)
            assert successor.info.swapped_from == engine.info.name
            assert successor.info.fingerprint == VllmEngine(str(model), ARGUMENTS).info.fingerprint
            assert successor.info.log == log
            engine = successor
        other = VllmEngine(str(sft), {**ARGUMENTS, "max_model_len": 1024})
        assert other.obstacle(engine) == "other settings: max_model_len"
        shutil.rmtree(rl)  # as trainers do that keep the last few checkpoints
        successor = VllmEngine(str(sft), ARGUMENTS)
        assert successor.obstacle(engine) is None
        pending = asyncio.create_task(engine.generate(request(99)))
        await asyncio.sleep(0.05)
        with pytest.raises(EngineError, match="still answers"):
            await successor.take_over(engine)
        await pending
        await successor.take_over(engine)
        engine = successor
        assert (await answers(engine))[0] == expected[sft]
    finally:
        await engine.__aexit__(None, None, None)
