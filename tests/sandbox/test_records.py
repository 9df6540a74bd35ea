from __future__ import annotations

import struct

import numpy as np
import pytest
from scipy import sparse

from k2eval.sandbox import Limits, Opaque, RunOutcome, RunResult, Sandbox

OK = RunOutcome.OK
DEFAULT = Limits()
FRAME = "import os, struct\ndef frame(data): os.write(3, struct.pack('>I', len(data)) + data)\n"


def test_emitted_values_in_order(plain: Sandbox) -> None:
    result = plain.record("def f(x): return x * 2", "emit(f(1)); emit([f('a'), (1,)])")
    assert (result.outcome, result.records) == (OK, (2, ["aa", (1,)]))


def test_driver_sees_inputs_and_names(plain: Sandbox) -> None:
    result = plain.record("y = 5", "emit(x + y)", inputs={"x": 10**5000})
    assert result.records == (10**5000 + 5,)


def test_submission_does_not_see_the_inputs_while_it_loads(plain: Sandbox) -> None:
    assert plain.record("seen = 'x' in globals()", "emit(seen)", inputs={"x": 1}).records == (False,)


def test_a_record_is_a_copy_of_that_moment(plain: Sandbox) -> None:
    assert plain.record("a = [1]", "emit(a); a.append(2); emit(a)").records == ([1], [1, 2])


def test_records_before_a_failure_are_kept(plain: Sandbox) -> None:
    result = plain.record("", "emit(1)\nraise ValueError('x')")
    assert (result.outcome, result.records, result.message) == (
        RunOutcome.RUNTIME_ERROR,
        (1,),
        "ValueError: x",
    )


def test_early_exit_emits_nothing(plain: Sandbox) -> None:
    result = plain.record("import sys; sys.exit(0)", "emit(1)")
    assert (result.outcome, result.records) == (OK, ())


def test_main_guard_runs(plain: Sandbox) -> None:
    assert plain.record("if __name__ == '__main__': n = 3", "emit(n)").records == (3,)


def test_errors_of_submission_and_driver_are_told_apart(plain: Sandbox) -> None:
    assert b"/submission/main.py" in plain.record("1 / 0", "").stderr
    assert b"<driver>" in plain.record("", "1 / 0").stderr


def test_numpy_and_scipy_values(scientific: Sandbox) -> None:
    driver = (
        "import numpy as np\nfrom scipy import sparse\n"
        "emit(a @ a); emit(np.float32(2)); emit(np.array(['x', 'yy'])); emit(np.array([True, False]))\n"
        "emit({'m': s * 2, 't': (np.zeros((0, 3)), 1j)}); emit(np.array([object()])); emit(np.matrix([[1]]))\n"
        "emit(np.longdouble(1)); emit(np.arange(4, dtype='>i4'))"
    )
    inputs = {"a": np.array([[1.0, 2.0], [3.0, 4.0]]), "s": sparse.csr_matrix(np.eye(3))}
    result = scientific.record("", driver, inputs=inputs)
    assert result.outcome is OK, result
    product, scalar, text, flags, nested, opaque, matrix, long, swapped = result.records
    assert product.dtype == np.float64
    assert np.array_equal(product, inputs["a"] @ inputs["a"])
    assert product.flags.writeable
    assert scalar.dtype == np.float32
    assert text.tolist() == ["x", "yy"]
    assert flags.tolist() == [True, False]
    assert nested["m"].format == "csr"
    assert (nested["m"].toarray() == 2 * np.eye(3)).all()
    assert nested["t"][0].shape == (0, 3)
    assert nested["t"][1] == 1j
    assert isinstance(opaque, Opaque)
    assert matrix.tolist() == [[1]]
    assert long == 1.0
    assert swapped.tolist() == [0, 1, 2, 3]


def test_mutated_arguments_can_be_recorded(numpy_box: Sandbox) -> None:
    result = numpy_box.record("def f(a): a *= 2", "f(a); emit(a)", inputs={"a": np.ones(3)})
    assert result.records[0].tolist() == [2, 2, 2]


def forge(box: Sandbox, payload: str, limits: Limits = DEFAULT) -> RunResult:
    return box.record(FRAME + payload, "emit(1)", limits=limits)


@pytest.mark.parametrize(
    "payload",
    [
        "frame(b'')",
        "frame(b'{')",
        "frame(b'[' * 100000)",
        "frame(b'[' * 900 + b']' * 900)",
        'frame(b\'{"tuple": [1], "list": []}\')',
        'frame(b\'{"int": "zz"}\')',
        "frame(b'{\"int\": \"' + b'f' * 2000000 + b'\"}')",
        "frame(b'9' * 5000)",
        "frame(b'{\"dict\": [[[], 1]]}')",
        'frame(b\'{"ndarray": ["|O", [1], "AAAAAAAAAAA="]}\')',
        'frame(b\'{"ndarray": ["<f8", [1000000000], ""]}\')',
        'frame(b\'{"ndarray": ["<f8", [-1], "AAAAAAAAAAA="]}\')',
        'frame(b\'{"ndarray": ["<U1", [1], "/////w=="]}\')',
        'frame(b\'{"ndarray": ["<M8[s]", [1], "AAAAAAAAAAA="]}\')',
        'frame(b\'{"pickle": "x"}\')',
        "frame(b'{\"range\": [0, 1000000000000, 1]}')",
        "frame(b'{\"set\": [' + b','.join(b'%d' % (n * (2 ** 61 - 1)) for n in range(50000)) + b']}')",
        "frame(b'[' + b'[],' * 5000000 + b'1]')",
        "frame(b'\\xff\\xfe')",
        "os.write(3, b'\\x00\\x00')",
        "os.write(3, struct.pack('>I', 2 ** 32 - 1))",
        "os.ftruncate(3, 1 << 20)",
    ],
)
def test_malformed_records_are_a_violation(plain: Sandbox, payload: str) -> None:
    result = forge(plain, payload)
    assert result.outcome is RunOutcome.VIOLATION, result.records
    assert result.message.startswith("malformed record")


def test_forged_records_are_claims_like_all_others(plain: Sandbox) -> None:
    assert forge(plain, "frame(b'[5]')").records == ([5], 1)


def test_records_are_capped(plain: Sandbox) -> None:
    result = plain.record("", "while True: emit('x' * 10000)", limits=Limits(result_bytes=1 << 20))
    assert (result.outcome, result.records) == (RunOutcome.OUTPUT_LIMIT, ())


def test_output_cap_holds_beside_a_larger_result_cap(plain: Sandbox) -> None:
    limits = Limits(output_bytes=1000, result_bytes=1 << 20)
    assert plain.record("", "print('x' * 2000)", limits=limits).outcome is RunOutcome.OUTPUT_LIMIT


def test_frames_are_what_the_documentation_says(plain: Sandbox) -> None:
    data = b'{"tuple": [1, {"int": "0x10"}]}'
    source = f"import os; os.write(3, {struct.pack('>I', len(data)) + data!r})"
    assert plain.record(source, "").records == ((1, 16),)
