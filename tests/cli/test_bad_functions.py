"""Adapters, recipes, solvers and graders of a wrong kind: told before anything starts, or never scored."""

from __future__ import annotations

import importlib

import pytest

from k2eval.journal import VERDICTS
from k2eval.records import Outcome
from tests.cli.own_task import HEAD, OwnTask, label


def test_what_is_damaged_here_is_good(own: OwnTask) -> None:
    assert (own.run("--dry-run"), own.run()) == (0, 0)
    assert sorted(score or 0.0 for score in own.scores()) == [0.0, 1.0]


BROKEN = (
    "def f(", "raise ValueError('broken')", "import no_such_module_at_all", "1 / 0", "raise SystemExit(3)",
    "from k2eval.records import nothing", "raise RecursionError", "exit()", "f = 5", "f = 'x'", "f = None",
    "f = []", "f = dict(a=1)",
)  # fmt: skip
"""Modules that cannot be imported, or have no function in them."""


@pytest.mark.parametrize("code", BROKEN, ids=label)
@pytest.mark.parametrize("part", ["adapter", "solver", "recipe"])
def test_a_function_that_is_none_is_refused(own: OwnTask, part: str, code: str) -> None:
    own.write_module(code)
    if part == "recipe":
        own.refuses("--recipe", f"{own.module}:f")
    else:
        own.use(**{part: f"{own.module}:f"})
        own.refuses()


ITEM = "Item(id='a', gold='2', fields={'problem': 'x'})"
ADAPTERS = (
    "def f(): pass", "def f(rows): pass", "def f(rows, spec): pass", "def f(rows, spec, n, more): pass", "class f: pass",
    "def f(*, rows, spec, n): pass",
    f"async def f(rows, spec, n): return Items([{ITEM}], [])", f"def f(rows, spec, n): yield {ITEM}",
    *(f"def f(rows, spec, n): return {value}" for value in (
        "None", "5", "[]", "{}", "''", "([], [])", f"[{ITEM}]", "Items", "Items([], [])", "Items(None, [])", "Items(5, [])",
        f"Items(({ITEM} for _ in rows), [])", "Items([None], [])", "Items([{'id': 'a'}], [])", "Items(['a'], [])",
        f"Items([{ITEM}], None)", f"Items([{ITEM}], ['a note'])", f"Items([{ITEM}], 5)", f"Items([{ITEM}, {ITEM}], [])",
    )),
    *(f"def f(rows, spec, n): raise {error}" for error in (
        "ValueError('x')", "KeyError('x')", "RuntimeError", "RecursionError", "MemoryError", "SystemExit(0)", "StopIteration",
        "AssertionError", "NotImplementedError", "UnicodeError('x')",
    )),
    *(f"def f(rows, spec, n): return Items([Item(id={id!s}, gold='2', fields={{'problem': 'x'}})], [])" for id in (
        "None", "5", "''", "' '", "b'x'", "'\\ud800'", "'a\\0'", "['x']",
    )),
    *(f"def f(rows, spec, n): return Items([Item(id='a', gold={gold}, fields={{'problem': 'x'}})], [])" for gold in (
        "None", "''", "float('nan')", "float('inf')", "[float('nan')]", "object()", "{'a': {1}}", "'\\ud800'", "b'x'",
    )),
    *(f"def f(rows, spec, n): return Items([Item(id='a', gold='2', fields={fields})], [])" for fields in (
        "None", "5", "[]", "{}", "{1: 'x'}", "{'problem': '\\ud800'}", "{'problem': 'a\\0'}", "{'problem': object()}",
        "{'problem': ''}",
    )),
    *(f"def f(rows, spec, n): return Items([Item(id='a', gold='2', fields={{'problem': 'x'}}, {more})], [])" for more in (
        "options=5", "options='ab'", "options=(1, 2)", "options=('\\ud800',)", "tags=5", "tags={'a': 1}", "tags={1: 'a'}",
        "tags={'a': '\\ud800'}", "metadata=5", "metadata={'a': object()}",
    )),
    "def f(rows, spec, n): return Items([Item(id=str(n), gold='2', fields={'problem': 'x'})], [])",
    "def f(rows, spec, n): return Items([Item(id=str(i), gold='2', fields={'problem': 'x'}) for i in range(n + 1)], [])",
)  # fmt: skip


