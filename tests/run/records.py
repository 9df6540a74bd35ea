"""Records for tests, complete but for what a test is about."""

from __future__ import annotations

from typing import Any

from k2eval.records import Generation


def generation(**fields: Any) -> Generation:
    return Generation.model_validate(
        {
            "key": "k", "task": "t", "question_id": "q", "repeat_index": 0, "stage": "solve", "text": "x",
            "finish_reason": "stop", "prompt_tokens": 1, "output_tokens": 1, "queue_s": 0.0, "ttft_s": 0.0,
            "duration_s": 1.0, "seed": 0, "model": "m",
        }
        | fields
    )  # fmt: skip
