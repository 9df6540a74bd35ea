"""The pages of the viewer, and who may see them."""

from __future__ import annotations

import io
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from k2eval.errors import ConfigError
from k2eval.report import write_report
from k2eval.view import Viewer, bind
from tests.report.reading import texts_in
from tests.report.scripted import smoke_run

BASE = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    smoke_run(folder / "one", repeats=2, limit=3)
    smoke_run(folder / "two", repeats=2, limit=3, seed=1)
    (folder / "sweep.html").write_text("<h1>A sweep</h1>")
    (folder / "secret.txt").write_text("secret")
    return folder


@pytest.fixture
def viewer(folder: Path) -> Viewer:
    return Viewer(folder, token="right")


@pytest.fixture
def client(viewer: Viewer) -> TestClient:
    """Somebody who has opened the address."""
    client = TestClient(viewer.app, base_url=BASE)
    assert client.get("/?token=right").status_code == 200
    return client


def test_the_address_gives_a_cookie_and_shows_no_token(viewer: Viewer) -> None:
    client = TestClient(viewer.app, base_url=BASE, follow_redirects=False)
    answer = client.get("/board?token=right&run=one")
    assert (answer.status_code, answer.headers["location"]) == (303, "/board?run=one")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=lax" in cookie


@pytest.mark.parametrize(
    "path", ["/", "/runs.json", "/board?run=one", "/report?run=one", "/report.json?run=one", "/pieces/x/0"]
)
@pytest.mark.parametrize("token", ["", "token=wrong", "token="])
def test_nothing_is_shown_without_the_token(viewer: Viewer, path: str, token: str) -> None:
    answer = TestClient(viewer.app, base_url=BASE).get(path + ("&" if "?" in path else "?") + token)
    assert answer.status_code == 403 and "one" not in answer.text.split()


def test_another_host_name_is_refused(viewer: Viewer) -> None:
    client = TestClient(viewer.app, base_url="http://attacker.example:8000")
    assert client.get("/?token=right").status_code == 403


@pytest.mark.parametrize(
    "host", ["127.0.0.1:x", "127.0.0.1:999999", "127.0.0.1:-1", "127.0.0.1:", "localhost.x:80"]
)
def test_a_host_that_is_no_address_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 403


def test_the_list_names_the_runs(client: TestClient) -> None:
    assert '"name":"one"' in client.get("/").text
    assert [run["name"] for run in client.get("/runs.json").json()["runs"]] == ["two", "one"]


def test_a_board_is_made_of_the_chosen_runs(client: TestClient) -> None:
    page = client.get("/board", params={"run": ["one", "two"]}).text
    assert "Smoke test" in page and "two" in page


def test_two_runs_are_compared(client: TestClient) -> None:
    page = client.get("/compare", params={"run": ["one", "two"]}).text
    assert "against one" in page and "Difference" in page


def described(client: TestClient, *runs: str, known: str = "") -> dict[str, Any]:
    answer = client.get("/report.json", params={"run": list(runs), "known": known})
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def records(client: TestClient, served: str, piece: int) -> list[list[str]]:
    answer = client.get(f"/{served}/{piece}")
    assert answer.status_code == 200
    content = pa.input_stream(io.BytesIO(answer.content), compression="zstd").read().decode()
    return [record.split("\x1f") for record in content.split("\x1e")]


def test_a_report_is_a_page_that_may_ask_its_server(client: TestClient) -> None:
    answer = client.get("/report", params={"run": "one"})
    assert answer.status_code == 200 and "<title>Report: one</title>" in answer.text
    assert "connect-src &#39;self&#39;" in answer.text
    assert 'id="piece-' not in answer.text.partition("<script>")[0]


def test_texts_come_in_pieces(client: TestClient) -> None:
    found = described(client, "one", "two")
    [task] = found["tasks"]
    assert [columns["pieces"] for columns in task["runs"]] == [[[0, 0]], [[0, 1]]]
    samples = records(client, found["served"], 1)
    assert [int(number) for number, *_ in samples] == [0, 1, 2, 3, 4, 5]
    assert "boxed" in "".join(samples[0])
    prompts = records(client, found["served"], task["pieces"][0][1])
    assert len(prompts) == 3 and "83rd power" in prompts[0][1]


def test_the_texts_are_those_of_a_written_report(client: TestClient, folder: Path, tmp_path: Path) -> None:
    write_report([folder / "one", folder / "two"], tmp_path / "out")
    written = texts_in(tmp_path / "out" / "report.html")
    served = described(client, "one", "two")["served"]
    asked = [{int(number): texts for number, *texts in records(client, served, piece)} for piece in range(3)]
    assert asked == list(written.values())


def test_a_run_that_has_just_appeared_is_there(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "runs").mkdir()
    visitor = TestClient(Viewer(tmp_path / "runs", token="right").app, base_url=BASE)
    assert '"runs":[]' in visitor.get("/?token=right").text
    shutil.copytree(folder / "one", tmp_path / "runs" / "new")
    assert visitor.get("/report", params={"run": "new"}).status_code == 200


