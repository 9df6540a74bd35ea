"""run.json: read as it was written, or refused by name, whatever was lost from it or changed in it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from k2eval.errors import JournalError
from k2eval.journal.run_record import (
    CountedGenerations,
    EngineRecord,
    RunRecord,
    RunSpeculation,
    SpeculationRecord,
    read_run_record,
)
from k2eval.records import ROLES, NoteKind, SpeculativeCounts
from tests.run_records import note, run_record, session_record, task_record

COUNTS: dict[str, Any] = {
    "drafts": 10,
    "drafted_tokens": 40,
    "accepted_tokens": 15,
    "accepted_per_position": (15,),
}
RATIOS: dict[str, Any] = {
    "acceptance_rate": 0.375,
    "acceptance_length": 2.5,
    "acceptance_per_position": (1.5,),
}
FULL = run_record(
    {"t": task_record(notes=(note("limited to the first 1", NoteKind.LIMITED),), hashes={"q": "ab"})},
    engine=EngineRecord(
        settings={"dtype": "float32"},
        notes=(note("x", NoteKind.SEEDS),),
        fingerprints=dict.fromkeys(ROLES, "f00d"),
    ),
    sessions=(session_record(speculative={"t": SpeculativeCounts(**COUNTS)}),),
    speculative=RunSpeculation(
        **COUNTS,
        **RATIOS,
        counted="request",
        generations=CountedGenerations(generated=10, counted=9),
        tasks={"t": SpeculationRecord(**COUNTS, **RATIOS)},
    ),
)
"""Every field has something to lose."""


def read(content: Any, folder: Path) -> RunRecord:
    path = folder / "run.json"
    path.write_text(json.dumps(content))
    return read_run_record(path)


def test_a_description_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(FULL.to_json())
    assert read_run_record(tmp_path / "run.json") == FULL


def test_the_same_description_is_the_same_text(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(FULL.to_json())
    assert read_run_record(tmp_path / "run.json").to_json() == FULL.to_json()
    assert FULL.to_json().startswith('{\n "k2eval": "0.2.0",\n "format": 2,\n "name": "run",\n')


def test_whatever_a_server_says_of_itself_can_be_read_again(tmp_path: Path) -> None:
    told = {"version": "1\ud800\0", "limit": float("inf"), "parameters": 10**400}
    odd = run_record(
        engine=EngineRecord(
            settings=told, notes=(note("slow\ud800\x1b[31m\n"),), fingerprints=dict.fromkeys(ROLES, "f00d")
        )
    )
    (tmp_path / "run.json").write_text(odd.to_json())
    engine = read_run_record(tmp_path / "run.json").engine
    assert engine.settings == {"version": "1?\ufffd", "limit": None, "parameters": "more than 1e300"}
    assert engine.notes[0].text == "slow?\ufffd[31m"


@pytest.mark.parametrize("path", [("name",), ("model", "name"), ("recipe",), ("tasks", "t", "title")])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\ud800", "UTF-8"),
        ("a\nb", "one line"),
        ("\x1b[31m", "one line"),
        ("\u202eb", "one line"),
        ("\0", ""),
    ],
    ids=ascii,
)
def test_a_name_that_a_table_cannot_show_is_refused(
    tmp_path: Path, path: tuple[str, ...], text: str, words: str
) -> None:
    with pytest.raises(JournalError, match=f"run.json.*{words}"):
        read(changed(json.loads(FULL.to_json()), path, text), tmp_path)


@pytest.mark.parametrize(
    "number", ["1" + "0" * 400, "1" + "0" * 5000, "9223372036854775808", "1e999", "NaN", "-Infinity"]
)
@pytest.mark.parametrize("place", ['"seed": 0', '"generated_tokens": 1000', '"dtype": "float32"'])
def test_a_number_that_no_table_holds_is_refused(tmp_path: Path, place: str, number: str) -> None:
    text = FULL.to_json().replace(place, f"{place.partition(':')[0]}: {number}")
    assert text != FULL.to_json()
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(JournalError, match=r"run\.json: expected the JSON .*expected .*number"):
        read_run_record(tmp_path / "run.json")


def test_a_description_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        FULL.complete = False  # type: ignore[misc]


def test_speed_counts_generated_tokens_of_all_sessions() -> None:
    sessions = [
        session_record(generated_tokens=100, generation_s=1.0, replayed=50),
        session_record(generated_tokens=0, generation_s=0.0, replayed=150),
        session_record(generated_tokens=200, generation_s=2.0),
    ]
    assert run_record(sessions=tuple(sessions)).tokens_per_s == 100
    assert run_record().tokens_per_s is None


def test_acceptance_length_counts_the_targets_own_token() -> None:
    assert FULL.acceptance_length() == 2.5
    assert FULL.acceptance_length("t") == 2.5
    assert FULL.acceptance_length("u") is None
    assert run_record().acceptance_length() is None


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("name",), None, "field name: expected a valid string, got None. Restore the file"),
        (("tasks", "t", "repeats"), "4", "field tasks.t.repeats: expected a valid integer, got '4'"),
        (("tasks", "t", "repeats"), True, "field tasks.t.repeats: expected a valid integer, got True"),
        (("tasks", "t", "repeats"), 0, "field tasks.t.repeats: expected greater than or equal to 1, got 0"),
        (("sessions", 0, "finished"), "noon", "field sessions.0.finished: .*isoformat.*, got 'noon'"),
        (("engine", "notes"), ["bare"], "field engine.notes.0: expected .*, got 'bare'"),
        (("config", "engine", "kind"), "gguf", "field config.engine.kind: expected 'vllm', .*, got 'gguf'"),
        (
            ("tasks", "t", "repaets"),
            3,
            "unknown field tasks.t.repaets. If k2eval 0.2.0 made it, update k2eval",
        ),
    ],
)
def test_a_wrong_field_is_named_with_what_was_expected(
    tmp_path: Path, path: tuple[Any, ...], value: Any, words: str
) -> None:
    with pytest.raises(JournalError, match=f"run.json is not what `k2eval run` writes: .*{words}"):
        read(changed(json.loads(FULL.to_json()), path, value), tmp_path)


def test_a_lost_field_is_named(tmp_path: Path) -> None:
    content = json.loads(FULL.to_json())
    del content["tasks"]["t"]["grader"]
    with pytest.raises(
        JournalError, match=r"it lacks the field tasks\.t\.grader\. Restore the file, or make"
    ):
        read(content, tmp_path)


def test_a_setting_that_a_later_version_adds_has_its_default_in_older_files(tmp_path: Path) -> None:
    content = json.loads(FULL.to_json())
    del content["config"]["workers"]
    assert read(content, tmp_path) == FULL


@pytest.mark.parametrize("version", [True, 1.0, "2", None, 3])
def test_another_format_is_refused(tmp_path: Path, version: Any) -> None:
    with pytest.raises(JournalError, match=r"expected format 2, got .*or update k2eval"):
        read({**json.loads(FULL.to_json()), "format": version}, tmp_path)


@pytest.mark.parametrize("text", ["", "{", "\x00", "[" * 100_000])
def test_what_is_no_json_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(JournalError, match="expected the JSON that `k2eval run` writes"):
        read_run_record(tmp_path / "run.json")


def places(content: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values."""
    entries = (
        content.items()
        if isinstance(content, dict)
        else enumerate(content)
        if isinstance(content, list)
        else ()
    )
    for key, value in entries:
        yield (*above, key)
        yield from places(value, (*above, key))


