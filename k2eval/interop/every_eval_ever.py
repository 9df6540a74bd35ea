"""A run in the schema of Every Eval Ever, version 0.3.0 (https://github.com/evaleval/every_eval_ever).

Each task gets an aggregate file ``data/TASK/DEVELOPER/MODEL/UUID.json`` and, beside it, ``UUID_samples.jsonl`` with
a line for each graded sample. The layout is that of the project's data store.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import uuid
from pathlib import Path

from k2eval.interop.exported import Folder, Run, Sample, identity, sample_hash
from k2eval.records import Generation, Json
from k2eval.statistics import Estimate, pass_at_k, supported

SCHEMA = "0.3.0"


def write(run: Run, folder: Folder, organization: str = "unspecified") -> None:
    """Write both files of every task."""
    developer, model = _model_name(run)
    for name in run.scores:
        stem = uuid.UUID(identity(run, name), version=4)  # the schema asks for this form; it is repeatable
        base = f"data/{name}/{developer}/{model}/{stem}"
        evaluation = f"{name}/{developer}/{model}/{_epoch(run)}"
        rows = 0
        with folder.file(f"{base}_samples.jsonl") as path, path.open("w", encoding="utf-8") as file:
            for samples in run.by_question(name):
                for sample in samples:
                    if sample.verdict.score is not None:  # the schema has no sample without a score
                        file.write(json.dumps(_instance(run, sample, evaluation)) + "\n")
                        rows += 1
        aggregate = _aggregate(run, name, evaluation, organization)
        aggregate["detailed_evaluation_results"] = {
            "format": "jsonl",
            "file_path": f"{base}_samples.jsonl",
            "hash_algorithm": "sha256",
            "checksum": _checksum(folder.written[-1]),
            "total_rows": rows,
        }
        folder.write(f"{base}.json", json.dumps(aggregate, indent=2) + "\n")


def _model_name(run: Run) -> tuple[str, str]:
    """Return developer and model: the two parts of a hub name, or "unknown" and the folder's name."""
    path = Path(run.model)
    if not path.is_absolute() and not path.exists() and len(path.parts) == 2:
        return path.parts[0], path.parts[1]
    return "unknown", path.name or run.info.name


def _epoch(run: Run) -> str:
    return str(datetime.datetime.fromisoformat(run.finished).timestamp())


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _aggregate(run: Run, name: str, evaluation: str, organization: str) -> dict[str, Json]:
    developer, model = _model_name(run)
    engine, _, version = run.info.model.engine.partition(" ")
    return {
        "schema_version": SCHEMA,
        "evaluation_id": evaluation,
        "evaluation_timestamp": run.finished,
        "retrieved_timestamp": _epoch(run),
        "source_metadata": {
            "source_name": "k2eval",
            "source_type": "evaluation_run",
            "source_organization_name": organization,
            "evaluator_relationship": "other",
        },
        "eval_library": {"name": "k2eval", "version": run.library},
        "model_info": {
            "name": model,
            "id": f"{developer}/{model}",
            "developer": developer,
            "inference_engine": {"name": engine or "unknown", "version": version or "unknown"},
            "additional_details": {
                "deployment_type": "unknown" if engine == "endpoint" else "self_deployed",
                "model_availability": "unknown",
                "fingerprint": run.info.model.fingerprint,
                "recipe": run.info.recipe,
            },
        },
        "evaluation_results": _results(run, name),
    }


def _results(run: Run, name: str) -> list[Json]:
    scores = run.scores[name]
    repeats = scores.scores.shape[1]
    results = [_result(run, name, 1, f"avg@{repeats}", run.estimate(name))]
    curve = supported(pass_at_k(scores.scores))
    if len(curve) > 1:
        results.append(_result(run, name, len(curve), f"pass@{len(curve)}", curve[-1]))
    return results


