"""The whole check, with real vLLM: two engine starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from k2eval.config.run import RunConfig
from k2eval.records import Message, Question, Sampling
from k2eval.testing import make_tiny_checkpoint
from tests.warm_engines import warm_engines

__all__ = ["warm_engines"]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.xdist_group("engines")
async def test_a_target_that_drafts_for_itself_is_lossless_and_accepts_all(tmp_path: Path) -> None:
    pytest.importorskip("vllm")
    from k2eval.speed.spec_check import check

    model = str(make_tiny_checkpoint(tmp_path / "model", layers=2, context=512))
    config = RunConfig(
        model=model,
        tasks=("smoke",),
        out=tmp_path / "run",
        speculative={"method": "draft_model", "model": model, "num_speculative_tokens": 3},
    )
    asked = [
        (
            Question(
                task="t",
                id=str(n),
                grader="math",
                messages=(Message(role="user", content="x" * n),),
                gold="1",
            ),
            Sampling(temperature=1.0, max_tokens=32, stop=()),
        )
        for n in range(1, 9)
    ]
    result = await check(config, asked, 6, tmp_path / "engine.log")
    assert result.divergences == [] and result.judgement.lossless, result.judgement.sentence
    counts = result.speculative.speculation
    assert counts is not None
    assert counts.drafted_tokens == 3 * counts.drafts
    assert counts.accepted_per_position[0] >= counts.accepted_per_position[2]
    assert sum(counts.accepted_per_position) == counts.accepted_tokens
    # A random model is nearly uniform over its 260 tokens; a sampler that leans to the draft would not be.
    [likelihood] = [drift for drift in result.drifts if drift.name.startswith("log")]
    assert likelihood.speculative == pytest.approx(likelihood.plain, abs=0.1)
    assert len(result.plain.greedy) == 8 and len(result.speculative.samples[0]) == 6
