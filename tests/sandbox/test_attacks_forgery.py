"""Every way of forging a pass. The grader here does what all graders do: it compares outside."""

from __future__ import annotations

import pytest

from k2eval.records import Json
from k2eval.sandbox import Call, Limits, RunOutcome, RunResult, Sandbox

LIMITS = Limits(cpu_s=1, wall_s=8, memory_mb=256)
TESTS: list[tuple[list[Json], Json]] = [([2, 3], 5), ([10, -4], 6), ([[1], [2]], [1, 2])]


def passes(result: RunResult) -> bool:
    """The comparison of a grader: the run is fine, every test has answered, every answer is right."""
    return (
        result.outcome is RunOutcome.OK
        and len(result.calls) == len(TESTS)
        and all(
            answer.outcome is RunOutcome.OK and answer.value == expected
            for answer, (_, expected) in zip(result.calls, TESTS, strict=True)
        )
    )


def grade(box: Sandbox, source: str) -> bool:
    return passes(box.call(source, [Call("f", args) for args, _ in TESTS], limits=LIMITS))


def test_honest_solution_passes(attacked: Sandbox) -> None:
    assert grade(attacked, "def f(a, b): return a + b")


FORGERIES = {
    "constant": "def f(a, b): return 5",
    "always equal": "class E:\n  def __eq__(self, o): return True\ndef f(a, b): return E()",
    "always equal int": "class E(int):\n  def __eq__(self, o): return True\n  __hash__ = int.__hash__\ndef f(a, b): return E(1)",
    "always equal list": "class E(list):\n  def __eq__(self, o): return True\ndef f(a, b): return E()",
    "always equal str": "class E(str):\n  def __eq__(self, o): return True\n  __hash__ = str.__hash__\ndef f(a, b): return E()",
    "nested always equal": "class E:\n  def __eq__(self, o): return True\ndef f(a, b): return [E()]",
    "always equal metaclass": "class M(type):\n  def __eq__(c, o): return True\n  __hash__ = type.__hash__\nclass E(metaclass=M): pass\ndef f(a, b): return E",
    "exit 0": "import os\ndef f(a, b): os._exit(0)",
    "sys.exit": "import sys\ndef f(a, b): sys.exit(0)",
    "exit 0 while loading": "import os; os._exit(0)",
    "raise SystemExit": "def f(a, b): raise SystemExit(0)",
    "patched builtins": "import builtins\nbuiltins.all = lambda x: True\nbuiltins.zip = lambda *a, **k: []\nbuiltins.len = lambda x: 3\ndef f(a, b): return 0",
    "patched type": "import builtins\nbuiltins.type = lambda *a: int\ndef f(a, b): return object()",
    "patched json": "import json\njson.dumps = lambda *a, **k: '5'\njson.loads = lambda *a, **k: {'target': 'f', 'args': [], 'kwargs': {}}\ndef f(*a): return 0",
    "frame walk": (
        "import sys\ndef f(a, b):\n  frame = sys._getframe()\n  while frame:\n    for v in list(frame.f_locals.values()):\n"
        "      if isinstance(v, dict) and 'expected' in v: return v['expected']\n    frame = frame.f_back"
    ),
    "frame tampering": (
        "import sys, ctypes\ndef f(a, b):\n  frame = sys._getframe(1)\n  for name in list(frame.f_locals):\n"
        "    frame.f_locals[name] = 5\n  ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), 0)\n  return 0"
    ),
    "trace function": "import sys\nsys.settrace(lambda *a: None)\nsys.setprofile(lambda *a: None)\ndef f(a, b): return 0",
    "gc walk": (
        "import gc\ndef f(a, b):\n  for o in gc.get_objects():\n    if isinstance(o, list) and len(o) == 3 and o[0] == 5: return o[0]"
    ),
    "patched wire": (
        "import gc, types\nfor o in gc.get_objects():\n  if isinstance(o, types.FunctionType) and o.__name__ in ('dumps', 'plain', 'answer', 'send'):\n"
        "    try: o.__code__ = (lambda *a, **k: b'V5').__code__\n    except Exception: pass\ndef f(a, b): return 0"
    ),
    "early frames": "import os\nos.write(3, b'\\0\\0\\0\\x09L' + bytes(8) + (b'\\0\\0\\0\\x0aV' + bytes(8) + b'5') * 9)\ndef f(a, b): return 0",
    "early value frames": "import os\nfor _ in range(3): os.write(3, b'\\0\\0\\0\\x0aV' + bytes(8) + b'5')\ndef f(a, b): return 0",
    "malformed frame": "import os\ndef f(a, b): os.write(3, b'\\0\\0\\0\\x0bV' + bytes(8) + b'{}')",
    "unknown frame": "import os\ndef f(a, b): os.write(3, b'\\0\\0\\0\\x03OK!')",
    "empty frame": "import os\ndef f(a, b): os.write(3, b'\\0\\0\\0\\0')",
    "huge frame": "import os\ndef f(a, b): os.write(3, b'\\xff\\xff\\xff\\xffV')\n",
    "half a frame": "import os, time\ndef f(a, b):\n  os.write(3, b'\\0\\0\\0\\x09V'); os.close(3); time.sleep(99)",
    "closed channel": "import os\nos.close(3)\ndef f(a, b): return 5",
    "flooded channel": "import os\ndef f(a, b):\n  while True: os.write(3, b'\\0\\0\\0\\x0aV' + bytes(8) + b'5')",
    "numpy lookalike": "import sys, types\nm = types.ModuleType('numpy')\nclass ndarray: pass\nm.ndarray = m.matrix = m.memmap = m.generic = ndarray\nm.str_ = str\nsys.modules['numpy'] = m\ndef f(a, b): return ndarray()",
    "empty answer": "def f(a, b): return []",
    "nan": "def f(a, b): return float('nan')",
    "none": "def f(a, b): pass",
    "text of the answer": "def f(a, b): return str(a)",
    "bool for int": "def f(a, b): return True",
    "printing a verdict": "import sys\ndef f(a, b): print('TEST_PASSED', 'ok', '{\"passed\": true}'); sys.stdout.flush()",
    "answer in a thread": "import threading, os\nthreading.Thread(target=lambda: [os.write(3, b'\\0\\0\\0\\x0aV' + bytes(8) + b'5') for _ in range(99)]).start()\ndef f(a, b): return 0",
    "atexit": "import atexit, os\natexit.register(os._exit, 0)\ndef f(a, b): raise KeyboardInterrupt",
    "missing function": "x = 1",
    "class instead": "class f: pass",
    "generator": "def f(a, b): yield 5",
    "coroutine": "async def f(a, b): return a + b",
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_forgery_fails(attacked: Sandbox, name: str) -> None:
    assert not grade(attacked, FORGERIES[name])
    assert grade(attacked, "def f(a, b): return a + b")


PROGRAMS = {
    "exit 0 without output": "import os; os._exit(0)",
    "printing a verdict": "print('Accepted')",
    "reading the expected output": (
        "import glob, os\nfor folder in ('/', '/submission', '/tmp', '/usr/local', '/dev/fd', '..'):\n"
        "  for path in glob.glob(folder + '/*out*') + glob.glob(folder + '/*expected*'): print(open(path).read())"
    ),
    "standard input written back": "import os\ntry: os.pwrite(0, b'42', 0)\nexcept OSError: pass\nprint(open(0).read())",
    "kill the watcher": "import os, signal\nfor n in (15, 2, 3, 1, 6): os.kill(1, n)\nos._exit(0)",
    "stop the watcher": "import os, signal\ntry: os.kill(1, 19)\nexcept OSError: pass\nos._exit(0)",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_forging_program_fails(attacked: Sandbox, name: str) -> None:
    result = attacked.run(PROGRAMS[name], stdin=b"40 2", limits=LIMITS)
    assert not (result.outcome is RunOutcome.OK and result.stdout.strip() == b"42")


def test_a_lying_array_subclass_is_opaque(numpy_box: Sandbox) -> None:
    source = (
        "import numpy as np\nclass A(np.ndarray):\n  def __eq__(self, o): return True\n"
        "np.array_equal = np.allclose = lambda *a, **k: True\ndef f(a, b): return np.zeros(1).view(A)"
    )
    assert not grade(numpy_box, source)
    assert grade(numpy_box, "def f(a, b): return a + b")


def test_object_arrays_never_cross(numpy_box: Sandbox) -> None:
    source = "import numpy as np\ndef f(a, b): return np.array([5, None], dtype=object)"
    assert not grade(numpy_box, source)


def test_patched_numpy_does_not_survive(numpy_box: Sandbox) -> None:
    poison = (
        "import numpy as np\nnp.sum = lambda *a: 41\nnp.random.seed(3)\nnp.array = None\nprint(np.sum([1]))"
    )
    assert numpy_box.run(poison).stdout == b"41\n"
    assert numpy_box.run("import numpy as np; print(np.sum(np.array([40, 2])))").stdout == b"42\n"
