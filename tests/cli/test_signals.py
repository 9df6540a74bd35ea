"""Signals to commands other than `run`: no traceback, and nothing half written stays behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

WRITING = """
import sys, time
from pathlib import Path
from k2eval.cli import app
from k2eval.system import replacing

def write(prog_name):
    with replacing(Path(sys.argv[1])) as temporary:
        temporary.write_text("half")
        print("ready", flush=True)
        time.sleep(60)

app.app = write
app.main()
"""
IMPORTING = """
import os, signal, sys

class Finder:
    def find_spec(self, name, path, target=None):
        if name == "k2eval.cli":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
from k2eval.__main__ import main
main()
"""


def test_a_command_that_is_told_to_end_removes_its_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("whole")
    command = [sys.executable, "-c", WRITING, str(tmp_path / "table.csv")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(240) == 128 + signal.SIGTERM
        assert process.stderr.read() == b""
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
    assert (tmp_path / "table.csv").read_text() == "whole"


def test_ctrl_c_during_the_imports_is_no_traceback() -> None:
    ended = subprocess.run([sys.executable, "-c", IMPORTING], capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (-signal.SIGINT, b"")
