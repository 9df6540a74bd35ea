"""Output when nobody reads it any more."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import TextIO

import pytest

from k2eval.system.console import ClosedPipe, Outlet, lose_nothing, terminal


@pytest.fixture
def broken() -> Iterator[TextIO]:
    """A pipe whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        yield stream


def test_a_reader_that_has_gone_ends_the_command(broken: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", broken)
    with pytest.raises(ClosedPipe):
        terminal().print("a line")


def test_what_may_not_be_lost_goes_to_standard_error(
    broken: TextIO, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", broken)
    console = terminal()
    lose_nothing(console)
    console.print("a line")
    console.print("another")
    assert capfd.readouterr().err == "a line\nanother\n"


def test_an_outlet_stays_open_while_its_descriptor_leads_elsewhere() -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream, os.fdopen(reader) as written:
        outlet = Outlet(stream)
        elsewhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(elsewhere, stream.fileno())
        os.close(elsewhere)
        outlet.write("füße\n")
        outlet.close()
        assert written.read() == "füße\n"


def test_in_a_pipe_lines_are_not_broken_to_the_width_of_a_terminal() -> None:
    program = "from k2eval.system.console import terminal; terminal().print('word ' * 30)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert len(result.stdout.splitlines()) == 1
