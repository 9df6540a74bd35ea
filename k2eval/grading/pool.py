"""Grade in worker processes, with a hard limit on the cost of one answer.

A thread, or above `MOST_OF_A_CREW` workers a process of its own, feeds the workers and waits for them. So a stalled
event loop cannot turn a finished answer into a timeout, and the same pool serves ``await pool.grade_response(…)``
and `grade_all`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, InvalidStateError
from types import TracebackType
from typing import NamedTuple, Self

import orjson
from pydantic import ValidationError

from k2eval.errors import ConfigError, DataError
from k2eval.grading import seat
from k2eval.grading.channel import Channel
from k2eval.grading.crews import Crews
from k2eval.grading.dispatcher import BATCH, Dispatcher
from k2eval.grading.process import STALL_LIMIT_S
from k2eval.grading.questions import QuestionCache
from k2eval.grading.registry import DEFAULT_LIMIT_S, grader_for, grader_name
from k2eval.reasoning import AUTO
from k2eval.records import Grade, Outcome, Question, ReasoningFormat, Response
from k2eval.system import cores, rare_collections

MOST_OF_A_CREW = 32
"""Workers that one thread feeds at its ease. If there are more, crews of at most so many share them."""


class GradingJob(NamedTuple):
    """One response to grade."""

    question: Question
    text: str
    truncated: bool = False
    grader: str | None = None
    """Name of the grader; None for the one that the question asks for."""
    reasoning: ReasoningFormat = AUTO
    """The reasoning format of whoever wrote the text."""
    answer_start: int | None = None
    """Where in the text the answer starts, if a server split reasoning off."""

    @classmethod
    def of(cls, question: Question, response: Response) -> Self:
        """Return the job to grade a recipe's response."""
        cut = response.finish_reason == "length"
        return cls(
            question, response.text, cut, reasoning=response.reasoning, answer_start=response.answer_start
        )


class GradingPool:
    """Processes that grade.

    An answer whose comparison does not end is ``timeout`` (wrong): its worker demonstrably computed for the whole
    limit. A worker that dies or stalls is replaced, and its answer is tried once more before it is
    ``grader_error``. Use as ``with`` or ``async with``; start it before any engine.

    Args:
        workers: Number of processes, at least 1.
        limit_s: Seconds of processor time that one answer may cost. A grader that runs programs sets its own limit,
            of wall time; exceeding that limit is never the answer's fault.
        stall_s: Seconds without any progress after which a worker counts as stalled.
        graders: Graders that the workers load at once; others are loaded when they are first needed.
        idle: Whether the workers take only the processor time that nothing else wants, instead of less than others.
        crew: Most workers of a crew. If there are more, crews share them.
        nodes: Whether crews of other nodes may join; see `Crews.join`.
    """

    def __init__(
        self,
        workers: int,
        *,
        limit_s: float = DEFAULT_LIMIT_S,
        stall_s: float = STALL_LIMIT_S,
        graders: Iterable[str] = (),
        idle: bool = False,
        crew: int = MOST_OF_A_CREW,
        nodes: bool = False,
    ) -> None:
        if workers < 1:
            raise ConfigError(f"Expected at least 1 grading worker, got {workers}.")
        self._limit_s = limit_s
        self._closing = False
        self._forms: dict[ReasoningFormat, bytes] = {}
        self._mail = _Mail()
        self._within = contextlib.ExitStack()
        if workers <= crew and not nodes:
            self._crew: Dispatcher | Crews = Dispatcher(
                workers, stall_s=stall_s, start_limit_s=seat.START_LIMIT_S, graders=graders, idle=idle
            )
            self._questions = QuestionCache()
        else:
            self._crew = Crews(_sizes(workers, crew), stall_s=stall_s, graders=graders, idle=idle)
            self._questions = QuestionCache(self._crew.forget_questions)

    def submit(self, item: GradingJob) -> Future[Grade]:
        """Queue one response; the future gives its grade.

        Raises:
            ConfigError: If there is no such grader, or the pool is closed.
        """
        result: Future[Grade] = Future()

        def finish(grade: Grade) -> None:
            with contextlib.suppress(InvalidStateError):  # cancelled meanwhile
                result.set_result(grade)

        self._queue(item, finish, result.cancel)
        return result

    def _queue(self, item: GradingJob, finish: Callable[[Grade], None], cancel: Callable[[], object]) -> None:
        question, text, truncated, named, reasoning, answer_start = item
        grader = grader_for(grader_name(question, named))
        try:
            limit_s = grader.limit(question, self._limit_s)
        except DataError as error:
            finish(Grade.of(Outcome.GRADER_ERROR, reason=str(error)[:500]))
            return
        if self._closing:
            raise ConfigError("Expected an open grading pool, got one that is closed.")
        number, as_json = self._questions.json_of(question)
        rest = b'"grader":%b,"truncated":%b,"answer_start":%b,"reasoning":%b,"text":%b' % (
            orjson.dumps(grader.name),
            orjson.dumps(truncated),
            orjson.dumps(answer_start),
            self._form(reasoning),
            _as_json(text),
        )
        self._crew.put(
            seat.Job(
                as_json, rest, grader.name, limit_s, grader.time_limit is not None,
                lambda reply: finish(_grade_of(reply)), cancel, number,
            )
        )  # fmt: skip

    def _form(self, reasoning: ReasoningFormat) -> bytes:
        found = self._forms.get(reasoning)
        if found is None:
            found = self._forms[reasoning] = json.dumps(reasoning.model_dump(mode="json")).encode()
        return found

    def hasten(self) -> None:
        """Let workers take their share of the processors from now on, even if they were idle ones so far.

        The kernel lets nobody but root raise a process, so idle workers are replaced, and their answers graded anew.
        """
        self._crew.hasten()

    async def grade_response(self, question: Question, response: Response) -> Grade:
        """Grade a recipe's response."""
        result: asyncio.Future[Grade] = asyncio.get_running_loop().create_future()

        def finish(grade: Grade | None = None) -> None:
            self._mail.send(result, grade)

        self._queue(GradingJob.of(question, response), finish, finish)
        return await result

    @property
    def workers(self) -> int:
        """Number of workers, those of other nodes included."""
        return self._crew.workers

    @property
    def waiting(self) -> int:
        """Number of answers that no worker has yet, nor a crew."""
        return self._crew.waiting

    def join(self, channel: Channel, tell: Callable[[str], None]) -> None:
        """Take in a crew of another node; see `Crews.join`. The pool must have been made for nodes."""
        assert isinstance(self._crew, Crews)
        self._crew.join(channel, tell)

    def pids(self) -> list[int]:
        """Return the process ids of the living workers."""
        return self._crew.pids()

    def close(self) -> None:
        """End all workers, hung ones too. Answers that are still being graded are cancelled."""
        self._closing = True
        self._crew.close()

    def __enter__(self) -> Self:
        self._within.enter_context(rare_collections())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._within.close()
        self.close()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._within.close()
        await asyncio.to_thread(self.close)


