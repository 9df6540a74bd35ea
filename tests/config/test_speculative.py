"""Speculation as asked for, and what is refused before weights load."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from k2eval.config.run import load_config
from k2eval.config.speculative import parse
from k2eval.engines.vllm.speculation import check_checkpoints, check_words
from k2eval.errors import ConfigError
from k2eval.testing import make_tiny_checkpoint


@pytest.mark.parametrize(
    ("given_form", "expected"),
    [
        ("draft=a/b,tokens=5", {"method": "draft_model", "model": "a/b", "num_speculative_tokens": 5}),
        ("ngram", {"method": "ngram", "num_speculative_tokens": 4}),
        ("ngram,tokens=2,max=6", {"method": "ngram", "num_speculative_tokens": 2, "prompt_lookup_max": 6}),
        ("suffix", {"method": "suffix"}),
        ("eagle3=head", {"method": "eagle3", "model": "head", "num_speculative_tokens": 3}),
        ("mtp", {"method": "mtp", "num_speculative_tokens": 1}),
        (
            "draft=d,sample=probabilistic",
            {
                "method": "draft_model",
                "model": "d",
                "num_speculative_tokens": 3,
                "draft_sample_method": "probabilistic",
            },
        ),
    ],
)
def test_short_forms(given_form: str, expected: dict[str, Any]) -> None:
    assert parse(given_form) == expected


@pytest.mark.parametrize("off", [None, "", "off", "none", {}])
def test_off(off: str | None) -> None:
    assert parse(off) is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("nrgam", "Did you mean ngram"),
        ("draft", "draft=PATH"),
        ("ngram=x", "takes no path"),
        ("ngram,tokens", "KEY=VALUE"),
    ],
)
def test_wrong_forms_are_explained(wrong: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse(wrong)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except ConfigError:
        return
    assert found is None or "method" in found


def test_a_flag_wins_over_yaml_and_set_adds_to_it(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("speculative: {method: suffix}\n")
    flags = {"model": "m", "tasks": "smoke", "out": tmp_path, "speculative": "ngram,tokens=4"}
    config = load_config(file=file, flags=flags, sets=["speculative.prompt_lookup_max=3"])
    assert config.speculative == {"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 3}


def test_yaml_takes_a_short_form(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("speculative: ngram\n")
    config = load_config(file=file, flags={"model": "m", "tasks": "smoke", "out": tmp_path})
    assert config.speculative is not None and config.speculative["method"] == "ngram"


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("vllm")
    folder = tmp_path_factory.mktemp("checkpoints")
    make_tiny_checkpoint(folder / "target", layers=1, context=128)
    make_tiny_checkpoint(folder / "draft", layers=1, context=128, seed=1)
    return folder


def checked(folder: Path, speculative: str | dict[str, Any], **arguments: Any) -> None:
    config = parse(speculative)
    assert config is not None
    check_words(config, "0.32.0")
    check_checkpoints(str(folder / "target"), config, arguments)


def test_a_fitting_draft_passes(checkpoints: Path) -> None:
    checked(checkpoints, f"draft={checkpoints}/draft,tokens=3")


@pytest.mark.parametrize(
    ("speculative", "says"),
    [
        ("draft=/nowhere/at/all", "no draft at /nowhere/at/all"),
        ("eagle3=DRAFT", "not an eagle3 head.*use draft="),
        ("mtp", "no MTP head"),
        ("ngram,tokens=0", "positive number"),
        ("ngram,min=5,max=2", "prompt_lookup_min is 5"),
        ("ngram,tokns=3", "Did you mean.*tokens"),
        ({"method": "telepathy", "num_speculative_tokens": 1}, "cannot speculate with 'telepathy'"),
        ({"method": "draft_model", "model": "DRAFT"}, "needs the number of tokens"),
        ({"method": "eagle", "num_speculative_tokens": 2}, "needs a checkpoint"),
        ("draft=DRAFT,draft_tensor_parallel_size=1", "vLLM allows 4 for draft_model"),
        ("eagle=DRAFT,draft_tensor_parallel_size=2", "vLLM allows 1 or 4 for eagle"),
    ],
)
def test_what_cannot_work_is_refused(checkpoints: Path, speculative: Any, says: str) -> None:
    filled = json.loads(json.dumps(speculative).replace("DRAFT", str(checkpoints / "draft")))
    with pytest.raises(ConfigError, match=says):
        checked(checkpoints, filled, tensor_parallel_size=4)


def altered(checkpoints: Path, tmp_path: Path, file: str, **changes: Any) -> Path:
    folder = tmp_path / "altered"
    shutil.copytree(checkpoints / "draft", folder)
    content = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps(content | changes))
    return folder


def test_a_draft_with_another_tokenizer_is_refused_with_a_token_that_differs(
    checkpoints: Path, tmp_path: Path
) -> None:
    content = json.loads((checkpoints / "draft" / "tokenizer.json").read_text())
    vocabulary = content["model"]["vocab"]
    vocabulary["A"], vocabulary["B"] = vocabulary["B"], vocabulary["A"]
    draft = altered(checkpoints, tmp_path, "tokenizer.json", model=content["model"])
    with pytest.raises(ConfigError, match=r"another tokenizer.*2 of them different, such as '[AB]'"):
        checked(checkpoints, f"draft={draft},tokens=3")


def test_a_padded_vocabulary_is_told_apart_from_another_one(checkpoints: Path, tmp_path: Path) -> None:
    draft = altered(checkpoints, tmp_path, "config.json", vocab_size=512)
    with pytest.raises(ConfigError, match="The tokenizers agree, so this is padding"):
        checked(checkpoints, f"draft={draft},tokens=3")


def test_a_checkpoint_with_prediction_layers_has_an_mtp_head(checkpoints: Path, tmp_path: Path) -> None:
    target = altered(checkpoints, tmp_path, "config.json", num_nextn_predict_layers=1)
    check_checkpoints(str(target), {"method": "mtp", "num_speculative_tokens": 1}, {})


def test_suffix_names_the_package_it_needs(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="arctic-inference"):
        checked(checkpoints, "suffix")


def test_only_vllm_speculates(tmp_path: Path) -> None:
    from k2eval.engines.opening import open_engine

    with pytest.raises(ConfigError, match="for the vllm engine only"):
        open_engine("scripted", str(tmp_path / "x"), {}, {"method": "ngram"})
