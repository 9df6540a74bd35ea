"""A run as logs of Inspect: one ``.eval`` file for each task, for ``inspect view`` and ``read_eval_log``.

A ``.eval`` file is a ZIP archive with the header, summaries of all samples, and one file for each sample. It is
written sample by sample. The format is that of inspect-ai 0.3 (log version 2); inspect-ai itself is not needed.
"""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from k2eval.interop.exported import Folder, Run, Sample, identity
from k2eval.records import Json, Outcome

VERSION = 2
_SCORER = "k2eval"
_SHOWN = 500
"""Most characters of a question in the list of samples."""


def write(run: Run, folder: Folder) -> None:
    """Write the log of every task."""
    for name in run.scores:
        stamp = run.finished.replace(":", "-").replace("Z", "-00-00")
        log = f"{stamp}_{name.replace('_', '-')}_{identity(run, name)[:22]}.eval"
        with folder.file(log) as path, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            spec = _spec(run, name)
            _put(archive, "_journal/start.json", {"version": VERSION, "eval": spec, "plan": _plan(run)})
            summaries = []
            for sample in _samples(run, name):
                entry = _sample(run, sample)
                _put(archive, f"samples/{entry['id']}_epoch_{entry['epoch']}.json", entry)
                summaries.append(_summary(entry))
            _put(archive, "summaries.json", summaries)
            _put(archive, "header.json", _header(run, name, spec, summaries))


def _put(archive: zipfile.ZipFile, name: str, content: Json) -> None:
    archive.writestr(name, json.dumps(content))


def _samples(run: Run, name: str) -> Iterator[Sample]:
    for samples in run.by_question(name):
        yield from samples


def _spec(run: Run, name: str) -> dict[str, Json]:
    task = run.task(name)
    return {
        "eval_id": identity(run, name)[:22],
        "run_id": identity(run)[:22],
        "created": run.finished.replace("Z", "+00:00"),
        "task": name,
        "task_id": identity(run, name)[:22],
        "task_version": task.version,
        "task_args": {"recipe": run.info.recipe, "seed": run.info.seed},
        "solver": run.info.recipe,
        "dataset": {
            "name": task.title or name,
            "location": task.source,
            "samples": task.questions,
            "sample_ids": list(run.scores[name].questions),
            "shuffled": False,
        },
        "model": f"k2eval/{run.info.model.name}",
        "model_generate_config": {
            "temperature": task.sampling.temperature,
            "top_p": task.sampling.top_p,
            "max_tokens": task.sampling.max_tokens,
            "stop_seqs": task.sampling.stop,
        },
        "config": {"epochs": run.scores[name].scores.shape[1], "epochs_reducer": ["mean"]},
        "packages": {"k2eval": run.library},
        "metadata": {
            "engine": run.info.model.engine,
            "model_fingerprint": run.info.model.fingerprint,
            "questions_fingerprint": task.fingerprint,
            "grader": task.grader,
            "summary": run.summary(name),
        },
    }


def _plan(run: Run) -> dict[str, Json]:
    return {"name": "plan", "steps": [{"solver": run.info.recipe, "params": {}}]}


def _header(run: Run, name: str, spec: dict[str, Json], summaries: list[dict[str, Json]]) -> dict[str, Json]:
    estimate, scores = run.estimate(name), run.scores[name]
    figures = {"accuracy": estimate.value}
    if estimate.se == estimate.se:
        figures["stderr"] = estimate.se
    figures |= {"interval_low": estimate.low, "interval_high": estimate.high}
    return {
        "version": VERSION,
        "status": "success" if run.info.complete else "cancelled",
        "eval": spec,
        "plan": _plan(run),
        "results": {
            "total_samples": len(summaries),
            "completed_samples": scores.graded,
            "scores": [
                {
                    "name": _SCORER,
                    "scorer": _SCORER,
                    "reducer": "mean",
                    "scored_samples": estimate.questions,
                    "params": {},
                    "metrics": {
                        metric: {"name": metric, "value": value} for metric, value in figures.items()
                    },
                }
            ],
        },
        "stats": {
            "started_at": run.started.replace("Z", "+00:00"),
            "completed_at": spec["created"],
            "model_usage": _total(summaries),
        },
    }