def test_the_server_finds_words_in_all_texts(client: TestClient) -> None:
    served = described(client, "one", "two")
    asked = {"task": "smoke", "words": "LET me see"}
    found = client.get(f"/{served['found']}", params=asked).json()
    assert found == {"questions": [], "runs": [[0, 1, 2, 3, 4, 5]] * 2}
    found = client.get(f"/{served['found']}", params=asked | {"words": "83RD"}).json()
    assert found == {"questions": [0], "runs": [[], []]}
    assert client.get(f"/{served['found']}", params={"task": "none"}).status_code == 404
    assert client.get("/found/none", params=asked).status_code == 404


def test_samples_that_come_later_are_told(folder: Path, tmp_path: Path) -> None:
    live = tmp_path / "runs" / "live"
    shutil.copytree(folder / "one", live)
    lines = (live / "verdicts.jsonl").read_text().splitlines(keepends=True)
    (live / "verdicts.jsonl").write_text("".join(lines[:2]))
    visitor = TestClient(Viewer(tmp_path / "runs", token="right").app, base_url=BASE)
    assert visitor.get("/?token=right").status_code == 200
    first = described(visitor, "live")
    assert "tasks" not in described(visitor, "live", known=first["name"])
    (live / "verdicts.jsonl").write_text("".join(lines))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("k2eval.view.found._AGAIN_S", 0.0)
        later = described(visitor, "live", known=first["name"])
    counts = [
        sum(code != "." for code in found["tasks"][0]["runs"][0]["outcomes"]) for found in (first, later)
    ]
    assert counts == [2, 6]
    assert visitor.get(f"/{first['served']}/0").status_code == 200
    assert visitor.get(f"/{later['served']}/0").status_code == 200


def test_a_page_of_the_folder_stands_alone(client: TestClient) -> None:
    answer = client.get("/page", params={"path": "sweep.html"})
    assert "A sweep" in answer.text
    assert answer.headers["content-security-policy"].startswith("sandbox allow-scripts")


@pytest.mark.parametrize(
    "path",
    [
        "/page?path=secret.txt",
        "/page?path=../one/run.json",
        "/board?run=../../etc",
        "/report.json?run=three",
        "/report?run=three",
        "/nothing",
    ],
)
def test_what_was_not_found_is_not_served(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404 and "secret" not in answer.text.replace("secret.txt", "")


@pytest.mark.parametrize(
    "piece", ["none/0", "{name}/99", "{name}/-1", "{name}/x", "{name}/../../etc/passwd", "%00/0"]
)
def test_a_piece_that_is_not_there_is_not_served(client: TestClient, piece: str) -> None:
    name = described(client, "one")["name"]
    assert client.get(f"/pieces/{piece.format(name=name)}").status_code == 404


def test_pages_that_are_links_or_no_files_are_not_served(
    tmp_path: Path,
) -> None:
    runs = tmp_path / "runs"
    for name in ("link", "fifo", "loop"):
        (runs / name).mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    (runs / "link" / "sweep.html").symlink_to(tmp_path / "secret")
    (runs / "loop" / "sweep.html").symlink_to("sweep.html")
    os.mkfifo(runs / "fifo" / "sweep.html")
    other = Viewer(runs, token="right")
    visitor = TestClient(other.app, base_url=BASE)
    assert visitor.get("/?token=right").status_code == 200
    for name in ("link", "fifo", "loop"):
        assert visitor.get("/page", params={"path": f"{name}/sweep.html"}).status_code == 404


def test_a_folder_whose_name_is_no_text_hides_no_other_run(tmp_path: Path) -> None:
    for name in (b"good", b"bad\xff"):
        smoke_run(tmp_path / "one", repeats=1, limit=1)
        os.renames(os.fsencode(tmp_path / "one"), os.fsencode(tmp_path / "runs") + b"/" + name)
    visitor = TestClient(Viewer(tmp_path / "runs", token="right").app, base_url=BASE)
    assert visitor.get("/?token=right").status_code == 200
    states = {run["key"]: run["state"] for run in visitor.get("/runs.json").json()["runs"]}
    assert states == {"good": "done", "bad\\xff": "unreadable"}
    for page in ("board", "report"):
        answer = visitor.get(f"/{page}", params={"run": "bad\\xff"})
        assert answer.status_code == 422 and "Rename its folder" in answer.text


@pytest.mark.parametrize("query", ["", "run=one", "run=one&run=one"])
def test_too_few_runs_are_told(client: TestClient, query: str) -> None:
    assert client.get(f"/compare?{query}").status_code == 400


def test_names_from_others_are_no_markup(client: TestClient, folder: Path) -> None:
    answer = client.get("/board", params={"run": "<script>alert(1)</script>"})
    assert answer.status_code == 404 and "<script>alert" not in answer.text


def test_an_address_is_answered_as_soon_as_it_is_known() -> None:
    with bind(0) as listening:
        socket.create_connection(listening.getsockname(), timeout=5).close()


def test_a_port_that_is_taken_is_told() -> None:
    with bind(0) as first, pytest.raises(ConfigError, match="Give another one"):
        bind(first.getsockname()[1])


@pytest.mark.slow
def test_the_command_serves_until_it_is_interrupted(folder: Path) -> None:
    command = [sys.executable, "-m", "k2eval", "view", str(folder)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"COLUMNS": "80"}
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        with httpx.Client(follow_redirects=True, trust_env=False, timeout=60) as client:
            assert '"name":"one"' in client.get(address).text
        process.send_signal(signal.SIGINT)
        assert process.wait(240) in (0, 130)
