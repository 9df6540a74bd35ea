"""Eval360's files: its YAML of model, data and group, its scores, and its graded rows.

Its settings and its scores stand in different files, so a folder of them is read as one figure. Later files win:
model, then data, then group. Rows are JSON Lines with ``correct``, a list with a verdict for each repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from k2eval.errors import DataError
from k2eval.parity.bounded import count, json_lines, mapping, number, word, yaml_of
from k2eval.parity.lm_eval import digest_of
from k2eval.parity.side import Side

_MODEL, _DATA, _GROUP = ("openai_kwargs", "parser_type"), ("average_over", "num_generations"), ("groups",)
_SCORES = ("accuracy", "avg", "average", "mean")
_SPREADS = (
    "std",
    "err",
    "var",
    "dev",
    "conf",
    "low",
    "high",
    "ci_",
    "_ci",
    "len",
    "token",
    "trunc",
    "rate",
    "time",
)
"""Parts of names of figures that are no scores."""


def read(paths: Sequence[Path]) -> list[Side]:
    """Read the files of one figure.

    Raises:
        DataError: If they hold no score.
    """
    model: dict[str, Any] = {}
    data: dict[str, Any] = {}
    group: dict[str, Any] = {}
    figures: dict[str, float] = {}
    rows: list[Path] = []
    for path in paths:
        if path.suffix == ".jsonl":
            rows.append(path)
            continue
        content = mapping(yaml_of(path))
        if any(key in content for key in _GROUP):
            groups = content["groups"]
            group = mapping(groups[0]) if isinstance(groups, list) and len(groups) == 1 else group
        elif any(key in content for key in _DATA):
            data = content
        elif any(key in content for key in _MODEL):
            model = content
        else:
            figures |= {
                str(key): found for key, value in content.items() if (found := number(value)) is not None
            }
    graded = [path for path in rows if _is_graded(path)]
    if len(graded) > 1:
        listed = ", ".join(path.name for path in graded)
        raise DataError(
            f"Expected one file of graded rows, got {len(graded)}: {listed:.300}. Name a folder of one figure."
        )
    names = sorted(
        (
            name
            for name in figures
            if any(word in name for word in _SCORES)
            and not any(word in name.casefold() for word in _SPREADS)
            and 0 <= figures[name] <= 1
        ),
        key=lambda name: name not in _SCORES,
    )
    where = paths[0].parent if len(paths) > 1 else paths[0]
    task = word(data.get("uuid") or data.get("dataset_name") or group.get("data_tag")) or ""
    side = Side(
        f"{word(mapping(model.get('remote_model')).get('base_name')) or 'a model'}, {where.name}", task, -1.0
    )
    side.harness = "eval360"
    for path in graded or rows:
        _add_rows(side, path)
    if side.samples and not names:
        side.notes.append("the score is the mean of all verdicts, as Eval360 takes it")
    elif names:
        side.score = figures[names[0]]
        side.notes.append(f"metric {names[0][:60]}")
    else:
        raise DataError(
            f"Expected a score of Eval360 in {where}: a YAML file with an accuracy, or graded rows."
        )
    if not task:
        raise DataError(f"Expected the data's YAML of Eval360 beside the scores in {where}, with its uuid.")
    _add_facts(side, model, data, group)
    return [side]


def _is_graded(path: Path) -> bool:
    return any("correct" in mapping(row) for row in json_lines(path))


def _add_facts(side: Side, model: dict[str, Any], data: dict[str, Any], group: dict[str, Any]) -> None:
    sampling = {**mapping(model.get("openai_kwargs")), **mapping(group.get("openai_overrides"))}
    template = mapping(mapping(sampling.get("extra_body")).get("chat_template_kwargs"))
    for name in ("temperature", "top_p", "top_k", "min_p", "max_tokens"):
        if number(sampling.get(name)) is not None:
            side.facts[name] = number(sampling[name])
    if word(template.get("reasoning_effort")):
        side.facts["reasoning_effort"] = word(template["reasoning_effort"])
    if "enable_thinking" in template:
        side.facts["thinking"] = "on" if template["enable_thinking"] is True else "off"
    parser = word(group.get("parser_type") or model.get("parser_type"))
    grader = word(mapping(group.get("grader") or data.get("grader")).get("type"))
    if grader:
        side.facts["grader"] = f"Eval360 {grader}" + (f" behind {parser}" if parser else "")
    shots = count(mapping(data.get("meta")).get("fewshot"))
    if shots is not None:
        side.facts["shots"] = shots
    over = data.get("average_over")
    if isinstance(over, list) and over and count(over[-1]):
        side.repeats = count(over[-1])
    side.questions = side.questions or count(data.get("num_generations"))
    side.facts["recipe"] = "plain"
    if word(model.get("model_type")):
        side.facts["template"] = "none" if model["model_type"] == "base" else "chat"
    revision = word(data.get("data_path"))
    if revision:
        side.facts["revision"] = revision
    side.notes.append(
        "rows whose grading failed are left out of Eval360's mean, and rows that failed before count 0"
    )


def _add_rows(side: Side, path: Path) -> None:
    failed = truncated = samples = number_of_rows = right = 0
    for row in map(mapping, json_lines(path)):
        verdicts = row.get("correct")
        number_of_rows += 1
        failed += "exception" in row or not isinstance(verdicts, list)
        if not isinstance(verdicts, list):
            continue
        samples += len(verdicts)
        right += sum(verdict in (1, True) for verdict in verdicts)
        reasons = row.get("finish_reasons")
        truncated += reasons.count("length") if isinstance(reasons, list) else 0
        values = [
            float(verdict) for verdict in verdicts if isinstance(verdict, (bool, int)) and verdict in (0, 1)
        ]
        prompt = row.get("prompt") or row.get("completion_input")
        keys = [f"id:{row['row']}"] if isinstance(row.get("row"), int) else []
        if isinstance(prompt, str):
            keys.append(digest_of(prompt))
        text = prompt if isinstance(prompt, str) else ""
        side.score_row(f"row:{number_of_rows}", keys, values, text)
    side.questions, side.samples, side.failed, side.truncated = number_of_rows, samples, failed, truncated
    side.score = right / samples if samples else side.score
