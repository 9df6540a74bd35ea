"""Speculation that cannot work is refused before weights load."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from k2eval.config.speculative import parse
from k2eval.engines.vllm.engine import VllmEngine
from k2eval.engines.vllm.speculation import check_checkpoints, check_words
from k2eval.errors import ConfigError
from k2eval.testing import make_tiny_checkpoint


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


@pytest.mark.parametrize("name", ["speculative_config", "spec_method", "spec_model", "spec_tokens"])
def test_speculation_behind_the_back_of_the_run_is_refused(checkpoints: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=f"--speculative FORM.*got engine.{name}"):
        VllmEngine(str(checkpoints / "target"), {name: "ngram"})
