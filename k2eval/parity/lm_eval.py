"""lm-eval's ``results_DATE.json``, and the ``samples_TASK_DATE.jsonl`` beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from k2eval.errors import DataError, did_you_mean
from k2eval.interop import HIDDEN
from k2eval.parity.bounded import count, json_lines, mapping, number, word
from k2eval.parity.side import Facts, Side, key_of
from k2eval.texts import as_line

_METRICS = ("avg_at_k", "exact_match", "pass@1", "pass_at_k", "pass_at_1", "acc", "math_verify", "accuracy")
"""Metrics in the order in which one is chosen, if the user names none."""
_FILTERS = ("k2eval", "none", "flexible-extract")
_SHORTEST = 20
"""Characters of a text of a row that may be its question."""


def is_results(content: Any) -> bool:
    """Return whether a value is what lm-eval writes."""
    return isinstance(content, dict) and isinstance(content.get("results"), dict) and "configs" in content


def read(path: Path, content: dict[str, Any], metric: str | None = None) -> list[Side]:
    """Read the scores of every task, and the samples if they lie beside.

    Args:
        path: The file.
        content: Its content.
        metric: The metric, such as ``exact_match`` or ``exact_match,strict-match``; by rule if None.

    Raises:
        DataError: If no task has the metric.
    """
    sides = []
    for name, figures in content["results"].items():
        chosen = _metric(mapping(figures), metric)
        score = None if chosen is None else number(figures[chosen])
        if chosen is None or score is None or not 0 <= score <= 1:
            continue
        sides.append(_side(path, content, as_line(str(name)), mapping(figures), chosen, score))
    if not sides:
        known = {str(key) for figures in content["results"].values() for key in mapping(figures)}
        wanted = metric or "a share from 0 to 1"
        raise DataError(
            f"{path}: no task has {wanted}. {did_you_mean(wanted, sorted(known))[:300]} Use --metric."
        )
    return sides


def _metric(figures: dict[str, Any], wanted: str | None) -> str | None:
    """Return the key of the chosen metric, such as ``exact_match,none``."""
    known = [
        key for key in figures if "," in key and "_stderr," not in key and number(figures[key]) is not None
    ]
    if wanted is not None:
        known = [key for key in known if key == wanted or key.partition(",")[0] == wanted]
    order = {name: place for place, name in enumerate(_METRICS)}
    filters = {name: place for place, name in enumerate(_FILTERS)}

    def rank(key: str) -> tuple[int, int]:
        name, _, by = key.partition(",")
        return order.get(name, len(order)), filters.get(by, len(filters))

    return min((key for key in known if wanted or rank(key)[0] < len(order)), key=rank, default=None)


def _side(
    path: Path, content: dict[str, Any], name: str, figures: dict[str, Any], chosen: str, score: float
) -> Side:
    metric, _, by = chosen.partition(",")
    config, whole = mapping(mapping(content["configs"]).get(name)), mapping(content.get("config"))
    is_ours = by == "k2eval"
    side = Side(
        f"{word(content.get('model_name')) or 'a model'}, {path.name}",
        name,
        score,
        se=number(figures.get(f"{metric}_stderr,{by}")),
        questions=count(mapping(mapping(content.get("n-samples")).get(name)).get("effective")),
        repeats=count(config.get("repeats")),
        facts=_facts(content, config, whole, name, "k2eval" if is_ours else f"lm-eval {chosen}"),
        harness=None if is_ours else _harness(metric, by),
    )
    others = [key for key in figures if "," in key and "_stderr" not in key and key != chosen]
    side.notes.append(
        f"metric {chosen}" + (f"; others there: {', '.join(map(as_line, others))[:200]}" if others else "")
    )
    if not is_ours and (side.repeats or 1) > 1:
        side.notes.append("lm-eval scores the first of several repeats unless a filter of the task takes all")
    _add_samples(side, path, name, metric, by)
    return side


def _harness(metric: str, by: str) -> str:
    return "math-verify" if metric == "math_verify" else "lm-eval-strict" if "strict" in by else "lm-eval"


def _facts(
    content: dict[str, Any], config: dict[str, Any], whole: dict[str, Any], name: str, grader: str
) -> Facts:
    sampling = {**mapping(config.get("generation_kwargs")), **mapping(whole.get("gen_kwargs"))}
    arguments = _arguments(whole.get("model_args"))
    facts: Facts = {"grader": grader, "recipe": "plain"}
    shots = count(mapping(content.get("n-shot")).get(name))
    if shots is not None:
        facts["shots"] = shots
    if "temperature" in sampling or "do_sample" in sampling:
        sampled = sampling.get("do_sample") not in (False, "False", "false")
        facts["temperature"] = number(sampling.get("temperature", 1.0)) if sampled else 0.0
    for key in ("top_p", "top_k", "min_p", "reasoning_effort", "thinking_budget"):
        if number(sampling.get(key)) is not None or isinstance(sampling.get(key), str):
            facts[key] = number(sampling[key]) if number(sampling[key]) is not None else sampling[key]
    most = next(
        (sampling[key] for key in ("max_gen_toks", "max_tokens", "max_new_tokens") if key in sampling),
        arguments.get("max_gen_toks"),
    )
    if number(most) is not None:
        facts["max_tokens"] = number(most)
    if "max_model_len" in arguments or "max_length" in arguments:
        facts["context"] = number(arguments.get("max_model_len", arguments.get("max_length")))
    stop = sampling.get("until", sampling.get("stop"))
    if isinstance(stop, (list, str)):
        facts["stop"] = ", ".join(map(repr, [stop] if isinstance(stop, str) else stop))[:200]
    if "chat_template" in content or "chat_template_sha" in content:
        template = word(content.get("chat_template_sha"))
        facts["template"] = f"chat, {template[:12]}" if template else "none"
    if "system_instruction" in content:
        given = (content["system_instruction"], config.get("description"))
        facts["system"] = " ".join(filter(None, map(word, given))) or "none"
    if "enable_thinking" in arguments:
        facts["thinking"] = "off" if str(arguments["enable_thinking"]).lower() == "false" else "on"
    if config.get("dataset_path"):
        revision = mapping(config.get("dataset_kwargs")).get("revision")
        parts = [config["dataset_path"], config.get("dataset_name"), config.get("test_split"), revision]
        facts["revision"] = " ".join(str(part) for part in parts if part)[:200]
    return facts


def _arguments(given: Any) -> dict[str, Any]:
    """Return the arguments of the model, which lm-eval writes as a mapping or as ``a=1,b=2``."""
    if isinstance(given, str):
        pairs = (part.partition("=") for part in given.split(","))
        return {key.strip(): value.strip() for key, mark, value in pairs if mark}
    return mapping(given)


def _add_samples(side: Side, path: Path, name: str, metric: str, by: str) -> None:
    stamp = path.stem.partition("_")[2]
    file = path.with_name(f"samples_{name}_{stamp}.jsonl")
    if "/" in name or not file.is_file():
        side.notes.append(f"no file of samples ({file.name[:100]}) beside it")
        return
    truncated, total = 0.0, 0
    for row in map(mapping, json_lines(file)):
        if row.get("filter", by) != by:
            continue
        score = number(row.get(metric))
        doc = mapping(row.get("doc"))
        arguments = mapping(mapping(row.get("arguments")).get("gen_args_0"))
        prompt = _prompt(arguments.get("arg_0"))
        total += 1
        truncated += number(row.get("truncated")) or 0.0
        keys = list(dict.fromkeys(_keys(doc, prompt)))
        responses = row.get("resps")
        if isinstance(responses, list) and responses and isinstance(responses[0], list) and score is not None:
            # A task of several repeats scores the first, unless its filter takes all; k2eval's does.
            for text in responses[0] if by == "k2eval" else responses[0][:1]:
                if isinstance(text, str):
                    side.keep(keys, text, False)
        known = score is not None and 0 <= score <= 1
        side.score_row(_owner(doc, row), keys, [score] if known and score is not None else [], prompt)
    side.samples = total * (side.repeats or 1) or None
    if metric == "avg_at_k":
        side.truncated = round(truncated * (side.repeats or 1))


def _owner(doc: dict[str, Any], row: dict[str, Any]) -> str:
    """Return the name of a row's question: its own id, or else its number."""
    own = doc.get("id")
    return f"id:{own}" if isinstance(own, (str, int)) else f"row:{row.get('doc_id')!r:.100}"


def _prompt(given: Any) -> str:
    """Return a prompt as one text; chat turns as k2eval and lm-eval write them are joined."""
    if isinstance(given, list) and len(given) == 1:
        given = given[0]
    if not isinstance(given, str):
        return ""
    from k2eval.values import read_json

    try:
        turns = read_json(given, texts=False) if given.startswith("[") else None
    except ValueError:
        turns = None
    if isinstance(turns, list) and all(isinstance(turn, dict) for turn in turns):
        given = "\n\n".join(str(turn.get("content", "")) for turn in turns)
    return "" if given == HIDDEN else given


def _keys(doc: dict[str, Any], prompt: str) -> Iterable[str]:
    """Yield the keys by which a row may be found: its texts, digested, and its id."""
    texts = [value for value in doc.values() if isinstance(value, str) and len(value) >= _SHORTEST]
    for text in [*texts, *([prompt] if prompt else [])]:
        yield digest_of(text)
    if isinstance(doc.get("id"), (str, int)):
        yield f"id:{doc['id']}"


def digest_of(text: str) -> str:
    """Return a short key of a question's text."""
    return hashlib.sha256(key_of(text).encode(errors="replace")).hexdigest()[:24]
