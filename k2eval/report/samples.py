"""The samples of a run for the viewer: verdicts, generations and questions, read from disk question by question."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from k2eval.errors import JournalError, K2EvalError
from k2eval.journal import GENERATIONS, RunRecord, line_at, read_run, read_verdicts
from k2eval.recipes import Formats, parts_of
from k2eval.records import Generation, Json, Question, Verdict
from k2eval.statistics import Vote
from k2eval.tasks import QuestionSet, load_questions, load_tasks

_OF_PROGRAMS = ("code", "humaneval", "scicode")
_KEY = re.compile(rb'"key": "([^"]*)"')


@dataclass(slots=True)
class Samples:
    """One run directory, sample by sample."""

    folder: Path
    run: RunRecord
    verdicts: dict[str, dict[str, dict[int, Verdict]]]
    """Task -> question id -> repeat index -> the last verdict."""
    questions: dict[str, QuestionSet]
    notes: list[str] = field(default_factory=list)
    """Reasons why the texts of some questions are not shown."""
    _offsets: dict[str, int] | None = None

    @property
    def offsets(self) -> dict[str, int]:
        """The offset of each generation's line in its file.

        Raises:
            JournalError: If a line is no generation. A line that a verdict names is read when it is shown.
        """
        if self._offsets is None:
            path = self.folder / GENERATIONS
            self._offsets = _offsets_in(path)
            for key in self._offsets.keys() - self._named:
                line_at(path, self._offsets[key], Generation)
        return self._offsets

    @property
    def gaps(self) -> list[str]:
        """Notes on generations that verdicts name and the journal lacks."""
        lost = len(self._named - self.offsets.keys())
        return (
            [f"{self.folder.name}: {lost} generations that verdicts name are not in {GENERATIONS}"]
            if lost
            else []
        )

    @property
    def _named(self) -> set[str]:
        every = (
            verdict
            for task in self.verdicts.values()
            for repeats in task.values()
            for verdict in repeats.values()
        )
        return {key for verdict in every for key in _keys_of(verdict)}

    @classmethod
    def load(cls, folder: Path, data: Path | None = None) -> Samples:
        """Read verdicts and find generations; texts of questions are shown if their data is at hand.

        Raises:
            JournalError: If the folder is not a run directory, or a line in it cannot be read.
        """
        run = read_run(folder)
        verdicts: dict[str, dict[str, dict[int, Verdict]]] = {name: {} for name in run.tasks}
        for verdict in read_verdicts(folder, run):
            by_question = verdicts.setdefault(verdict.task, {})
            by_question.setdefault(verdict.question_id, {})[verdict.repeat_index] = verdict
        samples = cls(folder, run, verdicts, {})
        samples._find_questions(data)
        return samples

    def protected(self, task: str) -> bool:
        """Tell whether the authors of a benchmark ask users not to publish its texts."""
        return task in self.run.tasks and self.run.tasks[task].protected

    def question(self, task: str, question_id: str, repeat_index: int) -> Question | None:
        """Return the question as one repeat asked it; None if its data is not at hand."""
        if task not in self.questions:
            return None
        questions = self.questions[task].questions(repeat_index)
        return next((question for question in questions if question.id == question_id), None)

    def votes(self, task: str) -> list[list[Vote]] | None:
        """Return the votes of the repeats; None for programs, and for choices whose options are not at hand.

        Programs can be told right from wrong, but not equal from different. Each repeat shows the options in another
        order, so a letter must be replaced by its option's text.
        """
        grader = self.run.tasks[task].grader.partition("/")[0]
        letters = grader == "choice"
        if grader in _OF_PROGRAMS or (letters and task not in self.questions):
            return None
        table = []
        for question_id, by_repeat in self.verdicts[task].items():
            row = []
            for repeat_index, verdict in sorted(by_repeat.items()):
                if verdict.score is not None:
                    answer = verdict.extracted
                    if letters and answer is not None:
                        answer = self._option(task, question_id, repeat_index, answer)
                    row.append(Vote(answer, verdict.score >= 1))
            table.append(row)
        return table

    def generations(self, verdict: Verdict) -> list[Generation]:
        """Return the generations of a sample as the journal has them, in the order of the verdict's keys."""
        offsets = [self.offsets[key] for key in _keys_of(verdict) if key in self.offsets]
        path = self.folder / GENERATIONS
        return [line_at(path, offset, Generation) for offset in offsets]

    def _option(self, task: str, question_id: str, repeat_index: int, letter: str) -> str:
        question = self.question(task, question_id, repeat_index)
        number = ord(letter[:1].upper() or " ") - ord("A")
        if question is None or len(letter) != 1 or not 0 <= number < len(question.options):
            return letter
        return question.options[number]

    def _find_questions(self, data: Path | None) -> None:
        config = self.run.config
        for name, described in self.run.tasks.items():
            try:
                [task] = load_tasks([name], {name: config.overrides_of(name)}, config.include_path)
                questions = load_questions(task, data=data or config.data)
                if questions.fingerprint != described.fingerprint:
                    raise K2EvalError("the questions found are not those of the run")
                self.questions[name] = questions
            except K2EvalError as error:
                reason = str(error).splitlines()[0][:200]
                self.notes.append(f"{self.folder.name}, {name}: texts of questions are not shown ({reason})")


