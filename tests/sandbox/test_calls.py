from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest

from k2eval.sandbox import Call, CallResult, Limits, Opaque, RunOutcome, RunResult, Sandbox

OK = RunOutcome.OK
DEFAULT = Limits()


def result_of(
    box: Sandbox, source: str, *args: object, target: str = "f", limits: Limits = DEFAULT
) -> CallResult:
    result = box.call(source, [Call(target, list(args))], limits=limits)
    assert result.outcome is OK, result
    return result.calls[0]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("None", None),
        ("True", True),
        ("-3", -3),
        ("2 ** 5000", 2**5000),
        ("10 ** 9000", 10**9000),
        ("0.1 + 0.2", 0.1 + 0.2),
        ("float('inf')", math.inf),
        ("'ünï\\ud800'", "ünï\ud800"),
        ("[1, [2, [3]]]", [1, [2, [3]]]),
        ("(1, 'a', None)", (1, "a", None)),
        ("{1: [2], (3, 4): {5}}", {1: [2], (3, 4): {5}}),
        ("frozenset({1})", frozenset({1})),
        ("b'\\x00\\xff'", b"\x00\xff"),
        ("1 + 2j", 1 + 2j),
        ("range(3)", range(3)),
        ("__import__('collections').Counter('aab')", {"a": 2, "b": 1}),
        ("__import__('collections').defaultdict(int, {1: 2})", {1: 2}),
        ("[]", []),
        ("()", ()),
        ("{}", {}),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isascii() else "value",
)
def test_values_come_back(plain: Sandbox, expression: str, value: object) -> None:
    answer = result_of(plain, f"def f(): return {expression}")
    assert answer.value == value
    assert type(answer.value) is type(value)


def test_nan_comes_back(plain: Sandbox) -> None:
    assert math.isnan(result_of(plain, "def f(): return float('nan')").value)


@pytest.mark.parametrize(
    "expression",
    [
        "object()",
        "lambda: 1",
        "(n for n in ())",
        "type('E', (), {'__eq__': lambda *a: True})()",
        "__import__('collections').deque([1])",
        "__import__('enum').Enum('E', 'A').A",
        "__import__('decimal').Decimal('sNaN')",
        "__import__('decimal').Decimal('1e999999')",
        "__import__('fractions').Fraction(1, 1 << 20000)",
    ],
)
def test_other_values_are_opaque(plain: Sandbox, expression: str) -> None:
    value = result_of(plain, f"def f(): return {expression}").value
    assert type(value) is Opaque
    assert value != value


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("type('E', (int,), {'__eq__': lambda *a: True, '__index__': lambda a: 9})(3)", 3),
        ("type('E', (str,), {'__str__': lambda a: 'y'})('x')", "x"),
        ("type('E', (list,), {'__iter__': lambda a: iter(())})([1])", [1]),
        ("type('E', (dict,), {'items': lambda a: ()})({1: 2})", {1: 2}),
        ("type('E', (float,), {})(0.5)", 0.5),
        ("type('E', (set,), {})({1})", {1}),
        ("type('E', (bytes,), {})(b'x')", b"x"),
        ("type('E', (complex,), {})(1j)", 1j),
        ("__import__('collections').namedtuple('P', 'a b')(1, [2])", (1, [2])),
        ("__import__('collections').UserList([1])", [1]),
        ("__import__('collections').UserString('x')", "x"),
        ("__import__('collections').ChainMap({1: 2})", {1: 2}),
        ("__import__('types').MappingProxyType({1: 2})", {1: 2}),
        ("__import__('enum').IntEnum('E', 'A').A", 1),
        ("{1: 2}.keys()", {1}),
        ("__import__('decimal').Decimal('0.10')", Decimal("0.10")),
        ("__import__('decimal').Decimal('Infinity')", math.inf),
        ("type('D', (__import__('decimal').Decimal,), {})('1.5')", Decimal("1.5")),
        ("__import__('fractions').Fraction(1, 3)", Fraction(1, 3)),
        ("type('F', (__import__('fractions').Fraction,), {})(1, 3)", Fraction(1, 3)),
        ("__import__('sortedcontainers').SortedList([2, 1])", [1, 2]),
    ],
)
def test_values_that_are_equal_to_plain_ones_come_back_as_those(
    plain: Sandbox, expression: str, value: object
) -> None:
    answer = result_of(plain, f"def f(): return [{expression}]")
    assert answer.value == [value]
    assert type(answer.value[0]) is type(value)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("sympy.Integer(3)", 3),
        ("sympy.Rational(1, 3)", Fraction(1, 3)),
        ("sympy.Float(0.5)", 0.5),
        ("sympy.true", True),
        ("mpmath.mpf(0.1)", 0.1),
        ("mpmath.mpf(2) ** -2000", Fraction(1, 2**2000)),
    ],
)
def test_numbers_of_sympy_come_back_as_plain_ones(
    scientific: Sandbox, expression: str, value: object
) -> None:
    answer = result_of(scientific, f"import sympy, mpmath\ndef f(): return {expression}")
    assert answer.value == value
    assert type(answer.value) is type(value)


