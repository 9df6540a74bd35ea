"""Bad task files, rows and prompts of the user's, by kind: told in one message before anything starts."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from tests.cli.own_task import ROW, TASK, OwnTask, label

NAN, INF = float("nan"), float("inf")
NO_TEXT: tuple[Any, ...] = (None, "", 5, True, NAN, [], ["x"], {}, {"x": 1})
SURROGATE, NUL = "a\ud800", "a\0b"


def each(key: str, *values: Any) -> Iterator[tuple[str, Any]]:
    """The key with each of the values."""
    return ((key, value) for value in values)


def files() -> Iterator[bytes]:
    """Task files that are none."""
    yield from (
        b"",
        b"[]",
        b"5",
        b"just words",
        b"null",
        b"{",
        b"\xff\xfe\x00",
        b"task: [",
        b"\x00",
        b"- task: own",
    )
    yield b"a: &a [*a]\n" + yaml.safe_dump(TASK).encode()
    yield b"a: " + b"[" * 3_000 + b"]" * 3_000 + b"\n" + yaml.safe_dump(TASK).encode()
    yield b"a: " + b"[" * 60 + b"]" * 60 + b"\n" + yaml.safe_dump(TASK).encode()
    yield b'a: "\\ud800"\n' + yaml.safe_dump(TASK).encode()
    yield b"a: !!python/object:os.system {}\n" + yaml.safe_dump(TASK).encode()
    yield b"a: 2024-13-45\n" + yaml.safe_dump(TASK).encode()
    yield b"include: nowhere.yaml\n" + yaml.safe_dump(TASK).encode()
    yield b"include: own.yaml\n" + yaml.safe_dump(TASK).encode()
    yield b"include: 5\n" + yaml.safe_dump(TASK).encode()


@pytest.mark.parametrize("content", list(files()), ids=label)
def test_a_file_that_is_no_task_is_refused(own: OwnTask, content: bytes) -> None:
    own.write_task(content)
    own.refuses()


def keys() -> Iterator[tuple[str, Any]]:
    """Keys of a task, and values that they cannot have."""
    for key in ("task", "doc_to_text"):
        yield from ((key, value) for value in NO_TEXT)
    yield from (("description", value) for value in (5, True, ["x"], {"x": 1}))
    yield from (("repeats", value) for value in (0, -1, 2.5, True, "x", NAN, INF, [1]))
    yield from each("metadata", None, "", 5, [], {}, {"k2eval": 5}, {"k2eval": []})
    yield from (
        ("generation_kwargs", value) for value in (5, "x", ["x"], {"x": 1}, {"until": 5}, {"until": [""]})
    )
    for key in ("temperature", "top_p", "min_p", "top_k", "max_gen_toks"):
        yield from (
            ("generation_kwargs", {key: value}) for _, value in each(key, True, -5, NAN, INF, "x", [1], {})
        )
    yield from (("task", name) for name in ("a,b", "a/b", " own"))


@pytest.mark.parametrize(("key", "value"), list(keys()), ids=label)
def test_a_key_of_a_task_with_a_wrong_value_is_refused(own: OwnTask, key: str, value: Any) -> None:
    own.write_task({**TASK, key: value})
    own.refuses()


def blocks() -> Iterator[tuple[str, Any]]:
    """Settings of ``metadata.k2eval``, and values that they cannot have."""
    for key in ("task", "title", "grader", "adapter"):
        yield from each(key, None, 5, True, [], {"x": 1})
    yield from (("kind", value) for value in (None, "", "nonsense", 5))
    yield from (("questions", value) for value in (0, -1, 2.5, "x", [1], NAN))
    yield from (
        ("grader", value) for value in ("", "x", "no.such", ".", "..", ".a", "a..b", "math.sqrt", "json")
    )
    yield from (
        ("adapter", value) for value in ("", "x", ":", "json:", ":x", "json:nothing", "math:pi", "no.such:x")
    )
    yield from (("solver", value) for value in ("x", ":", "json:nothing", "math:pi", "math:sqrt", 5, ["x"]))
    for key in ("fields", "tags", "where"):
        yield from ((key, value) for value in (5, "x", ["x"], {"x": [1]}, {1: "x"}))
    yield from (
        ("where", {"level": value}) for value in (5, {"min": NAN}, {"min": 5, "max": 4}, {"least": 1})
    )
    yield from (("where", {name: {"min": 1}}) for name in ("problem", "nothing"))
    yield from (("options", value) for value in (5, "x", ["x"], {"mode": NAN}, {"mode": [INF]}))
    yield from each("data", None, 5, "x", [], {"x": 1}, {"bundled": 5}, {"bundled": "nowhere.jsonl"})
    yield from (("data", {"bundled": value}) for value in (".", "own.yaml", "own.jsonl/x", "a" * 300))
    yield from (("data", {"files": value}) for value in ("x", 5, [5], [""], ["/x"], ["**x"]))
    yield from (("answer_type", value) for value in ("x", 5, ["integer"]))
    yield "unknown", 1


@pytest.mark.parametrize(("key", "value"), list(blocks()), ids=label)
def test_a_setting_of_a_task_with_a_wrong_value_is_refused(own: OwnTask, key: str, value: Any) -> None:
    own.use(**{key: value})
    (own.folder / "data").mkdir()
    own.refuses("--data", "data")


@pytest.mark.parametrize(
    "option", ["mode=.nan", "mode=[.inf]", 'mode="\\ud800"', "mode=!!binary aGk=", "other=1"]
)
def test_an_option_of_a_task_that_is_none_is_refused(own: OwnTask, option: str) -> None:
    own.refuses("--set", f"own.{option}")


def templates() -> Iterator[str]:
    """Prompts that cannot be made."""
    yield from (
        "{{",
        "{% if %}",
        "{% endfor %}",
        "{{ nothing }}",
        "{{ problem.nothing }}",
        "{{ problem | nothing }}",
    )
    yield from (
        "{{ 1 / 0 }}",
        "{{ problem() }}",
        "{{ problem[0:'x'] }}",
        "{{ [] + 1 }}",
        "{{ 'x' * 10**16 }}",
    )
    yield from ("{{ none.x }}", "{% include 'x' %}", "{% extends 'x' %}", "{{ ''.x.y }}")
    yield from (
        "{{ problem.encode('latin-1').decode('utf-32') }}",
        "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
    )
    yield from (
        "{{ '' }}",
        "  ",
        "{% if false %}x{% endif %}",
        "{{ '\\ud800' }}",
        "{{ '\\x00' }}",
        "{{ problem | round }}",
    )


@pytest.mark.parametrize("template", list(templates()), ids=label)
@pytest.mark.parametrize("key", ["doc_to_text", "description"])
def test_a_prompt_that_cannot_be_made_is_refused(own: OwnTask, key: str, template: str) -> None:
    own.write_task({**TASK, key: template})
    if key == "description" and template in ("{{ '' }}", "  ", "{% if false %}x{% endif %}"):
        assert own.run("--dry-run") == 0  # no system turn, or an empty one
    else:
        assert "Task own" in own.refuses() or "own.yaml" in own.words


def test_a_system_text_that_cannot_be_made_is_refused(own: OwnTask) -> None:
    assert "ZeroDivisionError" in own.refuses("--system", "{{ 1 / 0 }}")


def rows() -> Iterator[bytes]:
    """Files of rows that cannot be asked."""
    for row in ("", "[]", "5", "null", '"x"', "{", "nonsense", "{}", '{"problem": "x"}', '{"answer": "x"}'):
        yield row.encode()
    yield b"\xff\xfe"
    yield b"[" * 100_000
    yield b'{"problem": ' * 100_000
    for name in ("problem", "answer"):
        for _, value in each(name, None, "", "  ", True, [], ["x"], {}, NAN, INF, -INF, SURROGATE, NUL):
            yield json.dumps({**ROW, name: value}).encode()
    for name in ("id", "level"):
        for value in (NAN, INF, SURROGATE, NUL):
            yield json.dumps({**ROW, name: value}).encode()
    yield json.dumps({**ROW, "answer": 5}).replace(": 5", ": 1" + "0" * 5_000).encode()
    yield json.dumps({**ROW, "id": "x"}).replace('"x"', "[" * 900 + "]" * 900).encode()


@pytest.mark.parametrize("content", list(rows()), ids=label)
def test_a_row_that_cannot_be_asked_is_refused(own: OwnTask, content: bytes) -> None:
    own.use(tags={"level": "level"})
    (own.folder / "own.jsonl").write_bytes(content)
    own.refuses()


@pytest.mark.parametrize(
    "content",
    [b"", b"nonsense", gzip.compress(b"{}", mtime=0)[:-9], gzip.compress(b"\xff", mtime=0)],
    ids=label,
)
def test_packed_rows_that_cannot_be_read_are_refused(own: OwnTask, content: bytes) -> None:
    own.use(data={"bundled": "own.jsonl.gz"})
    (own.folder / "own.jsonl.gz").write_bytes(content)
    own.refuses()


CHOICES: tuple[Mapping[str, Any], ...] = (
    {"options": None}, {"options": []}, {"options": "ab"}, {"options": {"a": 1}}, {"options": ["a", ""]},
    {"options": ["a", SURROGATE]}, {"options": ["a", NAN]}, {"options": ["x"] * 27}, {"answer": 2}, {"answer": -1},
    {"answer": True}, {"answer": "a"}, {"answer": 0.0}, {"answer": None}, {"problem": None}, {"problem": SURROGATE},
)  # fmt: skip


@pytest.mark.parametrize("change", CHOICES, ids=label)
def test_a_choice_that_cannot_be_asked_is_refused(own: OwnTask, change: Mapping[str, Any]) -> None:
    own.use(
        grader="choice",
        adapter="k2eval.tasks.adapters:choices",
        fields={"options": "options", "answer": "answer"},
    )
    own.write_rows({**ROW, "options": ["a", "b"], "answer": 0, **change})
    own.write_task(yaml.safe_load((own.folder / "own.yaml").read_text()) | {"doc_to_text": "{{choices}}"})
    own.refuses()
