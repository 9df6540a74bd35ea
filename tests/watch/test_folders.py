from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from k2eval.engines.weights import WeightsFault, missing_part, read_header, read_tensors
from k2eval.report.steps import step_of
from k2eval.watch import folders
from k2eval.watch.folders import fault_of, find_checkpoints
from tests.watch.checkpoints import safetensors, write_checkpoint


def names(place: Path | str, out: Path) -> dict[str, int | None]:
    return {name: found.step for name, found in find_checkpoints(str(place), out).items()}


def test_checkpoints_lie_at_any_depth(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "checkpoint-1200")
    write_checkpoint(tmp_path / "global_step_40" / "actor" / "huggingface")
    assert names(tmp_path, tmp_path / "out") == {
        "checkpoint-1200": 1200,
        "global_step_40-actor-huggingface": 40,
    }


def test_checkpoints_whose_paths_make_one_name_are_all_found(tmp_path: Path) -> None:
    nested = write_checkpoint(tmp_path / "a" / "b-step-2")
    assert names(tmp_path, tmp_path / "out") == {"a-b-step-2": 2}
    flat = write_checkpoint(tmp_path / "a-b-step-2")
    found = find_checkpoints(str(tmp_path), tmp_path / "out")
    assert found["a-b-step-2"].path == flat and found["a-b-step-2"].namesake is None
    [other] = [each for each in found.values() if each.path == nested]
    assert other.name.startswith("a-b-step-2-") and other.step == 2 and other.namesake == flat


def test_a_checkpoint_keeps_its_name_when_another_one_comes_with_it_or_goes(tmp_path: Path) -> None:
    nested = write_checkpoint(tmp_path / "a" / "b-step-2")
    flat = write_checkpoint(tmp_path / "a-b-step-2")
    known = {"a-b-step-2": nested}
    found = find_checkpoints(str(tmp_path), tmp_path / "out", known)
    assert found["a-b-step-2"].path == nested and len(found) == 2
    shutil.rmtree(nested)
    known |= {each.name: each.path for each in found.values()}
    assert [each.path for each in find_checkpoints(str(tmp_path), tmp_path / "out", known).values()] == [flat]
    [left] = find_checkpoints(str(tmp_path), tmp_path / "out", known)
    assert left != "a-b-step-2"


def test_a_pattern_chooses_some(tmp_path: Path) -> None:
    for name in ("global_step_40/hf", "global_step_80/hf", "other-3"):
        write_checkpoint(tmp_path / name)
    assert names(tmp_path / "global_step_*" / "hf", tmp_path / "out") == {
        "global_step_40-hf": 40,
        "global_step_80-hf": 80,
    }


def test_a_single_checkpoint_can_be_watched(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "step-7")
    assert names(tmp_path / "step-7", tmp_path / "out") == {"step-7": 7}


def test_links_hidden_and_temporary_folders_and_the_output_are_left_out(tmp_path: Path) -> None:
    for name in ("step-1", ".cache/step-2", "tmp-step-3", "step-4.tmp", "out/step-5"):
        write_checkpoint(tmp_path / name)
    (tmp_path / "latest").symlink_to(tmp_path / "step-1")
    assert names(tmp_path, tmp_path / "out") == {"step-1": 1}


def test_a_circle_of_links_ends(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "a" / "step-1")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    assert names(tmp_path, tmp_path / "out") == {"a-step-1": 1}


def test_a_named_step_counts_more_than_the_trainers_state(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "rl-step-5")
    (folder / "trainer_state.json").write_text('{"global_step": 900}')
    assert step_of(folder) == 5


def test_the_trainers_state_counts_more_than_any_number(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "qwen3-4b")
    assert step_of(folder) == 4
    (folder / "trainer_state.json").write_text('{"global_step": 900}')
    assert step_of(folder) == 900


