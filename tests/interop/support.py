"""lm-eval's evaluator over scripted answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from k2eval.interop.lm_eval_model import register
from k2eval.journal import GENERATIONS, read_lines
from k2eval.records import Generation
from k2eval.tasks.files import tasks_folder


def write_script(path: Path, **answers: list[str]) -> Path:
    """A scripted engine's file: text in the prompt to responses, in turn by run index."""
    rules = [{"match": match, "responses": responses} for match, responses in answers.items()]
    path.write_text("".join(json.dumps(rule) + "\n" for rule in rules))
    return path


def write_sums(folder: Path, **fields: Any) -> Path:
    """A task of lm-eval's own kind, unknown to us: two sums, three repeats, exact match of the first."""
    folder.mkdir()
    rows = folder / "sums.jsonl"
    rows.write_text('{"a": 1, "b": 2}\n{"a": 3, "b": 4}\n')
    task = {
        "task": "sums",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(rows)}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "What is {{a}} + {{b}}?",
        "doc_to_target": "{{a + b}}",
        "generation_kwargs": {"until": ["\n"], "max_gen_toks": 20, "temperature": 0.8, "do_sample": True},
        "repeats": 3,
        "filter_list": [{"name": "first", "filter": [{"function": "take_first"}]}],
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }
    (folder / "sums.yaml").write_text(yaml.safe_dump(task | fields))
    return folder


def evaluate(
    tasks: list[str],
    arguments: dict[str, Any],
    folder: Path | None = None,
    *,
    chat: bool = True,
    **options: Any,
) -> dict[str, Any]:
    """Stock lm-eval with ``--model k2eval`` and the scripted engine."""
    register()
    arguments = {"engine": "scripted", "workers": 1} | arguments
    manager = TaskManager(
        include_path=[str(path) for path in (tasks_folder(), folder) if path], include_defaults=False
    )
    with patch("lm_eval.evaluator.add_env_info"):  # which asks pip for all packages
        results = simple_evaluate(
            model="k2eval",
            model_args={
                key: str(value) if isinstance(value, Path) else value for key, value in arguments.items()
            },
            tasks=tasks,
            task_manager=manager,
            apply_chat_template=chat,
            bootstrap_iters=0,
            **options,
        )
    assert results is not None
    return dict(results)


def responses(results: dict[str, Any], task: str) -> list[list[str]]:
    """What lm-eval got, question by question."""
    return [
        sample["resps"][0] for sample in sorted(results["samples"][task], key=lambda sample: sample["doc_id"])
    ]


def generations(out: Path) -> list[Generation]:
    """What the journal keeps."""
    return [generation for _, generation in read_lines(out / GENERATIONS, Generation)]
