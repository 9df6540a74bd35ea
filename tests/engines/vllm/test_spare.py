"""A spare that imports small modules: it becomes whatever `multiprocessing` spawns."""

import multiprocessing
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from k2eval.engines.vllm import spare as module
from k2eval.engines.vllm.spare import Spare, begin_ahead, end_spare, take_spare


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("VLLM_LOGGING_LEVEL", "INFO")  # as it is when vLLM starts


@pytest.fixture
def spare() -> Iterator[Spare]:
    made = Spare("1", ["colorsys"])
    yield made
    made.close()


def about(sending: Any, names: list[str]) -> None:
    sending.send(
        (os.getpid(), {name: os.environ.get(name) for name in names}, "colorsys" in sys.modules, os.getcwd())
    )
    print("a line of the process")


def spawned(spare: Spare, names: list[str] = []) -> Any:  # noqa: B006
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe()
    with spare.takes_next():
        process = context.Process(target=about, args=(sending, names))
        process.start()
    sending.close()
    told = receiving.recv()
    process.join()
    assert process.exitcode == 0
    return told


def test_it_becomes_the_next_process(spare: Spare) -> None:
    pid, _, imported, folder = spawned(spare)
    assert (pid, imported, folder) == (spare.pid, True, os.getcwd())
    assert not spare.is_waiting


def test_it_has_the_environment_of_the_moment(spare: Spare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SETTING", "late")
    monkeypatch.delenv("HOME", raising=False)
    assert spawned(spare, ["A_SETTING", "HOME"])[:2] == (spare.pid, {"A_SETTING": "late", "HOME": None})


def test_it_writes_where_this_process_writes(spare: Spare, capfd: pytest.CaptureFixture[str]) -> None:
    spawned(spare)
    assert "a line of the process" in capfd.readouterr().out


def test_a_variable_that_is_read_while_loading_makes_it_unlike_and_is_known_the_next_time(
    spare: Spare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOMP_SPINCOUNT", "5")
    pid, environment, *_ = spawned(spare, ["GOMP_SPINCOUNT"])
    assert pid != spare.pid
    assert environment == {"GOMP_SPINCOUNT": "5"}
    monkeypatch.delenv("GOMP_SPINCOUNT")
    second = Spare("1", ["colorsys"])
    monkeypatch.setenv("GOMP_SPINCOUNT", "5")
    assert spawned(second)[0] == second.pid


def test_a_module_that_adds_to_a_variable_when_it_is_imported_does_not_make_it_unlike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "LD_LIBRARY_PATH"
    (tmp_path / "adds.py").write_text(
        f"import os\nos.environ['{name}'] = '/x:' + os.environ.get('{name}', '')"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv(name, "/x:")  # as this process has it once it has imported the module
    spare = Spare("1", ["adds", "colorsys"])
    assert spawned(spare)[0] == spare.pid


def test_what_was_learned_of_another_version_does_not_count(
    spare: Spare, monkeypatch: pytest.MonkeyPatch
) -> None:
    spare._learned.learn({"GOMP_SPINCOUNT": "5"})
    assert module._Learned("1").variables() == {"GOMP_SPINCOUNT": "5"}
    assert module._Learned("2").variables() == {}


def test_what_is_learned_stands_beside_what_was_known_until_it_is_no_longer_so(spare: Spare) -> None:
    """Else two variables would take turns, and no spare would ever do."""
    spare._learned.learn({"OMP_NUM_THREADS": "2", "MKL_SETTING": "a"})
    spare._learned.learn({"GOMP_SPINCOUNT": "5", "MKL_SETTING": None})
    assert module._Learned("1").variables() == {"OMP_NUM_THREADS": "2", "GOMP_SPINCOUNT": "5"}


def test_a_library_that_is_gone_is_not_preloaded(spare: Spare) -> None:
    spare._learned.learn({"LD_PRELOAD": "/gone/libgomp.so"})
    assert module._Learned("1").variables() == {}


def test_files_that_libraries_keep_open_are_not_in_the_way_of_what_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "opens_files.py").write_text("kept = [open('/dev/null') for _ in range(40)]")
    monkeypatch.syspath_prepend(str(tmp_path))
    spare = Spare("1", ["opens_files", "colorsys"])
    assert spawned(spare)[0] == spare.pid


def test_a_spare_that_has_died_is_replaced_by_a_fresh_process(spare: Spare) -> None:
    os.kill(spare.pid, 9)
    assert spawned(spare)[0] != spare.pid


def test_an_order_that_breaks_off_is_none() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        with ours:
            ours.sendall((100).to_bytes(8, "big") + b'{"environment"')
        assert module._order(theirs) == (None, [])


def test_a_spare_that_nobody_takes_ends() -> None:
    begin_ahead()
    begin_ahead()
    [waiting] = module._waiting
    end_spare()
    assert take_spare() is None
    time.sleep(0.01)
    with pytest.raises(ProcessLookupError):
        os.kill(waiting.pid, 0)