def test_arguments_arrive_as_they_are(plain: Sandbox) -> None:
    args = [1, 2.5, "s", [1, [2]], (1, 2), {"k": (1,)}, {3}, None, 10**5000]
    assert result_of(plain, "def f(*args): return list(args)", *args).value == args


def test_keyword_arguments(plain: Sandbox) -> None:
    result = plain.call("def f(a, *, b): return a - b", [Call("f", [5], {"b": 3})])
    assert result.calls[0].value == 2


def test_method_of_a_fresh_instance(plain: Sandbox) -> None:
    source = "class Solution:\n  def __init__(self): self.n = 0\n  def f(self): self.n += 1; return self.n"
    result = plain.call(source, [Call("Solution.f")] * 3)
    assert [call.value for call in result.calls] == [1, 1, 1]


def test_module_state_stays_between_calls(plain: Sandbox) -> None:
    result = plain.call("n = 0\ndef f():\n  global n\n  n += 1\n  return n", [Call("f")] * 3)
    assert [call.value for call in result.calls] == [1, 2, 3]


def test_main_guard_does_not_run(plain: Sandbox) -> None:
    source = "def f(): return __name__\nif __name__ == '__main__': f = None; input()"
    assert result_of(plain, source).value == "submission"


def test_exceptions_are_answers(plain: Sandbox) -> None:
    result = plain.call("def f(n): return 1 // n", [Call("f", [0]), Call("f", [1])])
    assert result.outcome is OK
    assert result.calls[0].outcome is RunOutcome.RUNTIME_ERROR
    assert result.calls[0].error == "ZeroDivisionError: integer division or modulo by zero"
    assert result.calls[1].value == 1


@pytest.mark.parametrize(
    "body", ["raise SystemExit", "exit()", "raise KeyboardInterrupt", "raise MemoryError"]
)
def test_base_exceptions_are_answers(plain: Sandbox, body: str) -> None:
    result = plain.call(f"def f():\n  {body}", [Call("f"), Call("f")])
    assert result.outcome is OK
    assert all(call.outcome is not OK for call in result.calls)


def test_missing_function(plain: Sandbox) -> None:
    answer = result_of(plain, "def g(): pass")
    assert answer.error == "NameError: name 'f' is not defined"


def test_stdout_of_each_call(plain: Sandbox) -> None:
    result = plain.call("print('load')\ndef f(n): print('n', n)", [Call("f", [1]), Call("f", [2])])
    assert [call.stdout for call in result.calls] == [b"n 1\n", b"n 2\n"]
    assert result.stdout == b"load\nn 1\nn 2\n"


def test_stop_after_a_call(plain: Sandbox) -> None:
    result = plain.call(
        "def f(n): return n", [Call("f", [n]) for n in range(9)], stop=lambda index, answer: index == 2
    )
    assert result.outcome is OK
    assert [call.value for call in result.calls] == [0, 1, 2]


def test_stop_kills_what_goes_on(plain: Sandbox) -> None:
    source = (
        "import threading\ndef spin():\n  while True: pass\ndef f(): threading.Thread(target=spin).start()"
    )
    result = plain.call(source, [Call("f")] * 2, stop=lambda index, answer: True)
    assert (result.outcome, len(result.calls)) == (OK, 1)


def test_load_error(plain: Sandbox) -> None:
    result = plain.call("1 / 0\ndef f(): pass", [Call("f")])
    assert (result.outcome, result.calls) == (RunOutcome.RUNTIME_ERROR, ())
    assert result.message == "ZeroDivisionError: division by zero"


def test_load_exit(plain: Sandbox) -> None:
    result = plain.call("def f(): pass\nexit()", [Call("f")])
    assert (result.outcome, result.calls) == (RunOutcome.RUNTIME_ERROR, ())


def test_compile_error(plain: Sandbox) -> None:
    assert plain.call("def", [Call("f")]).outcome is RunOutcome.COMPILE_ERROR