def _keys_of(verdict: Verdict) -> tuple[str, ...]:
    return verdict.generations or ((verdict.selected,) if verdict.selected else ())


def _offsets_in(path: Path) -> dict[str, int]:
    """Return the offset of each key's first line, which counts.

    Keys stand near the start of a line, so texts are not parsed.

    Raises:
        JournalError: If a line other than a torn last one is no generation.
    """
    offsets: dict[str, int] = {}
    if not path.exists():
        return offsets
    at = 0
    try:
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    key = _KEY.search(line)
                    offsets.setdefault(key[1].decode() if key else line_at(path, at, Generation).key, at)
                at += len(line)
    except (OSError, UnicodeDecodeError) as error:
        raise JournalError(f"Cannot read {path}: {error}. Restore the file.") from error
    return offsets


def payload(samples: Samples, task: str, question_id: str) -> Json:
    """Return the data that the viewer shows of one question in one run directory."""
    prompts: list[str] = []
    shown: dict[str, Json] = {}
    for repeat_index, verdict in sorted(samples.verdicts[task].get(question_id, {}).items()):
        question = samples.question(task, question_id, repeat_index)
        prompt = "\n\n".join(message.content for message in question.messages) if question else ""
        if prompt not in prompts:
            prompts.append(prompt)
        shown[str(repeat_index)] = {
            "prompt": prompts.index(prompt),
            "gold": None if question is None else _gold(question),
            "grader": verdict.grader,
            "finish": verdict.finish_reason,
            "extracted": verdict.extracted,
            "tokens": verdict.output_tokens,
            "recipe_tokens": verdict.recipe_tokens,
            "detail": verdict.detail,
            "notes": verdict.notes,
            "generations": [
                _shown(generation, verdict, samples.run.reasoning)
                for generation in samples.generations(verdict)
            ],
        }
    return {"prompts": prompts, "samples": shown}


def _gold(question: Question) -> str | None:
    """Return the gold answer if it is a text; tests of programs are not shown."""
    return question.gold[:500] if isinstance(question.gold, str) else None


def _shown(generation: Generation, verdict: Verdict, formats: Formats) -> Json:
    parts = parts_of(generation, formats)
    return {
        "key": generation.key,
        "stage": generation.stage,
        "reasoning": parts.reasoning,
        "answer": parts.answer,
        "complete": parts.complete,
        "tokens": generation.output_tokens,
        "finish": generation.finish_reason,
        "model": generation.model,
        "selected": generation.key == verdict.selected,
    }
