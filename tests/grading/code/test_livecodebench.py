from __future__ import annotations

import json
from typing import Any

import pytest

from k2eval.grading import grader_for
from k2eval.grading.code import livecodebench
from k2eval.reasoning import AUTO
from k2eval.records import Grade, Outcome, Question

pytestmark = pytest.mark.usefixtures("isolation")


def question(*tests: tuple[str, str], function: str | None = None, **metadata: Any) -> Question:
    kind = "functional" if function else "stdin"
    rows = [{"input": given, "output": wanted, "testtype": kind} for given, wanted in tests]
    return Question(
        task="livecodebench",
        id="q",
        messages=(),
        gold={"public": json.dumps(rows[:1]), "private": json.dumps(rows[1:]), "function": function},
        metadata=metadata,
    )


DOUBLE = question(("1\n2\n", "2 4"), ("5\n7", "10 14"))
SQUARE = question(("3", "9"), ("-2", "4"), function="square")


def outcome(asked: Question, program: str) -> Outcome:
    return livecodebench.grade_code(asked, program).outcome


READERS = {
    "input": "a = int(input()); b = int(input())\nprint(2 * a, 2 * b)",
    "read": "import sys\na, b = map(int, sys.stdin.read().split())\nprint(2 * a, 2 * b)",
    "readline": "import sys\nread = sys.stdin.readline\na = int(read()); b = int(read())\nprint(2 * a, 2 * b)",
    "lines": "import sys\nprint(*(2 * int(line) for line in sys.stdin))",
    "readlines": "import sys\nprint(*(2 * int(line) for line in sys.stdin.readlines()))",
    "buffer": "import sys\na, b = map(int, sys.stdin.buffer.read().split())\nprint(2 * a, 2 * b)",
    "buffer lines": "import sys\nr = sys.stdin.buffer.readline\na = int(r()); b = int(r())\nprint(2 * a, 2 * b)",
    "open": "print(*(2 * int(word) for word in open(0).read().split()))",
    "os": "import os\nprint(*(2 * int(word) for word in os.read(0, 100).split()))",
    "buffer out": "import sys\na, b = sys.stdin.read().split()\nsys.stdout.buffer.write(f'{2*int(a)} {2*int(b)}'.encode())",
    "exit": "import sys\na = int(input()); b = int(input())\nprint(2 * a, 2 * b)\nsys.exit()",
    "builtin exit": "a = int(input()); b = int(input())\nprint(2 * a, 2 * b)\nexit()",
    "guard": "def main():\n    print(2 * int(input()), 2 * int(input()))\nif __name__ == '__main__':\n    main()\nx = 1",
    "globals": "total = 0\ndef add():\n    global total\n    total += 2 * int(input())\nadd(); a = total; add()\nprint(a, total - a)",
    "thread": (
        "import sys, threading\nsys.setrecursionlimit(10**6)\nthreading.stack_size(1 << 26)\n"
        "def depth(n):\n    return 0 if n == 0 else 1 + depth(n - 1)\n"
        "def main():\n    assert depth(20000) == 20000\n    print(2 * int(input()), 2 * int(input()))\n"
        "t = threading.Thread(target=main)\nt.start()\nt.join()"
    ),
    "no imports": "a, b = (int(x) for x in sys.stdin)\nprint(2 * a, 2 * b, sep=chr(gcd(32, 64)))",
    "future": "from __future__ import annotations\ndef f(x: Missing): return 2 * int(x)\nprint(f(input()), f(input()))",
    "numpy beside others": "import sys, numpy as np\na, b = 2 * np.array([int(input()), int(input())])\nprint(a, b)",
    "numpy if there": "try: import numpy\nexcept ImportError: exit('no numpy')\nprint(2 * int(input()), 2 * int(input()))",
    "class Solution": "class Solution:\n    pass\nprint(2 * int(input()), 2 * int(input()))",
}


