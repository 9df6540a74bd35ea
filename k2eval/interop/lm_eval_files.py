"""A run as lm-eval's own files: ``MODEL/results_DATE.json`` and ``MODEL/samples_TASK_DATE.jsonl``.

Keys, metrics and standard errors are those that lm-eval writes for the same responses to our tasks. So a program
that reads lm-eval's files can read these.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from lm_eval.utils import hash_string, sanitize_model_name

from k2eval.interop.exported import Folder, Run, Sample
from k2eval.interop.lm_eval import question_metrics
from k2eval.records import Json
from k2eval.statistics import average_of

FILTER = "k2eval"
_BETTER = {
    "avg_at_k": True, "pass_at_k": True, "maj_at_k": True,
    "truncated": False, "no_answer": False, "infrastructure": False,
}  # fmt: skip


def write(run: Run, folder: Folder) -> None:
    """Write the files of every task."""
    import numpy as np

    model = sanitize_model_name(run.model)
    date = run.finished.rstrip("Z").replace(":", "-") + ".000000"
    results: dict[str, Json] = {}
    hashes: dict[str, str] = {}
    for name in run.scores:
        rows: list[Mapping[str, float]] = []
        digests = []
        votes = run.votes(name)
        with (
            folder.file(f"{model}/samples_{name}_{date}.jsonl") as path,
            path.open("w", encoding="utf-8") as file,
        ):
            for number, samples in enumerate(run.by_question(name)):
                scored = iter(votes[number] if votes is not None else [])
                verdicts = [sample.verdict for sample in samples]
                answers = [next(scored, None) if verdict.score is not None else None for verdict in verdicts]
                metrics = question_metrics(verdicts, answers)
                if votes is None:
                    del metrics["maj_at_k"]
                rows.append(metrics)
                row = _row(run, samples, metrics)
                digests.append(row["doc_hash"] + row["prompt_hash"] + row["target_hash"])
                file.write(json.dumps(row) + "\n")
        hashes[name] = hash_string("".join(digests))
        results[name] = {"name": name, "alias": name, "sample_len": len(rows)}
        for metric in rows[0]:
            values = np.array([row[metric] for row in rows])
            estimate = average_of(values)
            results[name][f"{metric},{FILTER}"] = _finite(float(np.nanmean(values)))
            results[name][f"{metric}_stderr,{FILTER}"] = _finite(estimate.se)
    report = _report(run, results, hashes)
    folder.write(f"{model}/results_{date}.json", json.dumps(report, indent=2) + "\n")


def _finite(value: float) -> float | str:
    return value if math.isfinite(value) else "N/A"


def _row(run: Run, samples: list[Sample], metrics: Mapping[str, float]) -> dict[str, Any]:
    first = samples[0]
    doc: dict[str, Json] = {"id": first.verdict.question_id, "problem": first.prompt, **first.verdict.tags}
    prompt = json.dumps(first.messages)
    sampling = run.task(first.verdict.task).sampling
    settings = {
        "until": sampling.stop, "max_gen_toks": sampling.max_tokens, "do_sample": sampling.temperature > 0,
        "temperature": sampling.temperature, "top_p": sampling.top_p,
    }  # fmt: skip
    grades = [
        {
            "outcome": sample.verdict.outcome.value, "score": sample.verdict.score,
            "extracted": sample.verdict.extracted, "detail": sample.verdict.detail,
        }
        for sample in samples
    ]  # fmt: skip
    return {
        "doc_id": first.number,
        "doc": doc,
        "target": first.target,
        "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": settings}},
        "resps": [[sample.text for sample in samples]],
        "filtered_resps": [[str(grade) for grade in grades]],
        "filter": FILTER,
        "metrics": list(metrics),
        "doc_hash": hash_string(json.dumps(doc, indent=2, ensure_ascii=False)),
        "prompt_hash": hash_string(prompt),
        "target_hash": hash_string(first.target),
        **{name: _finite(value) for name, value in metrics.items()},
    }


def _report(run: Run, results: Mapping[str, Json], hashes: Mapping[str, str]) -> dict[str, Json]:
    names = list(results)
    model = {"model": "k2eval", "model_args": {"pretrained": run.model, "recipe": run.info.recipe}}
    return {
        "results": dict(results),
        "group_subtasks": {},
        "configs": {
            name: {
                "task": name, "output_type": "generate_until", "repeats": run.task(name).repeats,
                "generation_kwargs": run.task(name).sampling.model_dump(mode="json"),
                "metadata": {"version": run.task(name).version},
            }
            for name in names
        },
        "versions": {name: run.task(name).version for name in names},
        "n-shot": dict.fromkeys(names, 0),
        "higher_is_better": {
            name: {metric: better for metric, better in _BETTER.items() if f"{metric},{FILTER}" in results[name]}
            for name in names
        },
        "n-samples": {
            name: {
                "original": run.task(name).expected_questions or run.task(name).questions,
                "effective": results[name]["sample_len"],
            }
            for name in names
        },
        "config": {
            **model, "seed": run.info.seed, "engine": run.info.model.engine,
            "model_fingerprint": run.info.model.fingerprint, "batch_size": None, "limit": None,
        },
        "git_hash": None,
        "date": run.finished,
        "task_hashes": dict(hashes),
        "model_source": "k2eval",
        "model_name": run.model,
        "model_name_sanitized": sanitize_model_name(run.model),
        "k2eval_version": run.library,
        "notes": run.notes,
    }  # fmt: skip
