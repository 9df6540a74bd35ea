"""The journal: what was finished is never lost, and foreign files are never touched."""

import errno
import os
import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from k2eval.errors import JournalError
from k2eval.journal import GENERATIONS, RUN, VERDICTS, Archive, Journal, read_lines, read_run
from k2eval.records import Generation, Outcome, Verdict
from tests.run_records import run_record
from tests.test_records import generation

DESCRIPTION = run_record()


def generation_of(key: str, text: str = "a") -> Generation:
    return generation(text).model_copy(update={"key": key})


def verdict(question: str = "q", outcome: Outcome = Outcome.CORRECT, task: str = "t") -> Verdict:
    return Verdict(
        task=task,
        question_id=question,
        repeat_index=0,
        outcome=outcome,
        score=float(outcome is Outcome.CORRECT),
        grader="math/1",
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run directory with two generations and one verdict."""
    out = tmp_path / "run"
    with Journal(out) as journal:
        journal.write_run(DESCRIPTION)
        journal.add_generation(generation_of("k1", "one"))
        journal.add_generation(generation_of("k2", "two\x00\ud800"))
        journal.add_verdict(verdict())
    return out


def test_what_was_added_is_there_again(folder: Path) -> None:
    with Journal(folder) as journal:
        generation = journal.find("k2")
        assert generation is not None and generation.text == "two\x00\ud800"
        assert journal.find("k3") is None
        assert journal.generation_count == 2
        assert journal.verdicts == {verdict().sample_key: verdict()}


def test_a_generation_is_found_as_soon_as_it_was_added(folder: Path) -> None:
    with Journal(folder) as journal:
        journal.add_generation(generation_of("k3", "three"))
        assert journal.find("k3") == generation_of("k3", "three")


def test_the_last_verdict_on_a_sample_counts(folder: Path) -> None:
    with Journal(folder) as journal:
        journal.add_verdict(verdict(outcome=Outcome.WRONG))
    with Journal(folder) as journal:
        assert journal.verdicts[verdict().sample_key].outcome is Outcome.WRONG


@pytest.mark.parametrize("cut", [1, 5, 100])
def test_a_torn_last_line_is_removed_with_a_warning(folder: Path, cut: int) -> None:
    path = folder / GENERATIONS
    before = path.read_bytes()
    path.write_bytes(before + generation_of("k3").to_line().encode()[:-cut])
    with pytest.warns(UserWarning, match=r"generations.jsonl: removed an unfinished last line of \d+ bytes"):
        Journal(folder).__enter__().close()
    assert path.read_bytes() == before


def test_a_last_line_that_lacks_only_its_newline_is_kept(folder: Path) -> None:
    path = folder / GENERATIONS
    path.write_bytes(path.read_bytes() + generation_of("k3", "three").to_line().encode())
    with Journal(folder) as journal:
        journal.add_generation(generation_of("k4", "four"))
    with Journal(folder) as journal:
        assert [getattr(journal.find(key), "text", None) for key in ("k3", "k4")] == ["three", "four"]


def test_a_file_torn_in_its_first_line_becomes_empty(folder: Path) -> None:
    path = folder / GENERATIONS
    path.write_bytes(b'{"key": "k')
    with pytest.warns(UserWarning, match="removed"):
        Journal(folder).__enter__().close()
    assert path.read_bytes() == b""


@pytest.mark.parametrize(
    "line", [b'{"foo": 1}\n', b"not json\n", b"[]\n", b"\n", b"\xff\xfe\n", b"\x00\x00\n", b'"\xc3\n']
)
def test_a_foreign_line_is_named_and_nothing_is_changed(folder: Path, line: bytes) -> None:
    path = folder / GENERATIONS
    content = path.read_bytes() + line + generation_of("k3").to_line().encode() + b'\n{"torn'
    path.write_bytes(content)
    with pytest.raises(
        JournalError, match=r"generations\.jsonl:3: expected a generation of k2eval, got b.*Nothing"
    ):
        Journal(folder).__enter__()
    assert path.read_bytes() == content


def test_a_foreign_file_that_ends_without_a_newline_stays_as_it_is(tmp_path: Path) -> None:
    foreign = b'{"text": "mine"}\n{"text": "mine too"}'
    (tmp_path / GENERATIONS).write_bytes(foreign)
    with pytest.raises(JournalError, match=r"generations.jsonl:1: expected a generation"):
        Journal(tmp_path).__enter__()
    assert (tmp_path / GENERATIONS).read_bytes() == foreign


def test_verdicts_of_another_runs_tasks_are_refused(folder: Path) -> None:
    with (folder / VERDICTS).open("a") as file:
        file.write(verdict(task="other").to_line() + "\n")
    with pytest.raises(
        JournalError, match=r"expected verdicts on t \(the tasks of run.json\), got one on 'other'"
    ):
        Journal(folder).__enter__()


def test_generations_without_a_description_are_refused(folder: Path) -> None:
    (folder / RUN).unlink()
    (folder / VERDICTS).unlink()
    with pytest.raises(JournalError, match=r"holds generations, but there is no run\.json"):
        Journal(folder).__enter__()


def test_a_directory_in_use_is_refused_and_free_again_afterwards(folder: Path) -> None:
    with Journal(folder), pytest.raises(JournalError, match="Another process is writing to"):
        Journal(folder)
    Journal(folder).close()


def test_a_directory_that_could_not_be_read_is_free_again(folder: Path) -> None:
    content = (folder / VERDICTS).read_bytes()
    (folder / VERDICTS).write_bytes(b"foreign\n")
    with pytest.raises(JournalError):
        Journal(folder).__enter__()
    (folder / VERDICTS).write_bytes(content)
    Journal(folder).__enter__().close()


def test_a_file_in_place_of_the_directory_is_an_error_with_advice(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match=r"Cannot write to the run directory .*Give another with --out"):
        Journal(tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_cannot_be_written_is_an_error_with_advice(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(JournalError, match=r"Cannot write to the run directory .*Give another with --out"):
        Journal(tmp_path / "run")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "Cannot read .*run.json: expected the JSON"),
        ("[]", "expected format 2, got 'list'"),
        ('{"format": 99}', "expected format 2, got 99"),
    ],
)
def test_a_description_that_is_not_ours_is_refused(folder: Path, content: str, message: str) -> None:
    (folder / RUN).write_text(content)
    with pytest.raises(JournalError, match=message):
        read_run(folder)


def test_a_folder_without_a_description_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"is not a run directory: it has no run\.json"):
        read_run(tmp_path)


def test_the_description_is_replaced_as_a_whole(folder: Path) -> None:
    with Journal(folder) as journal:
        journal.write_run(run_record(seed=5))
    assert read_run(folder) == run_record(seed=5)
    assert sorted(path.name for path in folder.iterdir()) == [".lock", GENERATIONS, RUN, VERDICTS]


def test_all_files_are_closed_though_the_disk_takes_nothing_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []

    def fail(descriptor: int) -> None:
        synced.append(descriptor)
        raise OSError("Input/output error")

    journal = Journal(folder).__enter__()
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(JournalError, match="Cannot write"):
        journal.close()
    assert len(synced) == 2
    for descriptor in synced:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


def test_a_full_disk_is_an_error_that_loses_nothing(tmp_path: Path) -> None:
    """In a process of its own, whose files may not grow beyond 4 KiB."""
    program = textwrap.dedent(f"""
        import resource, sys
        from pathlib import Path
        from k2eval.errors import JournalError
        from k2eval.journal import Journal
        from tests.journal.test_journal import DESCRIPTION, generation_of
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        with Journal(Path({str(tmp_path / "run")!r})) as journal:
            journal.write_run(DESCRIPTION)
            for number in range(100):
                try:
                    journal.add_generation(generation_of(str(number), "x" * 300))
                except JournalError as error:
                    print(number, error)
                    sys.exit(7)
    """)
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 7, result.stderr
    finished = int(result.stdout.split()[0])
    assert finished > 1
    assert "Everything finished before is kept; make room and run the same command again." in result.stdout
    assert (tmp_path / "run" / GENERATIONS).read_bytes().endswith(b"\n")
    with Journal(tmp_path / "run") as journal:
        assert journal.generation_count == finished
        journal.add_generation(generation_of("next"))


def test_a_write_that_fails_halfway_leaves_whole_lines(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal(folder) as journal:
        appender = journal._files[GENERATIONS]
        file = appender._file

        class Full:
            def write(self, data: bytes) -> int:
                if len(data) < 100:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return file.write(data[:100])

            def fileno(self) -> int:
                return file.fileno()

        monkeypatch.setattr(appender, "_file", Full())
        with pytest.raises(JournalError, match="No space left on device"):
            journal.add_generation(generation_of("k3"))
        monkeypatch.setattr(appender, "_file", file)
        assert journal.find("k3") is None
        journal.add_generation(generation_of("k4"))
    assert [generation.key for _, generation in read_lines(folder / GENERATIONS, Generation)] == [
        "k1",
        "k2",
        "k4",
    ]


def test_an_archive_finds_generations_of_several_runs(folder: Path, tmp_path: Path) -> None:
    with Journal(tmp_path / "other") as journal:
        journal.write_run(DESCRIPTION)
        journal.add_generation(generation_of("k2", "later"))
        journal.add_generation(generation_of("k3", "three"))
    archive = Archive([folder, tmp_path / "other"])
    texts = [getattr(archive.find(key), "text", None) for key in ("k1", "k2", "k3", "k4")]
    assert texts == ["one", "two\x00\ud800", "three", None]


def test_twenty_thousand_generations_are_indexed_in_little_memory(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / RUN).write_text(DESCRIPTION.to_json())
    line = generation_of("KEY", "x" * 2000).to_line()
    with (folder / GENERATIONS).open("w") as file:
        for number in range(20_000):
            file.write(line.replace("KEY", f"{number:032x}") + "\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Journal(folder) as journal:
        assert journal.generation_count == 20_000
        assert journal.find(f"{19_999:032x}") is not None
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB; the texts are 40 MB
