"""Real vLLM on the CPU over toy checkpoints of each family: one start for each."""

from pathlib import Path
from typing import Any

import pytest

from k2eval.engines.vllm.engine import VllmEngine
from k2eval.engines.vllm.preview import FOLDED
from k2eval.reasoning import split
from k2eval.records import Message, Request, Sampling
from tests.models.families import Script, write
from tests.warm_engines import warm_engines

__all__ = ["warm_engines"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("engines"),
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore"),
]

THOUGHT = ("They want it inside <answer> and </answer> tags. ", "Is it \\boxed{7}?")
ANSWER = ("<answer>", "It is \\boxed{4}.", "</answer>")
REST = tuple(f" and {number}" for number in range(80))

FAMILIES: dict[str, tuple[str, str, Script, Script]] = {
    "r1": ("think", "<think>", (), ("\n</think>\n\n",)),
    "qwen3": ("think", "", ("<think>",), ("</think>",)),
    "k2_think": ("think", "<think>", (), ("\n</think>",)),
    "magistral": ("mistral", "", ("[THINK]",), ("[/THINK]",)),
    "seed": ("seed", "", ("<seed:think>",), ("</seed:think>",)),
    "gemma_4": ("gemma", "", ("<|channel>", "thought\n"), ("<channel|>",)),
    "gpt_oss": (
        "harmony", "", ("<|channel|>", "analysis", "<|message|>"),
        ("<|end|>", "<|start|>", "assistant", "<|channel|>final<|message|>"),
    ),
    "kimi_vl": ("kimi_vl", "", ("◁think▷",), ("◁/think▷",)),
    "sky": ("sky", "", ("<|begin_of_thought|>",), ("<|end_of_thought|>", "\n\n", "<|begin_of_solution|>")),
    "medgemma": ("auto", "", ("<unused94>", "thought\n"), ("<unused95>",)),
    "exaone": ("custom", "<thought>", (), ("\n</thought>\n\n",)),
    "apertus": ("apertus", "", ("<|inner_prefix|>",), ("<|inner_suffix|>",)),
    "solar": ("solar", "", ("<|think|>",), ("<|end|>", "<|begin|>", "assistant", "<|content|>")),
    "base": ("auto", "", ("<think>",), ("</think>",)),
}  # fmt: skip


USER = Message(role="user", content="2 + 2?")


def request(*messages: Message, **sampling: Any) -> Request:
    return Request(
        key="k", task="t", question_id="q", repeat_index=0, stage="solve", seed=1,
        messages=messages or (USER,), sampling=Sampling(**{"max_tokens": 64} | sampling),
    )  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
async def test_a_family_is_read_and_stopped_behind_its_reasoning(name: str, tmp_path: Path) -> None:
    form, prefill, opening, closing = FAMILIES[name]
    script = (*opening, *THOUGHT, *closing, *ANSWER, *REST)
    model = write(name, tmp_path / "model", script)
    async with VllmEngine(str(model), {"max_model_len": 1024}, log=tmp_path / "engine.log") as engine:
        assert engine.info.reasoning.name == form
        stopped = await engine.generate(request())
        assert stopped.text == "".join((*opening, *THOUGHT, *closing, *ANSWER))
        assert (stopped.finish_reason, stopped.prefill) == ("stop", prefill)
        assert stopped.output_tokens == len(script) - len(REST)
        parts = split(stopped.prefill + stopped.text, engine.info.reasoning)
        assert parts.answer.strip() == "".join(ANSWER)
        cut = await engine.generate(request(max_tokens=len(opening) + 2))
        assert (cut.finish_reason, cut.output_tokens) == ("length", len(opening) + 2)
        assert not split(cut.prefill + cut.text, engine.info.reasoning).complete
        whole = await engine.generate(request(max_tokens=500, stop=()))
        assert (whole.text, whole.finish_reason) == ("".join(script), "stop")
        assert whole.output_tokens == len(script) + 1


async def test_a_family_without_reasoning_and_system_turn_is_stopped_at_once(tmp_path: Path) -> None:
    script = ("Well: ", *ANSWER, *REST)
    model = write("mistral", tmp_path / "model", script)
    async with VllmEngine(str(model), {"max_model_len": 1024}, log=tmp_path / "engine.log") as engine:
        asked = request(Message(role="system", content="Be brief."), USER)
        assert engine.tokenizer.decode(engine.prompt_ids(asked)) == "<s>[INST] Be brief.\n\n2 + 2? [/INST]"
        stopped = await engine.generate(asked)
        assert (stopped.text, stopped.finish_reason) == ("Well: " + "".join(ANSWER), "stop")
        assert stopped.output_tokens == len(script) - len(REST)
        assert FOLDED in engine.info.notes