def test_a_whole_checkpoint_has_no_fault(tmp_path: Path) -> None:
    assert fault_of(write_checkpoint(tmp_path / "step-1")) is None


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("config.json", "{", "config.json cannot be read"),
        ("tokenizer.json", '{"a":', "tokenizer.json cannot be read"),
        ("model.safetensors", "", "too short for its header"),
        ("model.safetensors", "x" * 100, "too short for its header"),
        ("model.safetensors.index.json", "{", "index.json cannot be read"),
        (
            "model.safetensors.index.json",
            '{"weight_map": {"w": "../w.safetensors"}}',
            "outside of its folder",
        ),
        (
            "model.safetensors.index.json",
            '{"weight_map": {"w": "b.safetensors"}}',
            "b.safetensors is missing",
        ),
        (
            "model.safetensors.index.json",
            '{"weight_map": {"v": "model.safetensors"}}',
            "holds the tensor 'v'",
        ),
    ],
)
def test_a_part_of_a_checkpoint_has_a_fault(tmp_path: Path, name: str, content: str, words: str) -> None:
    folder = write_checkpoint(tmp_path / "step-1")
    (folder / name).write_text(content)
    assert words in str(fault_of(folder))


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        ("config.json", "no config.json"),
        ("model.safetensors", "no weights"),
        ("tokenizer.json", "no tokenizer"),
    ],
)
def test_a_missing_file_is_a_fault(tmp_path: Path, gone: str, words: str) -> None:
    folder = write_checkpoint(tmp_path / "step-1")
    (folder / gone).unlink()
    assert words in str(fault_of(folder))


def test_a_tokenizer_is_not_missed_if_another_is_set(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "step-1")
    (folder / "tokenizer.json").unlink()
    assert fault_of(folder, needs_tokenizer=False) is None


def test_a_part_of_a_series_is_missed_without_an_index(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "step-1")
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    assert fault_of(folder) == "model-00002-of-00002.safetensors is missing"
    (folder / "model-00002-of-00002.safetensors").write_bytes(safetensors())
    assert fault_of(folder) is None


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 200))
def test_a_file_that_is_cut_anywhere_is_never_whole(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    whole = safetensors(b"\0" * 64)
    path = tmp_path_factory.mktemp("cut") / "model.safetensors"
    path.write_bytes(whole[: max(0, len(whole) - cut)])
    with pytest.raises(WeightsFault):
        read_header(path)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=64), st.integers(0, 2**64 - 1))
def test_any_bytes_are_weights_or_a_fault(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, length: int
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "model.safetensors").write_bytes(length.to_bytes(8, "little") + content)
    fault = missing_part(folder)
    assert fault is None or "model.safetensors" in fault


def test_a_series_of_a_billion_files_is_no_work(tmp_path: Path) -> None:
    (tmp_path / "model-1-of-999999999.safetensors").write_bytes(safetensors())
    assert missing_part(tmp_path) is None


def test_tensors_have_their_forms(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "step-1")
    assert read_tensors(folder) == {"w": ("F32", (2,))}
    assert json.loads((folder / "config.json").read_text()) == {"model_type": "tiny"}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", ["vocab.json", "trainer_state.json"])
def test_a_fifo_in_a_checkpoint_holds_nobody_up(tmp_path: Path, name: str) -> None:
    folder = write_checkpoint(tmp_path / "final")
    os.mkfifo(folder / name)
    assert names(tmp_path, tmp_path / "out") == {"final": None}
    assert fault_of(folder) == f"{name} cannot be read"


def test_a_configuration_that_is_nested_too_deeply_is_a_fault(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "step-1")
    (folder / "config.json").write_text("[" * 200_000)
    assert fault_of(folder) == "config.json cannot be read"


def test_a_folder_that_goes_while_it_is_looked_at_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_checkpoint(tmp_path / "step-1")

    monkeypatch.setattr(folders, "missing_part", shutil.rmtree)
    assert fault_of(folder) == "it cannot be read: No such file or directory"
