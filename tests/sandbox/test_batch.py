from __future__ import annotations

import pytest

from k2eval.sandbox import Limits, RunOutcome, RunResult, Sandbox


def test_one_result_an_input_in_order(plain: Sandbox) -> None:
    results = plain.run_batch("print(int(input()) ** 2)", [b"%d\n" % n for n in range(5)])
    assert [result.stdout for result in results] == [b"0\n", b"1\n", b"4\n", b"9\n", b"16\n"]


def test_no_inputs_no_results(plain: Sandbox) -> None:
    assert plain.run_batch("print(1)", []) == []


def test_every_run_is_fresh(plain: Sandbox) -> None:
    source = (
        "import os, sys, builtins, random\n"
        "print(sorted(os.listdir('.')), hasattr(builtins, 'seen'), 'seen' in globals(), random.random())\n"
        "builtins.seen = seen = 1\nopen('left', 'w').write('x')\nsys.modules['math'] = None\nrandom.seed(7)"
    )
    first, *others = plain.run_batch(source, [b""] * 4)
    assert first.outcome is RunOutcome.OK
    assert all(other.stdout == first.stdout for other in others)
    assert first.stdout.startswith(b"[] False False")


def test_scratch_attributes_do_not_survive(plain: Sandbox) -> None:
    source = "import os\ns = os.stat('.')\nprint(oct(s.st_mode), os.listdir('.'))\nos.utime('.', (1, 1)); os.chmod('.', 0o711)"
    outputs = {result.stdout for result in plain.run_batch(source, [b""] * 3)}
    assert outputs == {b"0o40700 []\n"}


def test_stop_is_asked_outside_after_every_run(plain: Sandbox) -> None:
    seen = []

    def stop(index: int, result: RunResult) -> bool:
        seen.append((index, result.stdout))
        return index == 1

    results = plain.run_batch("print(input())", [b"a", b"b", b"c"], stop=stop)
    assert seen == [(0, b"a\n"), (1, b"b\n")]
    assert len(results) == 2
    assert plain.run("print(1)").stdout == b"1\n"


def test_failures_do_not_end_the_batch(plain: Sandbox) -> None:
    source = (
        "n = int(input())\nif n == 1: 1 / 0\nwhile n == 2: pass\nif n == 3: import os; os.abort()\nprint(n)"
    )
    results = plain.run_batch(source, [b"%d" % n for n in range(6)], limits=Limits(cpu_s=0.3))
    assert [str(result.outcome) for result in results] == [
        *("ok", "runtime_error", "time_limit", "runtime_error", "ok", "ok"),
    ]
    assert results[3].signal == 6


def test_compile_error_is_the_result_of_every_run(plain: Sandbox) -> None:
    results = plain.run_batch("def", [b"", b""])
    assert [result.outcome for result in results] == [RunOutcome.COMPILE_ERROR] * 2


def test_an_exception_in_stop_leaves_the_box_usable(plain: Sandbox) -> None:
    def stop(index: int, result: RunResult) -> bool:
        raise KeyError

    with pytest.raises(KeyError):
        plain.run_batch("print(1)", [b"", b""], stop=stop)
    assert plain.run("print(2)").stdout == b"2\n"