def _sizes(workers: int, most: int) -> list[int]:
    """Return the sizes of as few crews as possible, as equal as possible.

    >>> _sizes(31, 8), _sizes(9, 8)
    ([8, 8, 8, 7], [5, 4])
    """
    crews = -(-workers // most)
    return [workers // crews + (index < workers % crews) for index in range(crews)]


class _Mail:
    """Grades on their way to event loops, which are woken once for all that has come meanwhile."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Grade], Grade | None]]] = {}
        self._lock = threading.Lock()

    def send(self, result: asyncio.Future[Grade], grade: Grade | None) -> None:
        """Give a future its grade, or cancel it if there is none; from any thread."""
        loop = result.get_loop()
        with self._lock:
            is_awake = loop in self._waiting
            self._waiting.setdefault(loop, []).append((result, grade))
        if not is_awake:
            try:
                loop.call_soon_threadsafe(self._deliver, loop)
            except RuntimeError:  # the loop has ended
                with self._lock:
                    del self._waiting[loop]

    def _deliver(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            mail = self._waiting.pop(loop)
        for result, grade in mail:
            if result.done():
                continue
            if grade is None:
                result.cancel()
            else:
                result.set_result(grade)


def _as_json(text: str) -> bytes:
    """Return a text as JSON; responses have hundreds of thousands of characters, which `json` takes its time for."""
    try:
        return orjson.dumps(text)
    except TypeError:  # unpaired surrogates
        return json.dumps(text).encode()


def _grade_of(reply: bytes) -> Grade:
    try:
        return Grade.model_validate_json(reply)
    except ValidationError:  # unpaired surrogates
        with contextlib.suppress(ValueError, RecursionError):
            return Grade.model_validate(json.loads(reply))
    return Grade.of(Outcome.GRADER_ERROR, reason="the grading process wrote something that is no grade")


def grade_all(
    items: Iterable[GradingJob], workers: int | None = None, *, limit_s: float = DEFAULT_LIMIT_S
) -> Iterator[Grade]:
    """Grade ``items`` in worker processes, in order; reads ahead only as far as keeps the workers busy.

    Args:
        items: The jobs to grade; may be endless.
        workers: Number of processes; one per processor if None.
        limit_s: Seconds that one answer may cost, if its grader sets no limit.
    """
    count = workers or cores.count()
    waiting: deque[Future[Grade]] = deque()
    with GradingPool(count, limit_s=limit_s) as pool:
        for item in items:
            waiting.append(pool.submit(item))
            if len(waiting) >= count * BATCH * 8:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
