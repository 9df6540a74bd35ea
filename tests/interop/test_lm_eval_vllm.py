"""Stock lm-eval's evaluator over a real vLLM, by way of ``--model k2eval``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from k2eval.journal import read_run
from k2eval.testing import make_tiny_checkpoint
from tests.interop.support import evaluate, generations, responses, write_sums

pytest.importorskip("vllm", reason="vLLM is not installed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(500),
    pytest.mark.xdist_group("engines"),
    pytest.mark.filterwarnings("ignore"),
]


def test_a_batch_of_two_tasks_goes_through_one_engine(tmp_path: Path) -> None:
    checkpoint = make_tiny_checkpoint(tmp_path / "tiny", layers=2, context=1024)
    arguments = {
        "engine": "vllm", "pretrained": checkpoint, "out": tmp_path / "run", "max_model_len": 1024, "enforce_eager": True,
    }  # fmt: skip
    options: dict[str, Any] = {"limit": 2, "gen_kwargs": {"max_gen_toks": 16}}
    results = evaluate(["sums", "smoke"], arguments, write_sums(tmp_path / "mine"), **options)
    run = read_run(tmp_path / "run")
    assert run.complete
    assert len(run.sessions) == 1
    answers = generations(tmp_path / "run")
    assert len(answers) == 2 * 3 + 2 * 4
    assert all(generation.output_tokens <= 16 for generation in answers)
    assert len(set(responses(results, "smoke")[0])) > 1
    again = evaluate(["sums", "smoke"], arguments, tmp_path / "mine", **options)
    assert again["results"] == results["results"]
    assert len(read_run(tmp_path / "run").sessions) == 1