@pytest.mark.parametrize("program", READERS.values(), ids=READERS.keys())
def test_programs_read_and_write_as_real_ones_do(program: str) -> None:
    graded = livecodebench.grade_code(DOUBLE, program)
    assert graded.outcome is Outcome.CORRECT, graded.detail


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("print(input())", Outcome.WRONG),
        ("print(", Outcome.COMPILE_ERROR),
        ("1 / 0", Outcome.RUNTIME_ERROR),
        ("print(2, 4)\nimport sys\nsys.exit(3)", Outcome.RUNTIME_ERROR),
        ("x = []\nwhile True: x.append(bytes(1 << 26))", Outcome.MEMORY),
        ("while True: print('x' * 100000)", Outcome.OUTPUT_LIMIT),
        ("import os\nos._exit(0)", Outcome.WRONG),
    ],
)
def test_programs_fail_as_what_they_do(program: str, expected: Outcome) -> None:
    graded = livecodebench.grade_code(DOUBLE, program)
    assert graded.outcome is expected, graded.detail
    assert graded.score == 0
    assert graded.detail["passed"] == 0


@pytest.mark.parametrize(
    "program",
    [
        "class Solution:\n    def square(self, x: int) -> int:\n        return x * x",
        "def square(x):\n    return float(x * x)",
        "class Solution:\n    def square(self, x: Optional[int]) -> int:\n        return pow(x, 2)",
        "calls = 0\nclass Solution:\n    def square(self, x):\n        global calls\n        calls += 1\n        return x * x",
        "import numpy\nclass Solution:\n    def square(self, x):\n        return numpy.int64(x) ** 2",
        "import math, numpy\nclass Solution:\n    def square(self, x):\n        return numpy.float64(x * x)",
        "class Solution:\n    def square(self, x):\n        print('debug')\n        return x * x\nprint(Solution().square(3))",
    ],
)
def test_functions_are_called_with_the_values_of_each_test(program: str) -> None:
    graded = livecodebench.grade_code(SQUARE, program)
    assert graded.outcome is Outcome.CORRECT, graded.detail


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("def square(x):\n    return 9", Outcome.WRONG),
        ("def square(x):\n    return str(x * x)", Outcome.WRONG),
        ("def cube(x):\n    return x", Outcome.RUNTIME_ERROR),
        ("def square(x):\n    raise ValueError(x)", Outcome.RUNTIME_ERROR),
        ("def square(x:\n    return x", Outcome.COMPILE_ERROR),
        (
            "class Yes:\n    def __eq__(self, other): return True\ndef square(x):\n    return Yes()",
            Outcome.WRONG,
        ),
        ("import os\ndef square(x):\n    os._exit(0)", Outcome.RUNTIME_ERROR),
    ],
)
def test_functions_fail_as_what_they_do(program: str, expected: Outcome) -> None:
    graded = livecodebench.grade_code(SQUARE, program)
    assert graded.outcome is expected, graded.detail


@pytest.mark.parametrize(
    "program",
    [
        "if True:\n    class Solution:\n        def square(self, x): return x * x",
        "try:\n    import nothing\nexcept ImportError:\n    class Solution:\n        def square(self, x): return x * x",
        "class Impl:\n    def square(self, x): return x * x\nSolution = Impl",
        "from decimal import Decimal\ndef square(x): return Decimal(x) ** 2",
        "class I(int): pass\ndef square(x): return I(x * x)",
    ],
)
def test_classes_and_values_may_be_of_any_kind(program: str) -> None:
    graded = livecodebench.grade_code(SQUARE, program)
    assert graded.outcome is Outcome.CORRECT, graded.detail


def test_a_number_that_claims_to_be_equal_is_read_as_what_it_holds() -> None:
    liar = "class I(int):\n    def __eq__(self, other): return True\n    def __index__(self): return 9\ndef square(x): return I(0)"
    assert outcome(SQUARE, liar) is Outcome.WRONG


@pytest.mark.parametrize(
    "imports",
    [
        "from __future__ import annotations  # noqa",
        "from __future__ import (\n    annotations,\n)",
        "from __future__ import annotations, \\\n    division",
        "'''text'''\r\nfrom __future__ import annotations\r",
        "from __future__ import annotations; import os",
    ],
)
def test_future_imports_come_before_the_prelude(imports: str) -> None:
    program = f"{imports}\ndef f(x: Missing): return x if x < 1 else f(x - 1)\nf(20000)\n{READERS['input']}\nCounter()"
    graded = livecodebench.grade_code(DOUBLE, program)
    assert graded.outcome is Outcome.CORRECT, graded.detail


