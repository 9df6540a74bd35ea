"""The runner: everything is made once, graded meanwhile, and kept, whatever goes wrong."""

import asyncio
import io
import json
import os
import resource
import signal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from k2eval.engines.protocol import EngineInfo
from k2eval.engines.scripted import ScriptedEngine
from k2eval.errors import EngineStopped, JournalError
from k2eval.grading.pool import GradingPool
from k2eval.journal import VERDICTS, read_run
from k2eval.reasoning import Detection, format_named
from k2eval.records import Grade, Note, NoteKind, Outcome, Question, Request, Response, derive_seed
from k2eval.run.runner import Runner, Summary
from tests.run_records import note
from tests.scripted_runs import carry_out, config, generations, right, verdicts


async def test_every_sample_is_made_and_graded_once(tmp_path: Path) -> None:
    summary, engine = await carry_out(config(tmp_path / "run"))
    assert summary == Summary(total=12, done=12, infrastructure=0, generated=12, interrupted=False)
    assert len(engine.requests) == len({request.key for request in engine.requests}) == 12
    assert len((tmp_path / "run" / VERDICTS).read_text().splitlines()) == 12
    assert read_run(tmp_path / "run").complete is True


async def test_a_second_start_asks_nothing_and_changes_nothing(tmp_path: Path) -> None:
    await carry_out(config(tmp_path / "run"))
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    summary, engine = await carry_out(config(tmp_path / "run"))
    assert (summary.done, summary.generated, engine.requests) == (12, 0, [])
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


async def test_questions_of_several_steps_begin_first(tmp_path: Path) -> None:
    _, engine = await carry_out(
        config(tmp_path / "run", tasks=("nano_math", "nano_science"), limit=1, repeats=1)
    )
    assert [request.task for request in engine.requests[:2]] == ["nano_science", "nano_math"]


async def test_seeds_depend_on_the_place_alone(tmp_path: Path) -> None:
    _, engine = await carry_out(config(tmp_path / "a"))
    _, other = await carry_out(config(tmp_path / "b", limit=3), name="another checkpoint")
    seeds = {(request.question_id, request.repeat_index): request.seed for request in engine.requests}
    assert len(set(seeds.values())) == 12
    assert all(seeds[request.question_id, request.repeat_index] == request.seed for request in other.requests)
    first = engine.requests[0]
    place = next(iter(verdicts(tmp_path / "b"))).sample_key._replace(
        question_id=first.question_id, repeat_index=first.repeat_index
    )
    assert first.seed == derive_seed(0, place, "solve")


async def test_more_runs_and_questions_reuse_what_is_there(tmp_path: Path) -> None:
    await carry_out(config(tmp_path / "run", limit=3, repeats=2))
    _, engine = await carry_out(config(tmp_path / "run", limit=5, repeats=3))
    assert len(engine.requests) == 15 - 6
    assert len(verdicts(tmp_path / "run")) == 15


async def test_fewer_runs_are_complete_without_shrinking_the_run(tmp_path: Path) -> None:
    await carry_out(config(tmp_path / "run", limit=3, repeats=2))
    summary, engine = await carry_out(config(tmp_path / "run", limit=2, repeats=1))
    assert (summary.total, summary.done, engine.requests) == (2, 2, [])
    run = read_run(tmp_path / "run")
    assert (run.complete, run.tasks["smoke"].repeats, run.tasks["smoke"].questions) == (True, 2, 3)


async def test_a_part_of_an_unfinished_run_does_not_make_it_complete(tmp_path: Path) -> None:
    def dies(request: Request) -> str:
        if request.repeat_index:
            raise EngineStopped("gone")
        return right(request)

    with pytest.raises(EngineStopped):
        await carry_out(config(tmp_path / "run", limit=3, repeats=2), dies, capacity=1)
    await carry_out(config(tmp_path / "run", limit=3, repeats=1))
    assert read_run(tmp_path / "run").complete is False


async def test_another_checkpoint_is_refused_in_the_same_directory(tmp_path: Path) -> None:
    await carry_out(config(tmp_path / "run"))
    with pytest.raises(JournalError, match=r"The differences:\n  model: .* there, .* now"):
        await carry_out(config(tmp_path / "run"), name="another")


async def test_a_directory_where_nothing_was_made_binds_nothing(tmp_path: Path) -> None:
    def dies(request: Request) -> str:
        raise EngineStopped("gone")

    with pytest.raises(EngineStopped):
        await carry_out(config(tmp_path / "run"), dies)
    summary, _ = await carry_out(config(tmp_path / "run", seed=5), name="another")
    assert summary.done == 12


async def test_replayed_generations_count_in_no_speed(tmp_path: Path) -> None:
    await carry_out(config(tmp_path / "run", limit=3))
    (tmp_path / "run" / VERDICTS).write_text("")
    await carry_out(config(tmp_path / "run", limit=3))
    first, second = read_run(tmp_path / "run").sessions
    assert (first.generated, first.replayed) == (6, 0)
    assert (second.generated, second.replayed, second.generated_tokens) == (0, 6, 0)
    assert len(verdicts(tmp_path / "run")) == 6


