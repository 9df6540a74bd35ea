"""Programs behave as they would with a real interpreter and a real standard input."""

from __future__ import annotations

import pytest

from k2eval.sandbox import Limits, RunOutcome, Sandbox

OK = RunOutcome.OK

PROGRAMS = {
    "input": ("print(int(input()) + int(input()))", b"1\n2\n", b"3\n"),
    "input without a final newline": ("print(input() + '!')", b"a", b"a!\n"),
    "stdin read": ("import sys; print(len(sys.stdin.read()))", b"abc\n", b"4\n"),
    "stdin readline": ("import sys; r = sys.stdin.readline; print(r(), r(), end='')", b"a\nb\n", b"a\n b\n"),
    "stdin buffer": ("import sys; print(sum(map(int, sys.stdin.buffer.read().split())))", b"1 2 3", b"6\n"),
    "stdin buffer readline": ("import sys; r = sys.stdin.buffer.readline; print(r() + r())", b"a\nb\n", b"b'a\\nb\\n'\n"),
    "stdin lines": ("import sys\nfor line in sys.stdin: print(line.strip()[::-1])", b"ab\ncd\n", b"ba\ndc\n"),
    "stdin readlines": ("import sys; print(sys.stdin.readlines())", b"1\n2\n", b"['1\\n', '2\\n']\n"),
    "open(0)": ("print(open(0).read().split())", b"1 2", b"['1', '2']\n"),
    "open(0) lines": ("print(*map(int, open(0)))", b"1\n2\n", b"1 2\n"),
    "os.read": ("import os; print(os.read(0, 100))", b"xyz", b"b'xyz'\n"),
    "os.fstat of stdin": ("import os, io; print(io.BytesIO(os.read(0, os.fstat(0).st_size)).readline())", b"q\n", b"b'q\\n'\n"),
    "/dev/stdin": ("print(open('/dev/stdin').read())", b"7", b"7\n"),
    "end of file": ("try: input()\nexcept EOFError: print('end')", b"", b"end\n"),
    "os.write": ("import os; os.write(1, b'w')", b"", b"w"),
    "stdout buffer": ("import sys; sys.stdout.buffer.write(b'\\xff')", b"", b"\xff"),
    "stdout write": ("import sys; sys.stdout.write('x')", b"", b"x"),
    "stdout replaced": ("import sys, io; sys.stdout = open(1, 'w'); print(5)", b"", b"5\n"),
    "stringio swap": ("import sys, io\nold = sys.stdout; sys.stdout = io.StringIO(); print(1)\nold.write(sys.stdout.getvalue())", b"", b"1\n"),
    "unflushed file on descriptor 1": ("out = open(1, 'w', closefd=False)\nout.write('5')", b"", b"5"),
    "unflushed binary writer": ("import io\nout = io.BufferedWriter(io.FileIO(1, 'w'))\nout.write(b'5')", b"", b"5"),
    "stdout rewrapped": ("import sys, io\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer, write_through=False)\nprint(5)", b"", b"5\n"),
    "stdout reconfigured": ("import sys\nsys.stdout.reconfigure(encoding='latin-1'); print(chr(233))", b"", b"\xe9\n"),
    "fast output": (
        "import io, os, sys\nclass FastIO(io.IOBase):\n  def __init__(self): self.buffer = io.BytesIO(); self.write = self.buffer.write\n"
        "  def flush(self): os.write(1, self.buffer.getvalue()); self.buffer.truncate(0); self.buffer.seek(0)\n"
        "class Wrapper(io.IOBase):\n  def __init__(self): self.buffer = FastIO(); self.flush = self.buffer.flush\n"
        "  def write(self, s): self.buffer.write(s.encode())\nsys.stdout = Wrapper()\nprint(5)", b"", b"5\n"),
    "stdout closed": ("import sys\nprint(5); sys.stdout.close()", b"", b"5\n"),
    "unicode": ("print(input())", "naïve ∑\n".encode(), "naïve ∑\n".encode()),
    "atexit": ("import atexit; atexit.register(print, 'bye'); print('hi')", b"", b"hi\nbye\n"),
    "exit": ("print(1); exit(); print(2)", b"", b"1\n"),
    "quit": ("print(1); quit(); print(2)", b"", b"1\n"),
    "sys.exit": ("import sys; print(1); sys.exit(0)", b"", b"1\n"),
    "sys.exit in function": ("import sys\ndef main():\n  print(1)\n  sys.exit()\nmain()", b"", b"1\n"),
    "raise SystemExit": ("print(1)\nraise SystemExit", b"", b"1\n"),
    "os._exit": ("import os, sys; print(1); sys.stdout.flush(); os._exit(0)", b"", b"1\n"),
    "main guard": ("def main(): print('m')\nif __name__ == '__main__': main()", b"", b"m\n"),
    "main guard not last": ("if __name__ == '__main__':\n  x = 1\nprint(x)", b"", b"1\n"),
    "globals": ("count = 0\ndef f():\n  global count\n  count += 1\nf(); f(); print(count, 'count' in globals())", b"", b"2 True\n"),
    "future import": ("from __future__ import annotations\ndef f(x: Undefined): return x\nprint(f(1))", b"", b"1\n"),
    "docstring and coding": ("# -*- coding: utf-8 -*-\n'''doc'''\nprint(__doc__)", b"", b"doc\n"),
    "import main": ("import __main__; x = 3; print(__main__.x)", b"", b"3\n"),
    "argv and file": ("import sys, os; print(len(sys.argv), os.path.exists(__file__))", b"", b"1 True\n"),
    "own source": ("print(open(__file__).read()[:5])", b"", b"print\n"),
    "threads": ("import threading\nt = threading.Thread(target=lambda: print('t')); t.start(); t.join()", b"", b"t\n"),
    "thread outlives main": ("import threading, time\nthreading.Thread(target=lambda: (time.sleep(.05), print('t'))).start()", b"", b"t\n"),
    "daemon thread dies": ("import threading, time\nthreading.Thread(target=time.sleep, args=(99,), daemon=True).start()\nprint(1)", b"", b"1\n"),
    "thread pool": ("from concurrent.futures import ThreadPoolExecutor as E\nwith E(4) as e: print(sum(e.map(abs, range(9))))", b"", b"36\n"),
    "big thread stack": (
        "import sys, threading\nsys.setrecursionlimit(10**6); threading.stack_size(1 << 27)\n"
        "def f(n): return 0 if n == 0 else 1 + f(n - 1)\n"
        "t = threading.Thread(target=lambda: print(f(10**5))); t.start(); t.join()", b"", b"100000\n"),
    "very big thread stack": (
        "import sys, threading\nsys.setrecursionlimit(10**9); threading.stack_size(512 * 1024 * 1024)\n"
        "t = threading.Thread(target=lambda: print(input())); t.start(); t.join()", b"x", b"x\n"),
    "recursion": ("import sys\nsys.setrecursionlimit(10**6)\ndef f(n): return 0 if n == 0 else 1 + f(n - 1)\nprint(f(200000))", b"", b"200000\n"),
    "recursion through C": (
        "import sys, functools\nsys.setrecursionlimit(10**6)\n@functools.lru_cache(None)\n"
        "def f(n): return 0 if n == 0 else 1 + f(n - 1)\nprint(f(100000))", b"", b"100000\n"),
    "recursion error": ("def f(): f()\ntry: f()\nexcept RecursionError: print('deep')", b"", b"deep\n"),
    "setrlimit stack": ("import resource\nresource.setrlimit(resource.RLIMIT_STACK, (1 << 28, resource.getrlimit(3)[1]))\nprint(1)", b"", b"1\n"),
    "asyncio": ("import asyncio\nasync def main():\n  await asyncio.sleep(.01)\n  return 5\nprint(asyncio.run(main()))", b"", b"5\n"),
    "asyncio thread": ("import asyncio\nasync def main(): return await asyncio.to_thread(lambda: 6)\nprint(asyncio.run(main()))", b"", b"6\n"),
    "signals": ("import signal\nsignal.signal(signal.SIGALRM, lambda *a: print('alarm'))\nsignal.setitimer(signal.ITIMER_REAL, .01)\nsignal.pause()", b"", b"alarm\n"),
    "files": ("open('a.txt', 'w').write('z')\nprint(open('a.txt').read())", b"", b"z\n"),
    "tempfile": ("import tempfile\nwith tempfile.TemporaryFile() as f: f.write(b'1'); f.seek(0); print(f.read())", b"", b"b'1'\n"),
    "dataclass": ("from dataclasses import dataclass\n@dataclass\nclass A:\n  x: int = 1\nprint(A())", b"", b"A(x=1)\n"),
    "pickle": ("import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))).__name__)", b"", b"A\n"),
    "late imports": ("import sqlite3, ssl, hashlib, zlib, bz2, lzma, ctypes, uuid, csv, xml.dom.minidom\nprint(hashlib.md5(b'').hexdigest()[:4])", b"", b"d41d\n"),
    "del that needs names": (
        "class A:\n  def __del__(self): print(sum(values))\nvalues = [4, 5]\na = A()",
        b"",
        b"9\n",
    ),
    "del at exit": ("class A:\n  def __del__(self): print('gone')\na = A()\nprint('end')", b"", b"end\ngone\n"),
    "unraised in thread": ("import threading\ndef f(): raise ValueError\nt = threading.Thread(target=f); t.start(); t.join(); print(1)", b"", b"1\n"),
    "help and license names": ("print(callable(help), callable(exit), callable(quit))", b"", b"True True True\n"),
    "environment": ("import os; print(sorted(os.environ))", b"", b"['HOME', 'LANG', 'PATH']\n"),
    "generator with output": ("for i in range(3): print(i, end=' ', flush=True)", b"", b"0 1 2 "),
    "stderr does not matter": ("import sys; print('log', file=sys.stderr); print(1)", b"", b"1\n"),
    "fileinput": ("import fileinput\nfor line in fileinput.input(): print(line.strip())", b"a\nb\n", b"a\nb\n"),
    "large integers": ("import sys\nsys.set_int_max_str_digits(0)\nprint(len(str(2 ** 20000)))", b"", b"6021\n"),
    "eval and exec": ("exec('y = 1'); print(eval('y + 1'))", b"", b"2\n"),
    "class scope": ("class Solution:\n  def f(self): return 1\nprint(Solution().f())", b"", b"1\n"),
    "select": ("import select, os\nr, w = os.pipe(); os.write(w, b'1'); print(select.select([r], [], [], 1)[0] == [r])", b"", b"True\n"),
    "random after seed": ("import random; random.seed(1); print(random.randint(0, 9))", b"", b"2\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_behaves_as_outside(plain: Sandbox, name: str) -> None:
    source, stdin, expected = PROGRAMS[name]
    result = plain.run(source, stdin=stdin)
    assert (result.outcome, result.stdout) == (OK, expected), result


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("import sys; sys.exit(3)", 3),
        ("exit('text')", 1),
        ("raise SystemExit(False)", 0),
        ("1/0", 1),
        ("exit(256)", 0),
    ],
)
def test_exit_status(plain: Sandbox, source: str, code: int) -> None:
    result = plain.run(source)
    assert result.exit_code == code
    assert (result.outcome is OK) == (code == 0)