LOST = object()


def changed(content: Any, path: tuple[Any, ...], value: Any) -> Any:
    content = copy.deepcopy(content)
    target = content
    for key in path[:-1]:
        target = target[key]
    if value is LOST:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return content


FORMATS = {
    1: json.loads((Path(__file__).parents[1] / "data" / "run-0.1.0" / "k2" / "run.json").read_text()),
    2: json.loads(FULL.to_json()),
}
VALUES = [LOST, None, True, -1, 0, 2.5, "x", "", [], ["x"], {}, {"x": 1}, [[]]]


def may_be_absent(path: tuple[Any, ...]) -> bool:
    """Entries of lists and of open mappings, and settings, whose absence has a meaning."""
    open_mappings = ("tasks", "hashes", "settings", "options")
    return (
        isinstance(path[-1], int)
        or "config" in path
        or "sampling" in path
        or path[-1] == "accepted_per_position"
        or path[-2:-1] in [(name,) for name in (*open_mappings, "speculative")]
        or path == ("speculative",)  # of 0.1.0, if it was killed
    )


@given(st.data())
def test_damage_is_refused_or_read_as_it_stands(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """A reading that hides a change would be worse than a refusal."""
    version = data.draw(st.sampled_from(sorted(FORMATS)))
    path = data.draw(st.sampled_from(list(places(FORMATS[version]))))
    value = data.draw(st.sampled_from(VALUES))
    damaged = changed(FORMATS[version], path, value)
    try:
        run = read(damaged, tmp_path_factory.mktemp("run"))
    except JournalError:
        return
    if value is LOST:
        assert may_be_absent(path)
    elif version == 2 and not {"config", "sampling"} & set(path):
        assert json.loads(run.to_json()) == damaged
