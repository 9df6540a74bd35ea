"""A folder of runs for a static host: whole, without what must not be published, and never over somebody's files."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from k2eval.cli.app import app
from k2eval.errors import ConfigError
from k2eval.interop import publication
from k2eval.interop.publication import FILES, Published, publish
from k2eval.journal import remember_verified
from tests.report.reading import texts_in
from tests.report.scripted import edit_run, smoke_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return smoke_run(tmp_path_factory.mktemp("run") / "model", repeats=2, limit=3)


@pytest.fixture(scope="module")
def made(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Published:
    return publish([run], tmp_path_factory.mktemp("published") / "site", title="Two & more")


def test_board_report_tables_and_settings_are_there(made: Published) -> None:
    wanted = {"index.html", "README.md", "report.html", "leaderboard.csv", "runs/model/samples.parquet"}
    wanted |= {"runs/model/run.json", "runs/model/verification.json", "runs/model/evaluation/smoke.svg"}
    assert wanted <= made.files.keys()
    assert all((made.out / name).stat().st_size == size for name, size in made.files.items())


def test_the_list_has_the_checksum_of_each_file(made: Published) -> None:
    sums = json.loads((made.out / FILES).read_text())["files"]
    assert sums.keys() == made.files.keys()
    assert sums["README.md"] == hashlib.sha256((made.out / "README.md").read_bytes()).hexdigest()


def test_the_readme_makes_it_a_static_space(made: Published) -> None:
    assert (made.out / "README.md").read_text().startswith('---\ntitle: "Two & more"\nsdk: "static"\n')


def test_links_of_the_first_page_lead_to_files(made: Published) -> None:
    page = (made.out / "index.html").read_text()
    assert "Two &amp; more" in page
    assert 'href="runs/model/samples.parquet"' in page and 'href="report.html"' in page


def test_protected_texts_are_left_out(tmp_path: Path) -> None:
    folder = smoke_run(tmp_path / "run", repeats=1, limit=2)
    edit_run(folder, protected=True)
    made = publish([folder], tmp_path / "out")
    assert any("as their authors wish" in note for note in made.notes)
    texts = b"".join((made.out / name).read_bytes() for name in made.files if not name.endswith(".parquet"))
    assert b"83rd power" not in texts and b"Let me see" not in texts
    assert texts_in(made.out / "report.html") == {}


def test_places_of_the_machine_are_named_and_stand_in_no_page(tmp_path: Path) -> None:
    folder = smoke_run(tmp_path / "run", repeats=1, limit=2)
    edit_run(folder, fingerprint="another")
    path = folder / "run.json"
    run = json.loads(path.read_text())
    run["config"]["data"] = "/home/anna/my data"
    run["engine"]["settings"] = {"arguments": ["--template=/home/anna/chat.jinja", "/a\x1b]0;b"]}
    path.write_text(json.dumps(run))
    made = publish([folder], tmp_path / "out")
    [note] = [note for note in made.notes if "names places" in note]
    assert "/home/anna/my data" in note and "/home/anna/chat.jinja" in note and "\x1b" not in note
    for page in ("index.html", "report.html", "leaderboard.html"):
        assert b"/home/anna" not in (made.out / page).read_bytes()


def test_texts_of_an_earlier_publication_do_not_stay(tmp_path: Path) -> None:
    folder = smoke_run(tmp_path / "run", repeats=1, limit=2)
    publish([folder], tmp_path / "out")
    renamed = smoke_run(tmp_path / "other", repeats=1, limit=2)
    publish([renamed], tmp_path / "out")
    assert [path.name for path in (tmp_path / "out" / "runs").iterdir()] == ["other"]


def test_runs_of_one_name_get_folders_of_their_own(run: Path, tmp_path: Path) -> None:
    twin = smoke_run(tmp_path / "model", repeats=2, limit=3)
    made = publish([run, twin], tmp_path / "out")
    assert {"runs/model/run.json", "runs/model-2/run.json"} <= made.files.keys()


@pytest.mark.parametrize("kind", ["file", "link", "foreign file", "forged list"])
def test_files_of_others_are_never_touched(kind: str, run: Path, tmp_path: Path) -> None:
    out, mine = tmp_path / "out", tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    if kind == "file":
        out.write_text("years of work")
    elif kind == "link":
        out.symlink_to(mine)
    else:
        out.mkdir()
        (out / "notes.txt").write_text("years of work")
        if kind == "forged list":
            (out / FILES).write_text('{"files": {"../mine/thesis.txt": "0"}}')
    with pytest.raises(ConfigError, match="Give another --out"):
        publish([run], out)
    assert (mine / "thesis.txt").exists() and (out.is_symlink() or out.exists())


@pytest.mark.parametrize("name", ["checksums.json", "checksums.json.sig"])
def test_a_link_of_a_run_to_a_file_of_mine_is_not_published(name: str, run: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a private key")
    theirs = shutil.copytree(run, tmp_path / "theirs")
    (theirs / name).symlink_to(tmp_path / "key")
    with pytest.raises(ConfigError, match="Put a copy"):
        publish([theirs], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_interruption_leaves_the_earlier_publication(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish([run], tmp_path / "out")
    before = (tmp_path / "out" / FILES).read_bytes()
    monkeypatch.setattr(publication, "_readme", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        publish([run], tmp_path / "out")
    assert (tmp_path / "out" / FILES).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_a_verified_run_is_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = smoke_run(tmp_path / "run", repeats=1, limit=2)
    remember_verified(folder)
    made = publish([folder], tmp_path / "out")
    told = json.loads((made.out / "runs/run/verification.json").read_text())
    assert told["verified"] is True and set(told["sha256"]) == {
        "run.json",
        "generations.jsonl",
        "verdicts.jsonl",
    }


def test_the_command_says_what_would_be_uploaded(run: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["publish", str(run), "--out", str(tmp_path / "out")])
    assert result.exit_code == 0
    assert "runs/model/" in result.output and "Nothing was uploaded" in result.output