async def test_texts_that_no_encoding_has_are_kept_and_graded(tmp_path: Path) -> None:
    await carry_out(config(tmp_path / "run", limit=1), lambda request: "\x00\ud800\u2028 \\boxed{35}\x00")
    assert {generation.text for generation in generations(tmp_path / "run")} == {
        "\x00\ud800\u2028 \\boxed{35}\x00"
    }
    assert not any(verdict.outcome.is_infrastructure for verdict in verdicts(tmp_path / "run"))


async def test_grading_goes_on_while_the_engine_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graded_at_request: list[int] = []
    graded = 0

    async def grade(pool: GradingPool, question: Question, response: Response) -> Grade:
        nonlocal graded
        graded += 1
        return Grade.of(Outcome.CORRECT)

    def script(request: Request) -> str:
        graded_at_request.append(graded)
        return right(request)

    monkeypatch.setattr(GradingPool, "grade_response", grade)
    await carry_out(config(tmp_path / "run"), script, capacity=1)
    assert graded_at_request[-1] > 0


async def test_no_more_responses_wait_for_their_grade_than_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting, most = 0, 0

    async def grade(pool: GradingPool, *_: Any, **__: Any) -> Grade:
        nonlocal waiting, most
        waiting += 1
        most = max(most, waiting)
        await asyncio.sleep(0.01)
        waiting -= 1
        return Grade.of(Outcome.CORRECT)

    monkeypatch.setattr(GradingPool, "grade_response", grade)
    monkeypatch.setattr("k2eval.run.queue._GRADING_BACKLOG", 3)
    monkeypatch.setattr("k2eval.run.queue._OF_PLACES", 64)
    monkeypatch.setattr("k2eval.run.queue._OF_WORKERS", 1)
    summary, _ = await carry_out(config(tmp_path / "run", workers=2))
    assert (summary.done, most) == (12, 3)


async def test_many_samples_begin_in_portions_so_that_answers_are_taken_meanwhile(tmp_path: Path) -> None:
    begun, portions = 0, []

    def script(request: Request) -> str:
        nonlocal begun
        begun += 1
        return right(request)

    async def watch() -> None:
        while True:
            before = begun
            await asyncio.sleep(0)
            portions.append(begun - before)

    watching = asyncio.create_task(watch())
    await carry_out(config(tmp_path / "run", repeats=50), script, capacity=300)
    watching.cancel()
    assert sum(portions) == 300 and max(portions) <= 2 * 64


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGINT, "Stopping in order. Press Ctrl-C again to stop at once."),
        (signal.SIGTERM, "Got SIGTERM: stopping in order."),
        (signal.SIGHUP, "Got SIGHUP: stopping in order."),
    ],
)
async def test_a_signal_ends_the_run_in_order(tmp_path: Path, number: signal.Signals, words: str) -> None:
    def script(request: Request) -> str:
        if len(generations(tmp_path / "run")) == 4:
            os.kill(os.getpid(), number)
        return right(request)

    out = io.StringIO()
    handler = signal.getsignal(number)
    summary, _ = await carry_out(config(tmp_path / "run"), script, out, capacity=1, delay_s=0.01)
    assert summary.interrupted and summary.signal == number and summary.generated < 12
    assert words in out.getvalue()
    assert signal.getsignal(number) is handler
    assert read_run(tmp_path / "run").sessions[0].generated == summary.generated
    summary, _ = await carry_out(config(tmp_path / "run"))
    assert summary.done == 12 and not summary.interrupted
    assert len(generations(tmp_path / "run")) == 12


async def test_an_engine_that_a_signal_ended_too_is_no_error(tmp_path: Path) -> None:
    def script(request: Request) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        raise EngineStopped("the signal reached the engine first")

    summary, _ = await carry_out(config(tmp_path / "run"), script, capacity=1)
    assert summary.interrupted


class Starting(ScriptedEngine):
    """An engine whose start takes for ever."""

    async def __aenter__(self) -> "Starting":
        asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGINT)
        await asyncio.sleep(60)
        return self


async def test_a_signal_while_the_engine_starts_ends_the_run(tmp_path: Path) -> None:
    engine = Starting(right)
    summary = await Runner(config(tmp_path / "run"), {"solver": engine}, Console(file=io.StringIO())).run()
    assert (summary.interrupted, summary.done) == (True, 0)


async def test_lines_off_a_terminal_are_few_and_say_how_far_it_is(tmp_path: Path) -> None:
    out = io.StringIO()
    await carry_out(config(tmp_path / "run"), out=out)
    lines = out.getvalue().splitlines()
    assert lines[0] == "Starting scripted …"
    assert lines[1] == "Reasoning: auto (each response tells; the checkpoint does not)"
    assert len(lines) == 3
    assert lines[2].startswith("12/12 samples, ") and "smoke 12/12 at 16.7%" in lines[2]


