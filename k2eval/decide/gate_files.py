"""The result of a gate for people and for programs: table, Markdown, JSON and JUnit XML."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from xml.etree import ElementTree

import numpy as np

from k2eval.decide.gate import Answer, Gate, Gated, Ruling
from k2eval.decide.policy import SHARES, Rule
from k2eval.leaderboard import ABSENT, markdown_table
from k2eval.statistics import Estimand

_MARKS = {Answer.GO: "✅", Answer.NO_GO: "❌", Answer.INCONCLUSIVE: "❔"}
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
r"""Matches characters that XML 1.0 cannot hold, such as ``\x1b``."""


def gate_table(gated: Gated) -> tuple[list[str], list[list[str]]]:
    """Return a header and a row per rule."""
    header = ["Rule", "Answer", "Measured", "Interval", "Reason"]
    rows = [
        [
            ruling.rule.words,
            ruling.answer.value,
            _number(ruling.evidence.value, ruling.rule),
            _interval(ruling),
            ruling.reason,
        ]
        for ruling in gated.rulings
    ]
    return header, rows


def gate_notes(gated: Gated) -> list[str]:
    """Return the notes on a run, each once."""
    return list(dict.fromkeys(note for ruling in gated.rulings for note in ruling.evidence.notes))


def gate_words(gate: Gate) -> str:
    """Return the sentence that says what the answers mean."""
    alpha = 100 - gate.policy.confidence
    if not gate.tests:
        return "No rule needed a test: figures are those of these samples."
    rules = (
        "the one rule that tests"
        if gate.tests == 1
        else f"all {gate.tests} tests together (Holm), so that intervals are wider than that of one test"
    )
    return (
        f"Intervals are two-sided, clustered by question, and {Estimand.LIKE_THESE.value}. The chance of any false "
        f"answer is at most {alpha:.3g} % over {rules}."
    )


def gate_markdown(gate: Gate) -> str:
    """Return the summary for a pull request."""
    parts = [f"## {_MARKS[gate.answer]} {gate.answer.value}"]
    for gated in gate.runs:
        parts.append(f"### {gated.run.info.name}: {gated.answer.value}")
        header, rows = gate_table(gated)
        rows = [
            [row[0], f"{_MARKS[ruling.answer]} {row[1]}", *row[2:]]
            for row, ruling in zip(rows, gated.rulings, strict=True)
        ]
        parts.append(markdown_table(header, [[_one_line(cell) for cell in row] for row in rows]))
        parts.append("\n".join(f"- {_one_line(note)}" for note in gate_notes(gated)))
    parts.append(gate_words(gate))
    return "\n\n".join(part for part in parts if part) + "\n"


def gate_json(gate: Gate) -> str:
    """Return the result as JSON; a number that there is not is null."""
    content = {
        "answer": gate.answer.value,
        "confidence": gate.policy.confidence,
        "baseline": gate.policy.baseline,
        "tests": gate.tests,
        "runs": [
            {
                "run": gated.run.info.name,
                "path": str(gated.run.path),
                "answer": gated.answer.value,
                "rules": [_fields(ruling) for ruling in gated.rulings],
            }
            for gated in gate.runs
        ],
    }
    return json.dumps(content, indent=1) + "\n"


def _fields(ruling: Ruling) -> dict[str, object]:
    return {
        "rule": ruling.rule.words,
        "definition": ruling.rule.model_dump(mode="json", exclude_defaults=True),
        "answer": ruling.answer.value,
        "estimand": ruling.estimand,
        "value": _json(ruling.evidence.value),
        "low": _json(ruling.low),
        "high": _json(ruling.high),
        "confidence": _json(100 * ruling.confidence),
        "limit": ruling.rule.limit,
        "reason": ruling.reason,
        "notes": list(ruling.evidence.notes),
    }


def gate_junit(gate: Gate) -> str:
    """Return the result as JUnit XML: a suite per run, a case per rule.

    NO-GO is a failure and INCONCLUSIVE an error, so that no viewer of tests shows either as passed.
    """
    suites = ElementTree.Element("testsuites", name="k2eval gate")
    for gated in gate.runs:
        answers = [ruling.answer for ruling in gated.rulings]
        suite = ElementTree.SubElement(
            suites,
            "testsuite",
            name=_xml(gated.run.info.name),
            tests=str(len(answers)),
            failures=str(answers.count(Answer.NO_GO)),
            errors=str(answers.count(Answer.INCONCLUSIVE)),
        )
        for ruling in gated.rulings:
            case = ElementTree.SubElement(
                suite, "testcase", name=_xml(ruling.rule.words), classname=_xml(gated.run.info.name)
            )
            figure = f"{_number(ruling.evidence.value, ruling.rule)} {_interval(ruling)} {ruling.estimand}"
            words = f"{figure}: {ruling.reason}"
            if ruling.answer is not Answer.GO:
                kind = "failure" if ruling.answer is Answer.NO_GO else "error"
                element = ElementTree.SubElement(
                    case, kind, type=ruling.answer.value, message=_xml(ruling.reason)
                )
                element.text = _xml(words)
            output = ElementTree.SubElement(case, "system-out")
            output.text = _xml("\n".join([words, *ruling.evidence.notes]))
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suites, "unicode") + "\n"


def _number(value: float, rule: Rule) -> str:
    if not np.isfinite(value):
        return ABSENT
    form = "+.1f" if rule.compares else ".2f" if rule.measure in SHARES else ",.1f"
    return format(value, form).replace("-", "−")


def _interval(ruling: Ruling) -> str:
    if not np.isfinite(ruling.confidence):
        return ABSENT
    ends = (_number(end, ruling.rule) for end in (ruling.low, ruling.high))
    return f"{' … '.join(ends)} ({_percent(ruling.confidence)} %)"


def _percent(confidence: float) -> str:
    """Return a confidence in percent, which never rounds to 100.

    >>> _percent(0.95), _percent(1 - 0.05 / 3), _percent(0.9995833), _percent(1 - 1e-12)
    ('95', '98.3', '99.96', '99.9999999999')
    """
    for digits in range(1, 16):
        text = f"{100 * confidence:.{digits}f}".rstrip("0").rstrip(".")
        if text != "100":
            break
    return text


def _json(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _xml(text: str) -> str:
    return _NOT_XML.sub("�", text)


def summary_lines(gate: Gate) -> Sequence[str]:
    """Return the last lines of the command: the answer of each run if there are several, and that of all."""
    lines = [f"{gated.run.info.name}: {gated.answer.value}" for gated in gate.runs]
    return [*lines, f"All runs: {gate.answer.value}"] if len(lines) > 1 else lines
