import json
import os
import stat
from pathlib import Path

import pytest

from k2eval.engines.served.states import path_of, read_states, states_folder, write_state
from k2eval.errors import EngineError
from tests.engines.served.conftest import KEY, scripted, state_of


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_this_user_can_read_a_state_file(folder: Path) -> None:
    write_state(state_of(scripted()))
    assert (mode(folder), mode(path_of(os.getpid()))) == (0o700, 0o600)
    assert KEY in path_of(os.getpid()).read_text()


def test_a_folder_that_was_open_to_all_is_closed(folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    assert mode(states_folder()) == 0o700


def test_a_link_in_place_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    folder.parent.mkdir(parents=True)
    folder.symlink_to(tmp_path)
    with pytest.raises(EngineError, match="no folder of this user's own"):
        states_folder()


def test_a_runtime_folder_of_this_users_own_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert states_folder() == tmp_path / "k2eval" / "servers"


def test_states_are_read_as_they_were_written() -> None:
    state = state_of(scripted(), url="http://127.0.0.1:1/v1")
    write_state(state)
    assert read_states() == [state]


@pytest.mark.parametrize("gone", [{"began": 1.0}, {"boot": "an earlier one"}])
def test_the_state_of_a_process_that_is_gone_is_removed(gone: dict[str, object]) -> None:
    write_state(state_of(scripted(), **gone))
    assert read_states() == []
    assert not path_of(os.getpid()).exists()


def test_the_state_of_another_host_is_left_alone() -> None:
    write_state(state_of(scripted(), host="another", boot="another"))
    assert read_states() == []
    assert path_of(os.getpid()).exists()


@pytest.mark.parametrize("name", ["notes.json", f"{2**31 - 1}.json"])
def test_a_file_that_is_no_state_is_removed(name: str) -> None:
    path = states_folder() / name
    path.write_text(json.dumps({"pid": "one"}))
    assert read_states() == []
    assert not path.exists()


def test_the_state_of_another_version_stays_since_its_server_ends_with_it() -> None:
    state = state_of(scripted()).model_dump(mode="json")
    path_of(os.getpid()).write_text(json.dumps(state | {"field_of_a_later_version": 1}))
    assert read_states() == []
    assert path_of(os.getpid()).exists()
