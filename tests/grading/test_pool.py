import asyncio
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import pytest

from k2eval.errors import ConfigError
from k2eval.grading import GradingJob, GradingPool, dispatcher, grade_all, seat
from k2eval.grading.process import WorkerProcess
from k2eval.records import Grade, Outcome, Response
from tests.grading.conftest import make_question

ROGUE = "tests.grading.rogue"
SLOW = "tests.grading.slow"


@pytest.fixture(scope="module")
def pool() -> Iterator[GradingPool]:
    """One worker and a limit of a second: what a test does to its worker, the next test must survive."""
    with GradingPool(1, limit_s=1.0, stall_s=1.5) as pool:
        yield pool


def response(text: str) -> Response:
    fields = {"selected": "k", "generations": ("k",), "output_tokens": 1, "recipe_tokens": 1}
    return Response.model_validate({"text": text, "finish_reason": "stop", **fields})


def grade(pool: GradingPool, text: str, *, gold: str = "x", grader: str = ROGUE) -> Grade:
    return pool.submit(GradingJob(make_question(gold), text, False, grader)).result(timeout=240)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def eventually(condition: object, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


async def test_grades_asynchronously() -> None:
    async with GradingPool(2) as pool:
        grades = await asyncio.gather(
            pool.grade_response(make_question("73"), response(r"\boxed{073}")),
            pool.grade_response(make_question("73"), response(r"\boxed{74}")),
            pool.grade_response(make_question("B", options=("x", "y")), response(r"\boxed{B}")),
            pool.grade_response(make_question("73"), response(r"<think> \boxed{73}")),
        )
    assert [graded.outcome for graded in grades] == ["correct", "wrong", "correct", "truncated"]


def test_an_answer_that_hangs_is_timeout_and_scores_zero(pool: GradingPool) -> None:
    graded = grade(pool, "hang")
    assert (graded.outcome, graded.score) == (Outcome.TIMEOUT, 0.0)
    assert "1 s" in graded.detail["reason"]


def test_an_answer_whose_worker_never_computes_is_our_failure_after_one_more_try(pool: GradingPool) -> None:
    grade(pool, "warm-up")
    start = time.monotonic()
    graded = grade(pool, "sleep 60")
    assert (graded.outcome, graded.score) == (Outcome.GRADER_ERROR, None)
    assert "no progress" in graded.detail["reason"]
    assert time.monotonic() - start < 20


def test_a_stopped_worker_costs_no_answer(pool: GradingPool) -> None:
    worker = int(grade(pool, "pid").extracted or 0)
    os.kill(worker, signal.SIGSTOP)
    assert grade(pool, "x").outcome is Outcome.CORRECT
    assert not is_alive(worker)


def test_a_worker_that_goes_on_within_the_limit_is_not_replaced() -> None:
    with GradingPool(1, limit_s=1.0, stall_s=60.0) as pool:
        worker = int(grade(pool, "pid").extracted or 0)
        os.kill(worker, signal.SIGSTOP)
        future = pool.submit(GradingJob(make_question("x"), "pid", False, ROGUE))
        time.sleep(2.5)  # more wall time than the limit of processor time
        os.kill(worker, signal.SIGCONT)
        assert int(future.result(timeout=240).extracted or 0) == worker


def test_a_worker_without_a_processor_is_not_timed_out() -> None:
    core = min(os.sched_getaffinity(0))
    burn = f"import os\nos.sched_setaffinity(0, {{{core}}})\nwhile True: pass"
    with GradingPool(1, limit_s=1.0, stall_s=1.5) as pool:
        worker = int(grade(pool, "pid").extracted or 0)
        os.sched_setaffinity(worker, {core})
        burners = [subprocess.Popen([sys.executable, "-c", burn]) for _ in range(3)]
        try:
            start = time.monotonic()
            assert grade(pool, "compute 0.7").outcome is Outcome.WRONG
            assert time.monotonic() - start > 1.5
        finally:
            for burner in burners:
                burner.kill()
                burner.wait()


def test_a_grader_that_does_not_load_is_our_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seat, "START_LIMIT_S", 1.0)
    with GradingPool(1) as pool:
        graded = grade(pool, "x", grader="tests.grading.never_loads")
    assert (graded.outcome, graded.score) == (Outcome.GRADER_ERROR, None)


def test_a_worker_that_hung_is_replaced(pool: GradingPool) -> None:
    before = grade(pool, "pid").extracted
    grade(pool, "hang")
    after = grade(pool, "pid").extracted
    assert before != after and not is_alive(int(before or 0))


