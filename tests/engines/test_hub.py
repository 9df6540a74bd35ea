"""What lies on the hub is asked at one commit: looked up, recorded, and part of what a run is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import OfflineModeIsEnabled

from k2eval.engines import hub
from k2eval.engines.checkpoint import checkpoint_file, checkpoint_fingerprint
from k2eval.engines.endpoint.engine import EndpointEngine
from k2eval.engines.hub import commit_of, pinned, pinned_draft, pinned_tokenizer
from k2eval.engines.template import read_template
from k2eval.engines.vllm.engine import VllmEngine
from k2eval.errors import ConfigError, JournalError
from k2eval.records import ROLES
from k2eval.run.identity import merge_run
from k2eval.run.plan import Work
from tests.chat_templates import QWEN_3, checkpoint
from tests.scripted_runs import config

OLD, NEW = "a" * 40, "b" * 40


def cache(home: Path, commit: str, template: str = QWEN_3, model: str = "name") -> None:
    """Put a model into the hub's cache, as a download of its main branch does."""
    folder = home / "hub" / f"models--owner--{model}"
    checkpoint(folder / "snapshots" / commit, template)
    (folder / "refs").mkdir(exist_ok=True)
    (folder / "refs" / "main").write_text(commit)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    hub.looked_up.cache_clear()
    yield tmp_path
    hub.looked_up.cache_clear()


def answers(monkeypatch: pytest.MonkeyPatch, answer: object) -> None:
    """Let the hub answer with a commit or an error."""

    def model_info(self: HfApi, repository: str, **options: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return type("Info", (), {"sha": answer})

    monkeypatch.setattr(HfApi, "model_info", model_info)


def test_offline_the_cache_tells_the_commit(home: Path) -> None:
    cache(home, OLD)
    assert commit_of("owner/name") == OLD


def test_the_hub_is_asked_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache(home, OLD)
    answers(monkeypatch, NEW)
    assert commit_of("owner/name") == NEW


def test_a_commit_is_taken_as_it_is() -> None:
    assert commit_of("owner/name", OLD) == OLD


@pytest.mark.parametrize(
    "error", [OfflineModeIsEnabled("offline"), TimeoutError("slow"), ConnectionError("no route")]
)
def test_without_hub_and_cache_a_folder_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    answers(monkeypatch, error)
    with pytest.raises(ConfigError, match=rf"which commit of owner/name .*{error}.* give the folder"):
        commit_of("owner/name")


def test_a_machine_without_a_network_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ConfigError, match=r"refused.*Connect to the hub"):
        commit_of("owner/name")


def test_a_hub_that_names_no_commit_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, None)
    with pytest.raises(ConfigError, match="names no commit"):
        commit_of("owner/name")


def test_a_name_that_is_none_is_explained() -> None:
    with pytest.raises(ConfigError, match="give the folder"):
        commit_of("owner/na me!")


def test_vllm_is_given_the_commit_for_weights_and_tokenizer(home: Path) -> None:
    cache(home, OLD)
    assert pinned("owner/name", {"dtype": "auto"}) == {
        "dtype": "auto",
        "revision": OLD,
        "tokenizer_revision": OLD,
    }


def test_another_tokenizer_has_a_commit_of_its_own(home: Path) -> None:
    cache(home, OLD)
    cache(home, NEW, model="other")
    assert pinned("owner/name", {"tokenizer": "owner/other"}) == {
        "tokenizer": "owner/other",
        "tokenizer_revision": NEW,
        "revision": OLD,
    }


def test_a_tokenizers_revision_is_turned_into_its_commit(home: Path) -> None:
    cache(home, OLD)
    settings = pinned("owner/name", {"tokenizer_revision": "main", "revision": NEW})
    assert (settings["revision"], settings["tokenizer_revision"]) == (NEW, OLD)


def test_a_folder_with_a_tokenizer_on_the_hub_gets_the_tokenizers_commit(home: Path) -> None:
    cache(home, OLD)
    folder = checkpoint(home / "model")
    engines = [VllmEngine(folder), VllmEngine(folder, {"tokenizer": "owner/name"})]
    assert engines[1].info.settings["tokenizer_revision"] == OLD
    cache(home, NEW)
    hub.looked_up.cache_clear()
    engines.append(VllmEngine(folder, {"tokenizer": "owner/name"}))
    assert len({engine.info.fingerprint for engine in engines}) == 3


def test_a_tokenizer_alone_in_the_cache_has_a_commit(home: Path) -> None:
    cache(home, OLD)
    (home / "hub" / "models--owner--name" / "snapshots" / OLD / "config.json").unlink()
    assert pinned_tokenizer({"tokenizer": "owner/name"})["tokenizer_revision"] == OLD


