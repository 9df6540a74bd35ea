"""`k2eval verify` says whether a run holds, and the leaderboard marks the rows that do."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from k2eval.cli.app import app
from k2eval.journal import VERDICTS
from tests.report.scripted import smoke_run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return smoke_run(tmp_path_factory.mktemp("made") / "run", repeats=1, limit=6)


@pytest.fixture
def run(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return shutil.copytree(finished, tmp_path / "run")


def k2eval(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_an_honest_run_holds_and_is_marked_from_then_on(run: Path, tmp_path: Path) -> None:
    assert "verified" not in k2eval("leaderboard", run, "--out", tmp_path / "before").output
    result = k2eval("verify", run)
    assert result.exit_code == 0, result.output
    assert "holds: 6 of 6 verdicts follow from their texts. Nobody signed it" in result.output
    k2eval("leaderboard", run, "--out", tmp_path / "board")
    for suffix in (".csv", ".md", ".html"):
        assert "verified" in (tmp_path / "board").with_suffix(suffix).read_text()


def test_a_part_is_not_enough_for_the_mark(run: Path, tmp_path: Path) -> None:
    assert k2eval("verify", run, "--sample", "2").exit_code == 0
    k2eval("leaderboard", run, "--out", tmp_path / "board")
    assert "verified" not in (tmp_path / "board.csv").read_text()


def test_a_forged_verdict_is_shown_and_ends_with_1(run: Path) -> None:
    lines = [json.loads(line) for line in (run / VERDICTS).read_text().splitlines()]
    lines[0] |= (
        {"outcome": "wrong", "score": 0.0} if lines[0]["score"] else {"outcome": "correct", "score": 1.0}
    )
    (run / VERDICTS).write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = k2eval("verify", run)
    assert result.exit_code == 1
    assert "Does not hold: smoke, question" in result.output
    assert "is not verified: 1 contradictions" in result.output


def test_a_run_is_signed_and_its_signer_asked_for(run: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    assert "Signed with" in k2eval("verify", run, "--sign", key).output
    signers = tmp_path / "signers"
    signers.write_text(f"lab@example.org {key.with_suffix('.pub').read_text()}")
    assert "Signed by lab@example.org." in k2eval("verify", run, "--signers", signers).output