@pytest.mark.parametrize("code", ADAPTERS, ids=label)
def test_an_adapter_of_a_wrong_kind_is_refused(own: OwnTask, code: str) -> None:
    own.write_module(code)
    own.use(adapter=f"{own.module}:f")
    assert own.run("--repeats", "2") == 2, own.words
    assert own.words.strip() and not (own.out / VERDICTS).exists()


SIGNATURES = (
    "def f(): pass",
    "async def f(): pass",
    "async def f(a, b, c, d, e): pass",
    "async def f(*, sample): pass",
)
RETURNS = ("None", "5", "'x'", "{}", "[]", "Response")


@pytest.mark.parametrize(
    "code", [*SIGNATURES, *(f"async def f(sample): return {value}" for value in RETURNS)], ids=label
)
def test_a_recipe_of_a_wrong_kind_is_refused(own: OwnTask, code: str) -> None:
    own.write_module(code)
    own.refuses("--recipe", f"{own.module}:f")


OTHER_RECIPES = (
    "def f(sample): return None", "def f(sample): return sample.question", "def f(sample): raise KeyError('x')",
    "async def f(sample): yield 5", "def f(sample): yield 5", "class f:\n    def __init__(self, sample): pass",
    "f = len", "f = print", "f = iter",
    "async def f(sample): raise ValueError('x')", "async def f(sample): raise SystemExit(0)", "async def f(sample): 1 / 0",
    "async def f(sample): return await sample.nothing()",
    "async def f(sample): return (await sample.generate('solve', sample.question.messages)).text",
    "async def f(sample): await sample.solve()", "async def f(sample): return sample.solve()",
    "async def f(sample): return await sample.generate(5, 'x')",
    "async def f(sample): return await sample.generate('a', sample.question.messages, role='nobody')",
)  # fmt: skip


@pytest.mark.parametrize("code", OTHER_RECIPES, ids=label)
def test_a_recipe_that_makes_no_response_is_refused(own: OwnTask, code: str) -> None:
    own.write_module(code)
    own.refuses("--recipe", f"{own.module}:f")


LATE = (
    "raise ValueError('x')",
    "raise SystemExit(0)",
    "raise RecursionError",
    "return 1 / 0",
    "raise KeyError(response)",
)
LATE_ALL = (
    *LATE,
    "import asyncio; raise asyncio.CancelledError",
    "import k2eval.errors; raise k2eval.errors.ConfigError('x')",
)


@pytest.mark.parametrize("end", LATE_ALL, ids=label)
def test_a_recipe_that_fails_over_an_answer_is_never_scored_and_loses_nothing(own: OwnTask, end: str) -> None:
    own.write_script("\\boxed{77}")
    own.write_module(f"async def f(sample):\n    response = await sample.solve()\n    {end}\n")
    assert own.run("--recipe", f"{own.module}:f") == 1, own.words
    assert own.outcomes() == {Outcome.ENGINE_ERROR} and own.scores() == [None, None]


@pytest.mark.parametrize("wrong", ["return None", "return 'x'", *LATE], ids=label)
@pytest.mark.parametrize("recipe", ["plain", "bo3"])
def test_a_solver_that_fails_over_an_answer_is_never_scored(own: OwnTask, recipe: str, wrong: str) -> None:
    own.write_script("\\boxed{77}")
    own.write_module(
        "async def f(sample, stage, messages, prepare):\n"
        "    generation = await sample.generate(stage, messages)\n"
        "    response = sample.respond(generation)\n"
        "    if 'boxed{77}' not in generation.text: return response\n"
        f"    {wrong}\n"
    )
    own.use(solver=f"{own.module}:f")
    assert own.run("--recipe", recipe) == 1, own.words
    assert own.outcomes() == {Outcome.ENGINE_ERROR} and own.scores() == [None, None]


SOLVERS = (
    "def f(sample): pass", "async def f(sample, stage, messages): pass", "async def f(a, b, c, d, e): pass",
    "def f(sample, stage, messages, prepare): return None", "async def f(*_): return None", "async def f(*_): return 'x'",
    "async def f(sample, *_): return sample.question", "async def f(*_): raise ValueError", "async def f(*_): exit()",
    "async def f(*_): yield 1", "class f:\n    def __init__(self, *_): pass", "f = print",
)  # fmt: skip