def test_an_endpoints_tokenizer_is_part_of_what_it_is(home: Path) -> None:
    settings = {"base_url": "http://localhost:1/v1", "tokenizer": "owner/name"}
    cache(home, OLD)
    before = EndpointEngine("m", settings).info
    cache(home, NEW)
    hub.looked_up.cache_clear()
    after = EndpointEngine("m", settings).info
    assert (before.settings["tokenizer_revision"], after.settings["tokenizer_revision"]) == (OLD, NEW)
    assert before.fingerprint != after.fingerprint
    assert EndpointEngine("m", {**settings, "tokenizer_revision": OLD}).info.fingerprint == before.fingerprint


DRAFT = {"method": "draft_model", "model": "owner/name", "num_speculative_tokens": 3}


def test_a_draft_is_given_its_commit(home: Path) -> None:
    cache(home, OLD)
    engine = VllmEngine(checkpoint(home / "model"), speculative=DRAFT)
    assert engine.info.settings["speculative_config"] == {**DRAFT, "revision": OLD}


@pytest.mark.parametrize("setting", [None, {"method": "ngram", "num_speculative_tokens": 4}])
def test_speculation_without_a_draft_stays_as_it_is(setting: dict[str, Any] | None) -> None:
    assert pinned_draft(setting) == setting


def test_a_run_is_not_resumed_with_the_draft_or_tokenizer_that_the_hub_has_now(home: Path) -> None:
    cache(home, OLD)
    folder = checkpoint(home / "model")
    settings = {
        "model": folder,
        "speculative": DRAFT,
        "engine": {"arguments": {"tokenizer": "owner/name"}},
        "roles": {"planner": {"model": folder, "speculative": "draft=owner/name"}},
    }
    run = config(home, **settings)

    def now() -> Any:
        info = VllmEngine(folder, run.engine.arguments, run.speculative).info
        return Work(run).describe(info, dict.fromkeys(ROLES, info.fingerprint))

    before = now()
    assert before.config.speculative == {**DRAFT, "revision": OLD}
    assert before.config.roles["planner"]["speculative"]["revision"] == OLD
    assert merge_run(before, now()) == before
    cache(home, NEW)
    hub.looked_up.cache_clear()
    with pytest.raises(
        JournalError, match=f"(?s)speculative: .*{OLD}.*{NEW}.*engine.tokenizer_revision: '{OLD}'"
    ):
        merge_run(before, now())


def test_a_folder_is_given_nothing(tmp_path: Path) -> None:
    assert pinned(checkpoint(tmp_path / "model"), {"dtype": "auto"}) == {"dtype": "auto"}


def test_the_commit_is_part_of_the_fingerprint() -> None:
    prints = {checkpoint_fingerprint("owner/name", commit) for commit in (None, OLD, NEW)}
    assert len(prints) == 3


def test_files_are_those_of_the_commit(home: Path) -> None:
    cache(home, OLD, "old template")
    cache(home, NEW, "new template")
    template = read_template("owner/name", OLD).template
    assert template is not None and template.source == "old template"
    assert checkpoint_file("owner/name", "no-such.json", OLD) is None


def test_the_engine_says_its_commit(home: Path) -> None:
    cache(home, OLD)
    info = VllmEngine("owner/name").info
    assert (info.commit, info.settings["revision"]) == (OLD, OLD)


def described(folder: Path, **arguments: Any) -> Any:
    run = config(folder, model="owner/name", engine={"arguments": arguments})
    info = VllmEngine("owner/name", arguments).info
    return Work(run).describe(info, dict.fromkeys(ROLES, info.fingerprint))


def test_a_run_is_not_resumed_with_what_the_hub_has_now(home: Path) -> None:
    cache(home, OLD)
    before = described(home)
    cache(home, NEW)
    hub.looked_up.cache_clear()
    with pytest.raises(
        JournalError, match=f"(?s)at commit {OLD} .*at commit {NEW} .*--set engine.revision={OLD}"
    ) as caught:
        merge_run(before, described(home))
    assert "engine.revision:" not in str(caught.value)


def test_a_run_is_resumed_at_the_commit_that_it_began_with(home: Path) -> None:
    cache(home, OLD)
    before = described(home)
    cache(home, NEW)
    merged = merge_run(before, described(home, revision=OLD))
    assert merged.model.commit == OLD


@pytest.mark.slow
def test_a_dry_run_looks_into_the_real_cache(tmp_path: Path) -> None:
    cache(tmp_path, OLD)
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    environment.pop("HF_HUB_CACHE", None)
    command = [
        sys.executable,
        "-m",
        "k2eval",
        "run",
        "--dry-run",
        "--model",
        "owner/name",
        "--tasks",
        "smoke",
    ]
    command += ["--out", str(tmp_path / "run")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert OLD in done.stdout
    missing = subprocess.run(
        [*command, "--model", "owner/none"], env=environment, capture_output=True, text=True, check=False
    )
    assert missing.returncode == 2 and "give the folder" in missing.stdout
