"""A run as evaluation results for a Hugging Face model card.

The hub shows ``.eval_results/TASK.yaml`` beside a model and collects these files into a benchmark's leaderboard
(https://huggingface.co/docs/hub/eval-results). Such a file names a dataset of the hub, so a task without one is only
in ``model-index.yaml``. That older form goes between the ``---`` lines of the card's README.md.
"""

from __future__ import annotations

import yaml
from huggingface_hub import EvalResult, EvalResultEntry, ModelCardData, eval_result_entries_to_yaml

from k2eval.interop.exported import Folder, Run


def write(run: Run, folder: Folder) -> None:
    """Write the results of every task, in percent."""
    for name in run.scores:
        entry = _entry(run, name)
        if entry is not None:
            text = yaml.safe_dump(
                eval_result_entries_to_yaml([entry]), sort_keys=False, allow_unicode=True, width=1000
            )
            folder.write(f".eval_results/{name}.yaml", text)
    card = ModelCardData(
        model_name=run.model.rstrip("/").rpartition("/")[2] or run.info.name,
        eval_results=[_result(run, name) for name in run.scores],
    )
    folder.write("model-index.yaml", card.to_yaml() + "\n")


def _percent(run: Run, name: str) -> float:
    return round(100 * run.estimate(name).value, 2)


def _revision(run: Run, name: str) -> str | None:
    """Return the revision of the hub's dataset; None if the questions came from elsewhere."""
    revision = run.task(name).source.partition("@")[2]
    return revision if revision and revision != "cached" else None


def _entry(run: Run, name: str) -> EvalResultEntry | None:
    spec = run.spec(name)
    if spec is None or spec.data.hub is None:
        return None
    return EvalResultEntry(
        dataset_id=spec.data.hub,
        task_id=spec.data.config or "default",
        value=_percent(run, name),
        dataset_revision=_revision(run, name),
        date=run.finished,
        notes=f"percent; {run.summary(name)}; k2eval {run.library}",
    )


def _result(run: Run, name: str) -> EvalResult:
    spec = run.spec(name)
    estimate = run.estimate(name)
    repeats = run.scores[name].scores.shape[1]
    return EvalResult(
        task_type="text-generation",
        task_name="Text generation",
        dataset_type=(spec.data.hub if spec else None) or f"k2eval/{name}",
        dataset_name=run.scores[name].info.title or name,
        dataset_config=spec.data.config if spec else None,
        dataset_split=spec.data.split if spec and spec.data.hub else None,
        dataset_revision=_revision(run, name),
        metric_type=f"avg@{repeats}",
        metric_name=f"avg@{repeats} in percent, 95 % interval {100 * estimate.low:.1f} to {100 * estimate.high:.1f}",
        metric_value=_percent(run, name),
        metric_args={"repeats": repeats, "questions": estimate.questions, "recipe": run.info.recipe},
    )