def test_a_hung_worker_dies_with_its_children(pool: GradingPool) -> None:
    worker = int(grade(pool, "pid").extracted or 0)
    future = pool.submit(GradingJob(make_question("x"), "child", False, ROGUE))
    children = Path(f"/proc/{worker}/task/{worker}/children")
    assert eventually(lambda: children.read_text().split())
    child = int(children.read_text().split()[0])
    assert future.result(timeout=240).outcome is Outcome.TIMEOUT
    assert eventually(lambda: not is_alive(child))


def test_a_worker_that_dies_is_grader_error_after_one_more_try(pool: GradingPool) -> None:
    graded = grade(pool, "die")
    assert (graded.outcome, graded.score) == (Outcome.GRADER_ERROR, None)
    assert "SIGKILL" in graded.detail["reason"]


def test_an_answer_whose_worker_died_once_is_graded(pool: GradingPool, tmp_path: Path) -> None:
    text = f"die-once {tmp_path / 'marker'}"
    assert grade(pool, text, gold=text).outcome is Outcome.CORRECT


def test_the_others_of_a_batch_survive_its_culprit(pool: GradingPool) -> None:
    texts = ["x"] * 20 + ["hang"] + ["x"] * 20 + ["die"] + ["x"] * 20
    futures = [pool.submit(GradingJob(make_question("x"), text, False, ROGUE)) for text in texts]
    outcomes = [future.result(timeout=240).outcome for future in futures]
    assert outcomes[20] is Outcome.TIMEOUT and outcomes[41] is Outcome.GRADER_ERROR
    assert outcomes.count(Outcome.CORRECT) == 60


def test_an_exception_in_a_grader_is_grader_error(pool: GradingPool) -> None:
    graded = grade(pool, "raise")
    assert graded.outcome is Outcome.GRADER_ERROR and "a fault in the grader" in graded.detail["reason"]


def test_an_answer_that_needs_too_much_memory_is_memory(pool: GradingPool) -> None:
    assert grade(pool, "hoard").outcome is Outcome.MEMORY


def test_answers_before_leave_no_more_behind_than_a_worker_may_keep(pool: GradingPool) -> None:
    remembered = [int(str(grade(pool, f"remember {number}").extracted)) for number in range(6)]
    assert remembered[:2] == [1, 2] and remembered[-1] < 6


def test_printing_graders_do_not_disturb_the_answers(pool: GradingPool) -> None:
    assert grade(pool, "chatter", gold="chatter").outcome is Outcome.CORRECT


def test_unpaired_surrogates_and_nul_bytes_arrive(pool: GradingPool) -> None:
    text = "a\ud800b\0c"
    assert grade(pool, text, gold=text).outcome is Outcome.CORRECT


def test_ten_megabytes_of_text_arrive(pool: GradingPool) -> None:
    text = "x" * 10_000_000
    assert grade(pool, text, gold=text).outcome is Outcome.CORRECT


def test_a_grader_with_its_own_limit_is_our_failure_when_it_expires(pool: GradingPool) -> None:
    question = make_question("x", metadata={"limit_s": 0.5})
    graded = pool.submit(GradingJob(question, "sleep 60", False, SLOW)).result(timeout=240)
    assert (graded.outcome, graded.score) == (Outcome.GRADER_ERROR, None)


def test_a_grader_with_its_own_limit_may_exceed_the_default(pool: GradingPool) -> None:
    question = make_question("sleep 1.5", metadata={"limit_s": 30})
    assert (
        pool.submit(GradingJob(question, "sleep 1.5", False, SLOW)).result(timeout=240).outcome
        is Outcome.CORRECT
    )


def test_an_unknown_grader_is_refused_with_a_suggestion(pool: GradingPool) -> None:
    with pytest.raises(ConfigError, match="math"):
        pool.submit(GradingJob(make_question("x"), "x", False, "maths"))


def test_no_workers_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        GradingPool(0)


def test_closing_does_not_wait_for_a_hung_worker() -> None:
    pool = GradingPool(1, limit_s=600)
    future = pool.submit(GradingJob(make_question("x"), "hang", False, ROGUE))
    assert eventually(lambda: pool.pids())
    pids = pool.pids()
    start = time.monotonic()
    pool.close()
    assert time.monotonic() - start < 5
    assert future.cancelled() and not any(is_alive(pid) for pid in pids)


def test_a_closed_pool_refuses_answers() -> None:
    pool = GradingPool(1)
    pool.close()
    with pytest.raises(ConfigError, match="closed"):
        pool.submit(GradingJob(make_question("x"), "x", False, ROGUE))


def test_grade_all_keeps_the_order() -> None:
    items = (
        GradingJob(make_question(str(index)), str(index if index % 3 else -1), False, ROGUE)
        for index in range(500)
    )
    outcomes = [graded.outcome for graded in grade_all(items, 2)]
    assert [outcome is Outcome.WRONG for outcome in outcomes] == [index % 3 == 0 for index in range(500)]


