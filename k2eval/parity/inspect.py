"""Logs of Inspect: ``.json``, or ``.eval``, a ZIP archive with a header and a file for each sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from k2eval.errors import DataError
from k2eval.interop import HIDDEN
from k2eval.parity.bounded import Archive, archive_at, count, mapping, number, word
from k2eval.parity.lm_eval import digest_of
from k2eval.parity.side import Facts, Side
from k2eval.records import Outcome

_METRICS = ("accuracy", "mean", "pass_at_1")
_LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
"""Inspect's letters for correct, incorrect, partial and no answer."""


def is_log(content: Any) -> bool:
    """Return whether a value is a log of Inspect."""
    return isinstance(content, dict) and isinstance(content.get("eval"), dict) and "task" in content["eval"]


def read_archive(path: Path, metric: str | None = None) -> list[Side]:
    """Read a ``.eval`` file.

    Raises:
        DataError: If it is none, has no result, or unpacks to too much.
    """
    with archive_at(path) as archive:
        if "header.json" not in archive.names:
            raise DataError(
                f"Expected header.json in {path}, as Inspect writes it when an evaluation has ended."
            )
        header = archive.json("header.json")
        if not is_log(header):
            raise DataError(f"{path}: expected the header of a log of Inspect.")
        return [_side(path, header, _samples(archive), metric)]


def read(path: Path, content: dict[str, Any], metric: str | None = None) -> list[Side]:
    """Read a ``.json`` log.

    Raises:
        DataError: If it has no result.
    """
    return [_side(path, content, _listed(content.get("samples")), metric)]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _samples(archive: Archive) -> Iterator[Any]:
    for name in archive.names:
        if name.startswith("samples/") and name.endswith(".json"):
            yield archive.json(name)


def _side(path: Path, header: dict[str, Any], samples: Iterable[Any], metric: str | None) -> Side:
    evaluation, results = mapping(header["eval"]), mapping(header.get("results"))
    figures = [
        (
            word(mapping(score).get("name")),
            word(name),
            mapping(value).get("value"),
            mapping(mapping(score).get("metrics")),
        )
        for score in _listed(results.get("scores"))
        for name, value in mapping(mapping(score).get("metrics")).items()
    ]
    wanted = (metric,) if metric else _METRICS
    chosen = next(
        (each for name in wanted for each in figures if each[1] == name and number(each[2]) is not None), None
    )
    score = None if chosen is None else number(chosen[2])
    if chosen is None or score is None or not 0 <= score <= 1:
        raise DataError(
            f"{path}: expected a result with the metric {' or '.join(wanted)}, got none. Use --metric."
        )
    scorer = chosen[0] or "a scorer"
    config, dataset = mapping(evaluation.get("config")), mapping(evaluation.get("dataset"))
    side = Side(
        f"{word(evaluation.get('model')) or 'a model'}, {path.name}",
        word(evaluation.get("task")) or "",
        score,
        se=number(mapping(chosen[3].get("stderr")).get("value")),
        repeats=count(config.get("epochs")),
        questions=count(dataset.get("samples")),
        facts=_facts(evaluation, header, _grader(evaluation, scorer)),
    )
    if isinstance(config.get("limit"), int):
        side.questions = min(side.questions or config["limit"], config["limit"])
    total, done = count(results.get("total_samples")), count(results.get("completed_samples"))
    side.samples = total
    if total is not None and done is not None:
        side.failed = max(total - done, 0)
    side.notes.append(f"metric {chosen[1]} of {scorer}; status {word(header.get('status')) or 'unknown'}")
    _add_samples(side, samples, chosen[0])
    return side


def _grader(evaluation: dict[str, Any], scorer: str) -> str:
    """Return the scorer; of k2eval's own logs the grader, which they name."""
    own = word(mapping(evaluation.get("metadata")).get("grader"))
    return f"k2eval {own}" if scorer == "k2eval" and own else f"Inspect {scorer}"


def _facts(evaluation: dict[str, Any], header: dict[str, Any], grader: str) -> Facts:
    facts: Facts = {"grader": grader}
    sampling = mapping(evaluation.get("model_generate_config"))
    sampling = {**sampling, **mapping(mapping(header.get("plan")).get("config"))}
    for name in ("temperature", "top_p", "top_k", "max_tokens", "thinking_budget"):
        if number(sampling.get(name)) is not None:
            facts[name] = number(sampling[name])
    if number(sampling.get("reasoning_tokens")) is not None:
        facts["thinking_budget"] = number(sampling["reasoning_tokens"])
    if word(sampling.get("reasoning_effort")):
        facts["reasoning_effort"] = word(sampling["reasoning_effort"])
    if "system_message" in sampling and word(sampling["system_message"]):
        facts["system"] = word(sampling["system_message"])
    stop = sampling.get("stop_seqs")
    if isinstance(stop, list):
        facts["stop"] = ", ".join(map(repr, stop))[:200]
    recipe = word(mapping(evaluation.get("task_args")).get("recipe"))
    if recipe:
        facts["recipe"] = recipe
    dataset = mapping(evaluation.get("dataset"))
    where = " ".join(filter(None, (word(dataset.get(key)) for key in ("location", "name"))))
    if where:
        facts["revision"] = where[:200]
    return facts


def _add_samples(side: Side, samples: Iterable[Any], scorer: str | None) -> None:
    truncated = seen = 0
    for sample in map(mapping, samples):
        seen += 1
        choices = mapping(sample.get("output")).get("choices")
        first = mapping(next(iter(_listed(choices)), None))
        outcome = mapping(sample.get("metadata")).get("outcome")  # of k2eval's own logs
        at_limit = first.get("stop_reason") in ("max_tokens", "model_length")
        truncated += at_limit if outcome is None else outcome == Outcome.TRUNCATED
        score = _score(mapping(sample.get("scores")), scorer)
        text = _text(sample.get("input"))
        keys = (*([digest_of(text)] if text else []), f"id:{sample.get('id')}")
        counts = score is not None and not sample.get("error")
        side.score_row(keys[-1], keys, [score] if counts and score is not None else [], text)
        written = _text([mapping(first.get("message"))])
        if counts and written:
            side.keep(keys, written, bool(at_limit))
    if seen:
        side.truncated, side.samples = truncated, side.samples or seen


def _score(scores: dict[str, Any], scorer: str | None) -> float | None:
    only = next(iter(scores.values()), None) if len(scores) == 1 else None
    value = mapping(scores.get(scorer or "") or only).get("value")
    if isinstance(value, str) and value in _LETTERS:
        return _LETTERS[value]
    if isinstance(value, bool):
        return float(value)
    found = number(value)
    return found if found is not None and 0 <= found <= 1 else None


def _text(given: Any) -> str:
    """Return the text of an input, or of the turns of a chat; empty if it was left out."""
    if isinstance(given, list):
        turns = (_content(mapping(turn).get("content")) for turn in given)
        given = "\n\n".join(turn for turn in turns if turn)
    return given if isinstance(given, str) and given != HIDDEN else ""


def _content(content: Any) -> str:
    """Return the text of a message: as it is, or its parts of text, reasoning left out."""
    if isinstance(content, list):
        parts = (mapping(part) for part in content)
        content = "\n".join(str(part.get("text", "")) for part in parts if part.get("type") == "text")
    return content if isinstance(content, str) else ""