def test_time_limit_is_per_call(plain: Sandbox) -> None:
    source = "import time\ndef f(s):\n  end = time.process_time() + s\n  while time.process_time() < end: pass\n  return s"
    limits = Limits(cpu_s=0.7)
    slow_sum = plain.call(source, [Call("f", [0.2])] * 5, limits=limits)
    assert slow_sum.outcome is OK
    # Calls are sent ahead, so on a busy machine an answer may be read while the next call is under way.
    assert 0.95 < sum(call.cpu_s for call in slow_sum.calls) < 1.4
    too_slow = plain.call(source, [Call("f", [0.1]), Call("f", [5.0]), Call("f", [0.1])], limits=limits)
    assert too_slow.outcome is RunOutcome.TIME_LIMIT
    assert len(too_slow.calls) == 1


def test_sleeping_call_meets_the_wall_limit(plain: Sandbox) -> None:
    result = plain.call("import time\ndef f(): time.sleep(60)", [Call("f")], limits=Limits(wall_s=0.5))
    assert result.outcome is RunOutcome.TIME_LIMIT


def test_a_thread_that_goes_on_does_not_delay_the_end(plain: Sandbox) -> None:
    source = "import threading, time\ndef f():\n  threading.Thread(target=time.sleep, args=(99,)).start()\n  return 1"
    result = plain.call(source, [Call("f")] * 2, limits=Limits(wall_s=90))
    assert [call.value for call in result.calls] == [1, 1]
    assert result.outcome is OK
    assert result.wall_s < 60


@pytest.mark.parametrize("pause", ["", "time.sleep(0.001)"])
def test_an_answer_that_dribbles_in_meets_the_limits(plain: Sandbox, pause: str) -> None:
    body = f"  os.write(3, b'\\0\\xff\\0\\0')\n  while True:\n    os.write(3, b'x')\n    {pause or 'pass'}"
    result = plain.call(
        f"import os, time\ndef f():\n{body}", [Call("f")] * 500, limits=Limits(cpu_s=0.5, wall_s=3)
    )
    assert (result.outcome, result.calls) == (RunOutcome.TIME_LIMIT, ())
    assert result.wall_s < 300


def test_memory_limit_in_a_call(plain: Sandbox) -> None:
    answer = result_of(
        plain, "def f(): return len(bytearray(1 << 31))", limits=Limits(memory_mb=128, stack_mb=0)
    )
    assert answer.outcome is RunOutcome.MEMORY_LIMIT


def test_process_end_in_a_call(plain: Sandbox) -> None:
    result = plain.call(
        "import os\ndef f(n): return os._exit(0) if n else n", [Call("f", [0]), Call("f", [1])]
    )
    assert result.outcome is RunOutcome.RUNTIME_ERROR
    assert result.message == "ended after 1 of 2 calls"
    assert len(result.calls) == 1


def test_an_integer_of_many_digits_comes_back_whatever_the_program_allows(plain: Sandbox) -> None:
    source = (
        "import sys\nsys.set_int_max_str_digits(0)\ndef f(): return 10**5000\ndef g(): return len(str(f()))"
    )
    result = plain.call(source, [Call("f"), Call("g")])
    assert [answer.value for answer in result.calls] == [10**5000, 5001]


def test_large_values(plain: Sandbox) -> None:
    values = list(range(300_000))
    assert result_of(plain, "def f(x): return x[::-1]", values).value == values[::-1]


def test_results_are_capped(plain: Sandbox) -> None:
    result = plain.call("def f(): return 'x' * 10**6", [Call("f")] * 3, limits=Limits(result_bytes=1_500_000))
    assert (result.outcome, len(result.calls)) == (RunOutcome.OUTPUT_LIMIT, 1)


def test_no_calls(plain: Sandbox) -> None:
    assert plain.call("x = 1", []).outcome is OK


def test_numpy_values(numpy_box: Sandbox) -> None:
    numpy = pytest.importorskip("numpy")
    source = "import numpy as np\ndef f(a): return [a.T * 2, np.float32(1.5), a.sum(), a.dtype.str]"
    array = numpy.arange(6).reshape(2, 3)
    result: RunResult = numpy_box.call(source, [Call("f", [array])])
    doubled, scalar, total, dtype = result.calls[0].value
    assert (doubled == array.T * 2).all()
    assert doubled.dtype == array.dtype
    assert (scalar, scalar.dtype, total, dtype) == (1.5, numpy.float32, 15, "<i8")