@pytest.mark.parametrize(
    "program", ["import os\nfrom __future__ import annotations", "from __future__ import braces", "'''\n"]
)
def test_programs_that_python_refuses_stay_refused(program: str) -> None:
    assert outcome(DOUBLE, f"{program}\n{READERS['input']}") is Outcome.COMPILE_ERROR


def test_a_block_that_defines_the_function_comes_before_a_usage_example() -> None:
    solution = "```python\nclass Solution:\n    def square(self, x):\n        return x * x\n```"
    usage = "```python\nprint(Solution().square(2))\n```"
    assert livecodebench.grade(SQUARE, f"{solution}\nUsage:\n{usage}", False).outcome is Outcome.CORRECT


def test_a_long_program_is_judged_by_what_it_does() -> None:
    program = f"# {'x' * 5_000_000}\n{READERS['input']}"
    graded = livecodebench.grade(DOUBLE, f"```python\n{program}\n```\n{'word ' * 300_000}", False)
    assert graded.outcome is Outcome.CORRECT, graded.detail


def test_a_program_that_the_sandbox_does_not_take_is_our_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("k2eval.sandbox.untested.MAX_SOURCE_BYTES", 1 << 20)
    assert outcome(DOUBLE, "#" * (2 << 20)) is Outcome.GRADER_ERROR


def test_a_tuple_returned_at_the_top_counts_as_a_list() -> None:
    pair = question(("1\n2", "[1, 2]"), function="pair")
    assert outcome(pair, "def pair(a, b):\n    return a, b") is Outcome.CORRECT


def test_the_failed_test_is_told_within_bounds() -> None:
    long = question(("1", "1"), ("2", "9" * 100_000))
    detail = livecodebench.grade_code(long, "print(1)").detail
    assert detail["tests"] == 2
    assert detail["passed"] == 1
    assert detail["failed"]["test"] == 1
    assert detail["failed"]["hidden"] is True
    assert detail["failed"]["got"] == "1\n"
    assert len(json.dumps(detail)) < 2000


def test_a_time_out_is_confirmed_by_a_second_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    monkeypatch.setattr(livecodebench, "LIMITS", replace(livecodebench.LIMITS, cpu_s=0.5))
    graded = livecodebench.grade_code(DOUBLE, "while True: pass")
    assert graded.outcome is Outcome.TIMEOUT
    assert outcome(SQUARE, "def square(x):\n    while True: pass") is Outcome.TIMEOUT


def test_known_errata_are_told_in_the_verdict() -> None:
    asked = question(("1", "2"), erratum="interactive")
    assert livecodebench.grade_code(asked, "print(1)").detail["erratum"] == "interactive"


def test_unreadable_tests_are_our_failure_except_where_they_are_a_known_erratum() -> None:
    broken = question(("not json", "1"), function="f")
    graded = livecodebench.grade_code(broken, "def f(x): return 1")
    assert graded.outcome is Outcome.GRADER_ERROR
    assert graded.score is None
    known = question(("not json", "1"), function="f", erratum="a test is wrong")
    assert outcome(known, "def f(x): return 1") is Outcome.WRONG


@pytest.mark.parametrize(
    ("text", "truncated", "expected"),
    [
        ("<think>```python\nprint(2, 4)\n```", False, Outcome.TRUNCATED),
        ("<think>hm</think>```python\nprint(2,", True, Outcome.TRUNCATED),
        ("<think>hm</think>It cannot be done.", False, Outcome.NO_ANSWER),
        (
            "<think>```python\n1\n```</think>" + f"```python\n{READERS['lines']}\n```\nbye",
            False,
            Outcome.CORRECT,
        ),
        ("</think>" + f"<answer>```python\n{READERS['input']}\n```</answer>", False, Outcome.CORRECT),
    ],
)
def test_the_program_is_the_last_complete_block_after_the_reasoning(
    text: str, truncated: bool, expected: Outcome
) -> None:
    assert grader_for("code").grade_response(DOUBLE, text, truncated, AUTO).outcome is expected


def test_equal_responses_get_equal_grades() -> None:
    first, second = (livecodebench.grade_code(DOUBLE, "print(1)") for _ in range(2))
    assert isinstance(first, Grade)
    assert first == second