def _sample(run: Run, sample: Sample) -> dict[str, Json]:
    verdict = sample.verdict
    model = f"k2eval/{run.info.model.name}"
    answer: dict[str, Json] = {"role": "assistant", "content": sample.text, "model": model}
    prompt = sample.messages or [{"role": "user", "content": sample.prompt}]
    entry: dict[str, Json] = {
        "id": verdict.question_id,
        "epoch": verdict.repeat_index + 1,
        "input": prompt,
        "target": sample.target,
        "messages": [*prompt, answer],
        "output": {
            "model": model,
            "choices": [
                {
                    "message": answer,
                    "stop_reason": "max_tokens" if verdict.finish_reason == "length" else "stop",
                }
            ],
            "usage": _usage(sample),
        },
        "scores": {_SCORER: _score(sample)} if verdict.score is not None else {},
        "metadata": {
            **verdict.tags,
            "outcome": verdict.outcome.value,
            "grader": verdict.grader,
            "recipe_tokens": verdict.recipe_tokens,
            "notes": verdict.notes,
            "generations": _others(sample),
        },
        "store": {},
        "events": [],
        "attachments": {},
        "model_usage": {model: _usage(sample)},
    }
    if sample.choices:
        entry["choices"] = list(sample.choices)
    if verdict.outcome.is_infrastructure:
        reason = f"{verdict.outcome.value}: {verdict.detail.get('reason', 'no reason was kept')}"
        entry["error"] = {"message": reason, "traceback": reason, "traceback_ansi": reason}
    return entry


def _score(sample: Sample) -> dict[str, Json]:
    verdict = sample.verdict
    letter = {Outcome.CORRECT: "C", Outcome.WRONG: "I", Outcome.NO_ANSWER: "N"}.get(verdict.outcome, "I")
    return {
        "value": letter if verdict.score in (0.0, 1.0) else verdict.score,
        "answer": verdict.extracted,
        "explanation": f"{verdict.outcome.value} by {verdict.grader}",
        "metadata": {"score": verdict.score, "detail": verdict.detail},
    }


def _others(sample: Sample) -> list[Json]:
    """Return all generations but the selected one: plans, candidates and judgements."""
    return [
        {
            "stage": generation.stage,
            "text": generation.prefill + generation.text,
            "tokens": generation.output_tokens,
        }
        for generation in sample.generations
        if generation.key != sample.verdict.selected
    ]


def _usage(sample: Sample) -> dict[str, Any]:
    read = sum(generation.prompt_tokens for generation in sample.generations)
    written = sum(generation.output_tokens for generation in sample.generations)
    return {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}


def _total(summaries: Iterable[Mapping[str, Any]]) -> dict[str, Json]:
    """Sum the tokens of all samples, by model."""
    total: dict[str, Counter[str]] = {}
    for summary in summaries:
        for model, usage in summary["model_usage"].items():
            total.setdefault(model, Counter()).update(usage)
    return {model: dict(usage) for model, usage in total.items()}


def _summary(entry: dict[str, Any]) -> dict[str, Json]:
    shown = ("id", "epoch", "target", "choices", "scores", "model_usage")
    last = entry["input"][-1]["content"]
    short = last if len(last) <= _SHOWN else last[:_SHOWN] + "…"
    summary = {key: entry[key] for key in shown if key in entry}
    return {
        **summary,
        "input": short,
        "metadata": {"outcome": entry["metadata"]["outcome"]},
        "error": entry["error"]["message"] if "error" in entry else None,
        "completed": True,
        "message_count": len(entry["messages"]),
    }