def _result(run: Run, name: str, k: int, metric: str, estimate: Estimate) -> dict[str, Json]:
    scores = run.scores[name]
    sampling = run.task(name).sampling
    uncertainty: dict[str, Json] = {
        "confidence_interval": {
            "lower": estimate.low, "upper": estimate.high, "confidence_level": 0.95,
            "method": f"{estimate.method}, clustered by question",
        },
        "num_samples": estimate.questions,
    }  # fmt: skip
    if estimate.se == estimate.se:
        uncertainty["standard_error"] = {"value": estimate.se, "method": "analytic, clustered by question"}
    return {
        "evaluation_result_id": _result_id(name, k),
        "evaluation_name": name,
        "evaluation_timestamp": run.finished,
        "source_data": _source(run, name),
        "metric_config": {
            "metric_id": "pass_at_k", "metric_name": metric, "metric_kind": "pass_rate",
            "metric_unit": "proportion", "metric_parameters": {"k": k, "repeats": scores.scores.shape[1]},
            "lower_is_better": False, "score_type": "continuous", "min_score": 0.0, "max_score": 1.0,
            "evaluation_description": f"{scores.info.title or name}, grader {scores.info.grader}",
        },
        "score_details": {
            "score": estimate.value,
            "details": {
                "summary": run.summary(name), "samples_graded": str(scores.graded),
                "samples_failed_on_the_evaluators_side": str(scores.failed),
                "questions_fingerprint": scores.info.fingerprint,
            },
            "uncertainty": uncertainty,
        },
        "generation_config": {
            "generation_args": sampling.model_dump(include={"temperature", "top_p", "top_k", "max_tokens"}),
            "additional_details": {"stop": json.dumps(sampling.stop), "seed": str(run.info.seed)},
        },
    }  # fmt: skip


def _result_id(name: str, k: int) -> str:
    return f"{name}.pass_at_{k}"


def _source(run: Run, name: str) -> dict[str, Json]:
    spec, task = run.spec(name), run.task(name)
    details = {"source": task.source, "fingerprint": task.fingerprint}
    if spec is None or spec.data.hub is None:
        return {
            "dataset_name": task.title or name, "source_type": "other", "additional_details": details,
        }  # fmt: skip
    return {
        "dataset_name": task.title or name, "source_type": "hf_dataset", "hf_repo": spec.data.hub,
        "hf_split": spec.data.split, "samples_number": task.questions, "additional_details": details,
    }  # fmt: skip


def _instance(run: Run, sample: Sample, evaluation: str) -> dict[str, Json]:
    verdict, selected = sample.verdict, sample.selected
    developer, model = _model_name(run)
    reference = [sample.target] if sample.target else []
    return {
        "schema_version": SCHEMA,
        "evaluation_id": evaluation,
        "model_id": f"{developer}/{model}",
        "evaluation_name": verdict.task,
        "evaluation_result_id": _result_id(verdict.task, 1),
        "sample_id": verdict.question_id,
        "sample_hash": sample_hash(sample),
        "interaction_type": "single_turn",
        "input": {"raw": sample.prompt, "reference": reference, "choices": list(sample.choices) or None},
        "output": {
            "raw": [sample.text],
            "reasoning_trace": [sample.reasoning] if sample.reasoning else None,
        },
        "messages": None,
        "answer_attribution": _attribution(sample),
        "evaluation": {"score": verdict.score, "is_correct": verdict.score == 1.0},
        "token_usage": _usage(sample),
        "performance": _performance(selected),
        "metadata": {
            **verdict.tags,
            "repeat_index": str(verdict.repeat_index),
            "outcome": verdict.outcome.value,
            "finish_reason": str(verdict.finish_reason),
            "grader": verdict.grader,
            "recipe_tokens": str(verdict.recipe_tokens),
        },
    }


def _attribution(sample: Sample) -> list[Json]:
    if sample.verdict.extracted is None:
        return []
    return [
        {
            "turn_idx": 0,
            "source": "output.raw",
            "extracted_value": sample.verdict.extracted,
            "extraction_method": sample.verdict.grader,
            "is_terminal": True,
        }
    ]


def _usage(sample: Sample) -> dict[str, int] | None:
    """Return the token counts of the whole recipe."""
    if not sample.generations:
        return None
    read = sum(generation.prompt_tokens for generation in sample.generations)
    written = sum(generation.output_tokens for generation in sample.generations)
    cached = sum(generation.cached_tokens for generation in sample.generations)
    return {
        "input_tokens": read,
        "output_tokens": written,
        "total_tokens": read + written,
        "input_tokens_cache_read": cached,
    }


def _performance(selected: Generation | None) -> dict[str, float] | None:
    if selected is None:
        return None
    performance = {"latency_ms": 1000 * selected.duration_s}
    if selected.ttft_s is not None:
        performance["time_to_first_token_ms"] = 1000 * selected.ttft_s
    return performance