def test_grade_all_reads_no_further_than_it_must() -> None:
    seen: list[int] = []

    def endless() -> Iterator[GradingJob]:
        for index in count():
            seen.append(index)
            yield GradingJob(make_question("x"), "x", False, ROGUE)

    graded = grade_all(endless(), 1)
    assert len(list(islice(graded, 100))) == 100
    graded.close()  # type: ignore[attr-defined]
    assert len(seen) < 1000


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_its_parent(end: signal.Signals) -> None:
    program = (
        "from k2eval.grading import GradingPool, GradingJob\n"
        "from tests.grading.conftest import make_question\n"
        "import time\n"
        "with GradingPool(2) as pool:\n"
        f"    futures = [pool.submit(GradingJob(make_question('x'), 'hang', False, {ROGUE!r})) for _ in range(2)]\n"
        "    while len(pool.pids()) < 2: time.sleep(0.05)\n"
        "    time.sleep(0.5)\n"
        "    print(*pool.pids(), flush=True)\n"
        "    futures[0].result()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert parent.stdout is not None
    with parent.stdout:
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2 and all(is_alive(pid) for pid in pids)
        parent.send_signal(end)
        parent.wait(timeout=240)
    assert eventually(lambda: not any(is_alive(pid) for pid in pids))


def test_importing_the_pool_imports_no_algebra() -> None:
    program = (
        "import sys, k2eval.grading, k2eval.grading.math.grader, k2eval.grading.choice\n"
        "print([name for name in ('sympy', 'math_verify', 'latex2sympy2_extended') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == "[]"


def test_workers_start_before_the_first_answer_where_graders_are_named() -> None:
    with GradingPool(1, graders=["math"]) as pool:
        deadline = time.monotonic() + 240
        while not pool.pids() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(pool.pids()) == 1


def test_a_grader_that_cannot_be_loaded_early_stops_no_other() -> None:
    with GradingPool(1, graders=["nonsense"]) as pool:
        grade = pool.submit(GradingJob(make_question(gold="35"), r"\boxed{35}")).result(timeout=240)
    assert grade.outcome is Outcome.CORRECT


def test_hastened_workers_take_their_share_of_the_processors() -> None:
    with GradingPool(1, idle=True) as pool:
        policies = []
        for _ in range(2):
            grade(pool, r"\boxed{73}", gold="73", grader="math")
            policies += [os.sched_getscheduler(pid) for pid in pool.pids()]
            pool.hasten()
    assert policies == [os.SCHED_IDLE, os.SCHED_OTHER]


def test_an_answer_whose_worker_is_hastened_is_graded_by_another(tmp_path: Path) -> None:
    with GradingPool(1, idle=True) as pool:
        text = f"sleep-once {tmp_path / 'started'}"
        result = pool.submit(GradingJob(make_question(text), text, False, ROGUE))
        assert eventually((tmp_path / "started").exists, 60)
        pool.hasten()
        assert result.result(timeout=240).outcome is Outcome.CORRECT


def test_a_worker_that_is_killed_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with GradingPool(1) as pool:
        grade(pool, r"\boxed{73}", gold="73", grader="math")
        [pid] = pool.pids()
        (tmp_path / f"k2eval-{pid}-left").touch()
        grade(pool, "die")
        assert eventually(lambda: not list(tmp_path.iterdir()))


def test_workers_that_cannot_be_started_are_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[WorkerProcess] = []

    def start(idle: bool) -> WorkerProcess:
        if started:
            raise BlockingIOError("Resource temporarily unavailable")
        started.append(WorkerProcess(idle))
        return started[0]

    monkeypatch.setattr(dispatcher, "WorkerProcess", start)
    with GradingPool(3) as pool:
        futures = [pool.submit(GradingJob(make_question("x"), "x", False, ROGUE)) for _ in range(50)]
        assert {future.result(60).outcome for future in futures} == {Outcome.CORRECT}


def test_no_worker_at_all_is_our_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(idle: bool) -> WorkerProcess:
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr(dispatcher, "WorkerProcess", start)
    with GradingPool(3) as pool:
        graded = grade(pool, "x")
    assert graded.outcome is Outcome.GRADER_ERROR and "temporarily unavailable" in graded.detail["reason"]


def test_a_reply_that_is_no_grade_is_our_failure(pool: GradingPool) -> None:
    graded = grade(pool, "forge")
    assert graded.outcome is Outcome.GRADER_ERROR and "no grade" in graded.detail["reason"]
    assert grade(pool, "x").outcome is Outcome.CORRECT


def test_garbage_is_looked_for_less_often_while_a_pool_is_open() -> None:
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    try:
        with GradingPool(1):
            assert gc.get_threshold()[0] > 700
        assert gc.get_threshold() == (700, 10, 10)
    finally:
        gc.set_threshold(*before)
