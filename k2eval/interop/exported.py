"""A run directory for exports: the figures of its tasks, and its samples one after another."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from k2eval.errors import ConfigError, JournalError, K2EvalError
from k2eval.journal import RunRecord, TaskRecord
from k2eval.leaderboard import TaskScores, load_run
from k2eval.recipes import reasoning_of, selected_steps, text_of
from k2eval.records import Generation, Json, Question, Verdict, digest
from k2eval.report import Samples
from k2eval.statistics import Estimate, average
from k2eval.system import replacing
from k2eval.tasks import TaskSpec, load_tasks

HIDDEN = "[left out: the authors ask that these texts not be published]"
UNKNOWN = "[the task's data is not at hand]"


@dataclass(frozen=True, slots=True)
class Sample:
    """One verdict with its question and response; texts are left out if their authors ask so."""

    verdict: Verdict
    number: int
    """Number of the question in its task, from 0."""
    messages: list[dict[str, str]]
    """The prompt; empty if the data is not at hand."""
    prompt: str
    """The prompt as one text."""
    target: str
    """The gold answer; empty for programs, whose tests are not published."""
    choices: tuple[str, ...]
    text: str
    """The selected response, raw."""
    reasoning: str
    """The text before the answer; empty if texts are left out."""
    generations: list[Generation]
    """All generations for the response; without texts if texts are left out."""

    @property
    def selected(self) -> Generation | None:
        """The selected generation; None if there is none."""
        return next(
            (generation for generation in self.generations if generation.key == self.verdict.selected), None
        )


class Run:
    """A run directory, read for an export.

    Args:
        folder: The run directory.
        data: The data folder, for prompts and golds.
        include: Folders with the user's own tasks.
        include_protected: True to write texts whose authors ask not to publish them.

    Raises:
        JournalError: If the folder is not a run directory.
    """

    def __init__(
        self,
        folder: Path,
        data: Path | None = None,
        include: Sequence[Path] = (),
        *,
        include_protected: bool = False,
    ) -> None:
        scores = load_run(folder)
        self.folder = folder
        self.info: RunRecord = scores.info
        self.scores: dict[str, TaskScores] = {
            name: task for name, task in scores.benchmarks.items() if task.graded
        }
        """Scores by name of the task, without tasks that have none."""
        self._samples = Samples.load(folder, data, include)
        self._include_protected = include_protected
        self._include = include
        if not self.scores:
            raise ConfigError(
                f"Expected a run with graded samples, got none in {folder}. Let `k2eval run` finish some first."
            )

    @property
    def notes(self) -> list[str]:
        """Texts that are missing in the export, and the reasons."""
        left_out = [name for name in self.scores if self.hidden(name)]
        others = [name for name in self.info.tasks if name not in self.scores]
        missing = [note for note in self._samples.notes if not any(f", {name}: " in note for name in others)]
        words = f"texts of {', '.join(left_out)} are left out, as their authors wish (--include-protected)"
        return [*missing, *self._samples.gaps, *([words] if left_out else [])]

    @property
    def started(self) -> str:
        """Time at which the first session began, in the form of `finished`."""
        return self.info.sessions[0].started if self.info.sessions else self.finished

    @property
    def finished(self) -> str:
        """Time at which the last session ended, as ISO 8601 in UTC, to the second."""
        return self.info.sessions[-1].finished if self.info.sessions else "1970-01-01T00:00:00Z"

    @property
    def model(self) -> str:
        """The checkpoint as the user named it."""
        return self.info.config.model

    @property
    def library(self) -> str:
        """The version of k2eval that made the run."""
        return self.info.k2eval

    def task(self, name: str) -> TaskRecord:
        """Return the entry of a task in ``run.json``."""
        return self.info.tasks[name]

    def spec(self, name: str) -> TaskSpec | None:
        """Return the description of a task; None if the task is not at hand."""
        try:
            return load_tasks([name], include=self._include)[0].spec
        except K2EvalError:
            return None

    def estimate(self, name: str) -> Estimate:
        """Return avg@k of a task, as a fraction."""
        return average(self.scores[name].values)

    def hidden(self, name: str) -> bool:
        """Tell whether the texts of a task are left out."""
        return self._samples.protected(name) and not self._include_protected

    def summary(self, name: str) -> str:
        """Return the figures of a task in one line, with their denominators."""
        task, estimate = self.scores[name], self.estimate(name)
        counted = len(task.questions)
        parts = [
            f"avg@{task.scores.shape[1]} {100 * estimate.value:.2f} %, "
            f"95 % interval {100 * estimate.low:.1f} to {100 * estimate.high:.1f} over {counted} questions",
            f"recipe {self.info.recipe}",
            f"{task.graded} graded samples",
        ]
        if task.failed:
            parts.append(f"{task.failed} samples failed on the evaluator's side and are not counted")
        protocol = task.info.protocol_notes(self.info.recipe)
        if task.info.protocol:
            parts.insert(2, f"protocol {task.info.protocol_label}")
        return "; ".join([*parts, *protocol, *(note.text for note in task.info.notes)])

    def votes(self, name: str) -> list[list[str | None]] | None:
        """Return the vote of each graded response of each question; None if options are not at hand."""
        table = self._samples.votes(name)
        return None if table is None else [[vote.answer for vote in row] for row in table]

    def by_question(self, name: str) -> Iterator[list[Sample]]:
        """Yield the samples of each question, in order of repeats; one question is in memory at a time."""
        for number, (question_id, by_repeat) in enumerate(self._samples.verdicts[name].items()):
            yield [
                self._sample(number, question_id, repeat_index, verdict)
                for repeat_index, verdict in sorted(by_repeat.items())
            ]

    def _sample(self, number: int, question_id: str, repeat_index: int, verdict: Verdict) -> Sample:
        name = verdict.task
        question = self._samples.question(name, question_id, repeat_index)
        generations = self._samples.generations(verdict)
        if self.hidden(name):
            bare = [
                generation.model_copy(update={"text": HIDDEN, "prefill": "", "answer_start": None})
                for generation in generations
            ]
            safe = verdict.model_copy(update={"extracted": None, "detail": {}, "notes": {}})
            turns = [{"role": "user", "content": HIDDEN}]
            return Sample(safe, number, turns, HIDDEN, HIDDEN, (), HIDDEN, "", bare)
        steps = selected_steps(verdict, generations)
        messages = [message.model_dump() for message in question.messages] if question else []
        return Sample(
            verdict,
            number,
            messages,
            "\n\n".join(message["content"] for message in messages) or UNKNOWN,
            _target(question),
            question.options if question else (),
            text_of(steps),
            reasoning_of(steps, self.info.reasoning),
            generations,
        )


def _target(question: Question | None) -> str:
    if question is None:
        return UNKNOWN
    return question.gold if isinstance(question.gold, str) else ""


def sample_hash(sample: Sample) -> str:
    """Return a digest of prompt and gold answer, which is equal for equal questions in every harness."""
    reference = [sample.target] if sample.target else []
    words = json.dumps({"raw": sample.prompt, "reference": reference}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(words.encode()).hexdigest()


def identity(run: Run, *parts: Json) -> str:
    """Return a digest that is the same for every export of the same state of a run."""
    info = run.info
    return digest(info.model.model_dump(mode="json"), info.recipe, info.seed, run.finished, *parts)


class Folder:
    """The folder of an export, in which files appear complete or not at all.

    Args:
        out: The folder, which need not exist.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.written: list[Path] = []
        """The files, in the order in which they were written."""

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[Path]:
        """Give a path to write to; the file gets its name when the block ends without an error.

        Args:
            name: The path below the folder. Parts of it come from the run, which may be somebody else's.

        Raises:
            JournalError: If the path leads out of the folder.
            OSError: If it cannot be written.
        """
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise JournalError(
                f"Expected names in the run that make a path below {self.out}, got {name!r:.300}. Do not export a run "
                "with such names."
            )
        with replacing(self.out / name) as temporary:
            yield temporary
        self.written.append(self.out / name)

    def write(self, name: str, text: str) -> None:
        """Write a file.

        Raises:
            OSError: If it cannot be written.
        """
        with self.file(name) as path:
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
