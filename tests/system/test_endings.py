"""Signals end a process wherever it is, and leave nothing behind; functions that hang are named."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from k2eval.system import told, watched_loop

PLACES = {
    "plain code": "while True: time.sleep(0.01); os.kill(os.getpid(), number)",
    "__del__": """
class Thing:
    def __del__(self):
        os.kill(os.getpid(), number)
        time.sleep(5)

thing = Thing()
del thing
time.sleep(60)
""",
    "callback of a weak reference": """
import weakref

class Thing: pass

def called(_):
    os.kill(os.getpid(), number)
    time.sleep(5)

thing = Thing()
reference = weakref.ref(thing, called)
del thing
time.sleep(60)
""",
    "except": """
while True:
    try:
        os.kill(os.getpid(), number)
        time.sleep(60)
    except BaseException:
        pass
""",
}
PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from k2eval.system import heed_signals, replacing, temporary_folder

number = int(sys.argv[1])
heed_signals()
with replacing(Path(sys.argv[2])) as temporary, temporary_folder():
    temporary.write_text("half")
    CODE
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("place", PLACES)
def test_a_signal_is_heeded_wherever_it_comes(tmp_path: Path, place: str, number: signal.Signals) -> None:
    code = PROGRAM.replace("CODE", PLACES[place].strip().replace("\n", "\n    "))
    (tmp_path / "tmp").mkdir()
    ended = subprocess.run(
        [sys.executable, "-c", code, str(int(number)), str(tmp_path / "table.csv")],
        capture_output=True,
        check=False,
        timeout=240,
        env={"TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": ":".join(sys.path)},
    )
    assert (ended.returncode, ended.stderr) == (128 + number, b"")
    assert [path.name for path in tmp_path.iterdir()] == ["tmp"]
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_function_in_c_that_keeps_the_interpreter_is_named_and_ended_by_sigquit() -> None:
    code = (
        "from k2eval.system import heed_signals; heed_signals()\n"
        "def stuck(): return sum(range(10**13))\n"
        "print('now', flush=True); stuck()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None and started.stdout.readline() == "now\n"
        time.sleep(0.3)
        started.send_signal(signal.SIGINT)  # which Python does not heed now
        with pytest.raises(subprocess.TimeoutExpired):
            started.wait(0.3)
        started.send_signal(signal.SIGQUIT)
        _, words = started.communicate(timeout=240)
    assert started.returncode == -signal.SIGQUIT
    assert "in stuck" in words


def test_a_signal_that_the_starter_wants_ignored_is_ignored() -> None:
    code = "import os, signal; from k2eval.system import heed_signals; heed_signals(); os.kill(os.getpid(), signal.SIGHUP)"
    ended = subprocess.run(
        ["nohup", sys.executable, "-c", code], capture_output=True, check=False, stdin=subprocess.DEVNULL
    )
    assert ended.returncode == 0


def never_returns(event: threading.Event) -> None:
    event.wait(20)


def test_a_function_that_does_not_return_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    event = threading.Event()
    said: list[str] = []
    threading.Timer(0.5, event.set).start()
    with told("adapter own:rows", every_s=0.1):
        never_returns(event)
    said = capsys.readouterr().err.splitlines()
    assert "still waiting for adapter own:rows, since " in said[0]
    assert "wait (" in said[0] and "Ctrl-C ends it" in said[0]
    assert len(said) < 8


async def test_a_loop_that_stands_still_is_told_with_the_function_that_holds_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with watched_loop(every_s=0.1):
        time.sleep(0.6)
    [first, *_] = capsys.readouterr().err.splitlines()
    assert "everything waits for test_a_loop_that_stands_still" in first and "test_endings.py" in first