def test_traceback_shows_only_the_program(plain: Sandbox) -> None:
    stderr = plain.run("def f():\n    return 1 / 0\nf()").stderr.decode()
    assert stderr.startswith(
        'Traceback (most recent call last):\n  File "/submission/main.py", line 3, in <module>'
    )
    assert "    return 1 / 0\n" in stderr
    assert stderr.endswith("ZeroDivisionError: division by zero\n")
    assert "sandbox" not in stderr


def test_message_is_the_last_line_of_the_traceback(plain: Sandbox) -> None:
    assert plain.run("raise ValueError('no')").message == "ValueError: no"


@pytest.mark.parametrize(
    "source", ["def", "x = = 1", "\tx\n  y", "print('\x00')", "(" * 300, "\udcff", "return 1"]
)
def test_compile_error(plain: Sandbox, source: str) -> None:
    result = plain.run(source)
    assert result.outcome is RunOutcome.COMPILE_ERROR
    assert result.message


def test_crlf_source_and_input(plain: Sandbox) -> None:
    result = plain.run("if True:\r\n    print(input())\r\n", stdin=b"a\r\nb\r\n")
    assert result.stdout == b"a\n"


def test_large_input_and_output(plain: Sandbox) -> None:
    data = b"x" * 5_000_000 + b"\n"
    result = plain.run("import sys; sys.stdout.write(sys.stdin.read())", stdin=data)
    assert result.stdout == data


def test_measures(plain: Sandbox) -> None:
    result = plain.run("x = bytearray(100 << 20)\nimport time\nwhile time.process_time() < 0.2: pass")
    assert 0.19 < result.cpu_s < 2
    assert result.wall_s >= 0.1
    assert 100 << 20 < result.peak_memory_bytes < 200 << 20


def test_sleeping_uses_no_cpu(plain: Sandbox) -> None:
    result = plain.run("import time; time.sleep(0.5)", limits=Limits(cpu_s=0.3))
    assert result.outcome is OK
    assert result.wall_s >= 0.5