@pytest.mark.parametrize("code", SOLVERS, ids=label)
def test_a_solver_of_a_wrong_kind_is_refused(own: OwnTask, code: str) -> None:
    own.write_module(code)
    own.use(solver=f"{own.module}:f")
    own.refuses()


def test_a_tag_steps_that_is_no_number_is_a_tag(own: OwnTask) -> None:
    own.write_module(
        "async def f(sample, stage, messages, prepare):\n"
        "    return sample.respond(await sample.generate(stage, messages))\n"
    )
    own.use(solver=f"{own.module}:f", tags={"steps": "problem"})
    assert (own.run("--dry-run"), own.run()) == (0, 0)


GRADE = "def grade(question, text, truncated): return Grade.of(Outcome.CORRECT)"
GRADERS = (
    *BROKEN[:8], GRADE, "VERSION = 1", f"VERSION = None\n{GRADE}", f"VERSION = '1'\n{GRADE}", f"VERSION = 1.5\n{GRADE}",
    f"VERSION = True\n{GRADE}", "VERSION = 1\ngrade = None", "VERSION = 1\ngrade = 5", "VERSION = 1\ndef grade(): pass",
    "VERSION = 1\ndef grade(question): pass", "VERSION = 1\ndef grade(a, b, c, d): pass", f"VERSION = 1\nasync {GRADE}",
    f"VERSION = 1\n{GRADE}\ntime_limit = 5", f"VERSION = 1\n{GRADE}\ndef time_limit(): pass",
    f"VERSION = 1\n{GRADE}\nprepare = 5", f"VERSION = 1\n{GRADE}\ndef prepare(x): pass",
)  # fmt: skip


@pytest.mark.parametrize("code", GRADERS, ids=label)
def test_a_grader_of_a_wrong_kind_is_refused(own: OwnTask, code: str) -> None:
    use_grader(own, code)
    own.refuses()


def use_grader(own: OwnTask, code: str) -> None:
    """Grade by a module of a package of the user's."""
    package = f"{own.module}_graders"
    (own.folder / package).mkdir()
    (own.folder / package / "grader.py").write_text(HEAD + code)
    importlib.invalidate_caches()
    own.use(grader=f"{package}.grader", solver=None)


FAILING = """
import asyncio, os, sys

VERSION = 1
FAULTS = {
    "raises": lambda: 1 / 0,
    "recursion": lambda: FAULTS["recursion"](),
    "exit": lambda: sys.exit(0),
    "end": lambda: os._exit(0),
    "interrupt": lambda: (_ for _ in ()).throw(KeyboardInterrupt),
    "none": lambda: None,
    "text": lambda: "correct",
    "number": lambda: 1.0,
    "class": lambda: Grade,
    "generation": lambda: Message(role="user", content="x"),
    "score": lambda: Grade(outcome=Outcome.WRONG, score=1.0),
    "unchecked score": lambda: Grade.model_construct(outcome=Outcome.CORRECT, score=7.0, extracted=None, detail={}),
    "nan": lambda: Grade(outcome=Outcome.WRONG, score=float("nan")),
    "detail": lambda: Grade.of(Outcome.CORRECT, reason=object()),
    "coroutine": lambda: asyncio.sleep(0),
    "memory": lambda: bytearray(1 << 60),
}

def grade(question, text, truncated):
    return FAULTS[question.gold]()

def time_limit(question):
    return {"limit none": None, "limit text": "x", "limit nan": float("nan"), "limit zero": 0}.get(question.gold, 30.0)
"""
FAULTS = (
    "raises", "recursion", "exit", "end", "interrupt", "none", "text", "number", "class", "generation", "score",
    "unchecked score", "nan", "detail", "coroutine", "memory", "limit none", "limit text", "limit nan",
    "limit zero",
)  # fmt: skip


def test_a_grader_that_fails_over_an_answer_is_never_scored_and_loses_nothing(own: OwnTask) -> None:
    use_grader(own, FAILING)
    own.write_rows(*({"id": fault, "problem": fault, "answer": fault} for fault in FAULTS))
    assert own.run() == 1, own.words
    assert own.outcomes() == {Outcome.GRADER_ERROR}
    assert own.scores() == [None] * len(FAULTS)


def test_a_grader_that_cannot_prepare_is_never_scored(own: OwnTask) -> None:
    use_grader(own, f"VERSION = 1\n{GRADE}\ndef prepare(): 1 / 0\n")
    assert own.run() == 1, own.words
    assert own.scores() == [None, None]