async def test_the_terminal_shows_a_table_of_tasks(tmp_path: Path) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100)
    await Runner(config(tmp_path / "run"), {"solver": ScriptedEngine(right)}, console).run()
    shown = out.getvalue()
    assert "12/12" in shown and "truncated %" in shown and "\x1b[?25h" in shown


class Small(ScriptedEngine):
    """An engine whose context is smaller than what tasks allow."""

    @property
    def info(self) -> EngineInfo:
        return super().info.model_copy(
            update={"context": 4096, "notes": (note("plain text", NoteKind.ENGINE),)}
        )


async def test_what_a_reader_must_know_is_printed_and_kept(tmp_path: Path) -> None:
    out = io.StringIO()
    await Runner(config(tmp_path / "run"), {"solver": Small(right)}, Console(file=out, width=300)).run()
    notes = read_run(tmp_path / "run").engine.notes
    assert notes[0] == note("plain text", NoteKind.ENGINE)
    assert notes[1].kind is NoteKind.CONTEXT
    assert notes[1].text.startswith(
        "max_tokens is 64000, but prompt and answer must fit a context of 4096 tokens"
    )
    assert out.getvalue().count("max_tokens is 64000") == 1


@pytest.mark.slow
async def test_twenty_thousand_samples_need_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts of 20 KB each, 400 MB in all, with grades that are made up, so that the runner alone is measured."""

    async def grade(pool: GradingPool, *_: Any, **__: Any) -> Grade:
        return Grade.of(Outcome.WRONG, "1")

    monkeypatch.setattr(GradingPool, "grade_response", grade)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    summary, engine = await carry_out(
        config(tmp_path / "run", limit=50, repeats=400),
        lambda request: f"{request.seed} " + "x" * 20_000,
        capacity=512,
    )
    assert summary.done == 20_000
    engine.requests.clear()
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert used < 300_000, f"{used} KiB"
    assert json.loads((tmp_path / "run" / "run.json").read_text())["complete"] is True


@pytest.mark.parametrize(
    ("setting", "text", "changes", "is_noted"),
    [
        ("mistral", "hm [THINK] \\boxed{35}", {}, True),
        ("mistral", "[THINK]hm[/THINK]\\boxed{35}", {}, False),
        ("mistral", "\\boxed{35}", {"thinking": False}, False),
        ("harmony", "\\boxed{35}", {}, True),
        ("auto", "\\boxed{35}", {}, False),
        ("none", "\\boxed{35}", {}, False),
    ],
)
async def test_a_format_that_is_set_and_that_no_answer_shows_is_noted(
    tmp_path: Path, setting: str, text: str, changes: dict[str, Any], is_noted: bool
) -> None:
    settings = config(tmp_path / "run", reasoning=setting, **changes)
    detection = Detection(format_named(setting), "as set")
    await carry_out(settings, lambda request: text, reasoning=detection)
    notes = [note for note in read_run(settings.out).engine.notes if note.kind is NoteKind.REASONING]
    assert [note.text.partition(":")[0] for note in notes] == [
        f"none of 12 answers shows a mark of the reasoning format {setting}, which is set"
    ] * is_noted


async def test_what_happened_to_replicas_in_an_earlier_start_stays_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = ScriptedEngine.info.fget  # type: ignore[attr-defined]
    for number, texts in enumerate((["replica 1 died"], ["replica 1 died", "replica 0 hung"], []), 1):
        notes = tuple(Note(kind=NoteKind.REPLICAS, text=text) for text in texts)

        def told(engine: ScriptedEngine, notes: tuple[Note, ...] = notes) -> EngineInfo:
            return honest(engine).model_copy(update={"notes": notes})  # type: ignore[no-any-return]

        with monkeypatch.context() as patch:
            patch.setattr(ScriptedEngine, "info", property(told))
            await carry_out(config(tmp_path / "run", limit=number))
    assert [note.text for note in read_run(tmp_path / "run").engine.notes] == [
        "in an earlier start: replica 1 died",
        "in an earlier start: replica 0 hung",
    ]


@pytest.mark.parametrize("told", [True, False], ids=["in order", "killed before its session was written"])
async def test_answers_of_an_earlier_start_that_did_not_honour_seeds_stay_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    """Speculation with when=auto is decided anew in each start."""
    with monkeypatch.context() as patch:
        honest = ScriptedEngine.info.fget  # type: ignore[attr-defined]
        patch.setattr(
            ScriptedEngine,
            "info",
            property(lambda engine: honest(engine).model_copy(update={"honours_seeds": False})),
        )
        await carry_out(config(tmp_path / "run", limit=1))
    if not told:
        path = tmp_path / "run" / "run.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"sessions": []}))
    await carry_out(config(tmp_path / "run", limit=2))
    assert read_run(tmp_path / "run").reproducible is False
