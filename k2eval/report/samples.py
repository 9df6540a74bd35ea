"""The samples of a run for the viewer: verdicts, generations and questions, read from disk question by question."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import orjson

from k2eval.errors import JournalError, K2EvalError
from k2eval.journal import GENERATIONS, RUN, VERDICTS, RunRecord, line_at, read_run, read_verdicts
from k2eval.recipes import opening, parts_of
from k2eval.records import Generation, Json, Question, Verdict
from k2eval.run import hint, trusted_config
from k2eval.statistics import Vote
from k2eval.system import open_file
from k2eval.tasks import QuestionSet, load_questions, load_tasks, script_of
from k2eval.texts import natural

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
    _data: Path | None = None
    _include: Sequence[Path] = ()
    _stamp: tuple[tuple[int, int], ...] = ()
    _offsets: dict[str, int] | None = None
    _by_id: dict[tuple[str, int], dict[str, Question]] = field(default_factory=dict)

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
    def notes_for_all(self) -> list[str]:
        """The notes without reasons, which name places of this machine."""
        return [
            f"{self.folder.name}, {name}: texts of questions are not shown"
            for name in self.run.tasks
            if name not in self.questions
        ]

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
    def load(cls, folder: Path, data: Path | None = None, include: Sequence[Path] = ()) -> Samples:
        """Read verdicts and find generations; texts of questions are shown if their data is at hand.

        Args:
            folder: The run directory.
            data: Folder with the rows of the benchmarks; ``K2EVAL_DATA`` or the hub if None.
            include: Folders with the user's own tasks.

        Raises:
            JournalError: If the folder is not a run directory, or a line in it cannot be read.
        """
        stamp = _stamp_of(folder)
        run, verdicts = _read(folder)
        samples = cls(folder, run, verdicts, {}, _data=data, _include=include, _stamp=stamp)
        samples._find_questions(data, include)
        return samples

    def again(self) -> Samples:
        """Return the samples as they are now, with the questions that were found for the same tasks.

        These samples themselves are returned if no file has changed.

        Raises:
            JournalError: If the folder is no run directory any more, or a line in it cannot be read.
        """
        stamp = _stamp_of(self.folder)
        if stamp and stamp == self._stamp:
            return self
        run, verdicts = _read(self.folder)
        same = {name: task.fingerprint for name, task in run.tasks.items()}
        if same != {name: task.fingerprint for name, task in self.run.tasks.items()}:
            return Samples.load(self.folder, self._data, self._include)
        return replace(self, run=run, verdicts=verdicts, _stamp=stamp, _offsets=None)

    def only(self, questions: Mapping[str, Collection[str]]) -> Samples:
        """Return the samples of these questions of each task alone."""
        kept = {
            task: {question: by_repeat for question, by_repeat in verdicts.items() if question in chosen}
            for task, verdicts in self.verdicts.items()
            for chosen in (set(questions.get(task, ())),)
        }
        return replace(self, verdicts=kept)

    def protected(self, task: str) -> bool:
        """Tell whether the authors of a benchmark ask users not to publish its texts.

        Either the run or the task at hand says so: run.json may be somebody else's, and the texts are the user's.
        """
        at_hand = task in self.questions and self.questions[task].task.spec.protected
        return at_hand or (task in self.run.tasks and self.run.tasks[task].protected)

    def question(self, task: str, question_id: str, repeat_index: int) -> Question | None:
        """Return the question as one repeat asked it; None if its data is not at hand."""
        if task not in self.questions:
            return None
        if (task, repeat_index) not in self._by_id:
            questions = self.questions[task].questions(repeat_index)
            self._by_id[task, repeat_index] = {question.id: question for question in reversed(questions)}
        return self._by_id[task, repeat_index].get(question_id)

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

    def with_words(self, task: str, words: str) -> Iterator[tuple[str, int]]:
        """Yield question id and repeat of each sample of a task with these words in a generation, whatever their case.

        Raises:
            JournalError: If the generations cannot be read.
        """
        path, wanted = self.folder / GENERATIONS, words.lower()
        offsets = self.offsets
        try:
            with open_file(path) as file:
                for question_id, by_repeat in self.verdicts.get(task, {}).items():
                    for repeat_index, verdict in by_repeat.items():
                        places = [offsets[key] for key in _keys_of(verdict) if key in offsets]
                        if any(wanted in _text_at(path, file, place).lower() for place in places):
                            yield question_id, repeat_index
        except OSError as error:
            raise JournalError(f"Cannot read {path}: {error}. Restore the file.") from error

    def _option(self, task: str, question_id: str, repeat_index: int, letter: str) -> str:
        question = self.question(task, question_id, repeat_index)
        number = ord(letter[:1].upper() or " ") - ord("A")
        if question is None or len(letter) != 1 or not 0 <= number < len(question.options):
            return letter
        return question.options[number]

    def _find_questions(self, data: Path | None, include: Sequence[Path]) -> None:
        config = trusted_config(self.run, data, include)
        for name, described in self.run.tasks.items():
            try:
                [task] = load_tasks([name], {name: config.overrides_of(name)}, config.include_path)
                questions = load_questions(task, data=config.data)
                if questions.fingerprint != described.fingerprint:
                    raise K2EvalError("the questions found are not those of the run")
                self.questions[name] = questions
            except K2EvalError as error:
                reason = str(error).splitlines()[0][:200]
                words = hint(self.run, data, include)
                self.notes.append(
                    f"{self.folder.name}, {name}: texts of questions are not shown ({reason})"
                    f"{'. ' + words if words else ''}"
                )


def _stamp_of(folder: Path) -> tuple[tuple[int, int], ...]:
    """Return sizes and times of the files of a run; empty if one is not there."""
    try:
        found = [(folder / name).stat() for name in (RUN, VERDICTS, GENERATIONS)]
    except OSError:
        return ()
    return tuple((status.st_size, status.st_mtime_ns) for status in found)


def _read(folder: Path) -> tuple[RunRecord, dict[str, dict[str, dict[int, Verdict]]]]:
    run = read_run(folder)
    verdicts: dict[str, dict[str, dict[int, Verdict]]] = {name: {} for name in run.tasks}
    for verdict in read_verdicts(folder, run):
        by_question = verdicts.setdefault(verdict.task, {})
        by_question.setdefault(verdict.question_id, {})[verdict.repeat_index] = verdict
    return run, verdicts


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
        with open_file(path) as file:
            for line in file:
                if line.endswith(b"\n"):
                    key = _KEY.search(line)
                    offsets.setdefault(key[1].decode() if key else line_at(path, at, Generation).key, at)
                at += len(line)
    except (OSError, UnicodeDecodeError) as error:
        raise JournalError(f"Cannot read {path}: {error}. Restore the file.") from error
    return offsets


def _text_at(path: Path, file: BinaryIO, offset: int) -> str:
    """Return the text of the generation whose line begins there, checked only if it is not read at once."""
    file.seek(offset)
    try:
        found = orjson.loads(file.readline())
    except orjson.JSONDecodeError:
        found = None
    text = found.get("text") if isinstance(found, dict) else None
    return text if isinstance(text, str) else line_at(path, offset, Generation).text


def texts_of(samples: Samples, verdict: Verdict, prompt: int, question: Question | None) -> list[str]:
    """Return what the viewer shows of a sample: facts as JSON, then reasoning and answer of each generation.

    Args:
        samples: The run.
        verdict: The sample's verdict.
        prompt: Number of the prompt among those of the question.
        question: The question as this repeat asked it; None if its data is not at hand.
    """
    shown, texts = [], []
    generations = samples.generations(verdict)
    if "steps" in verdict.notes:  # a response of several generations, which follow each other
        generations.sort(key=_place_of)
    for generation in generations:
        parts = parts_of(generation, samples.run.reasoning)
        shown.append(_shown(generation, verdict, parts.complete))
        texts += [parts.reasoning, parts.answer]
    facts = {
        "prompt": prompt,
        "gold": None if question is None else _gold(question),
        "options": [] if question is None else question.options,
        "grader": verdict.grader,
        "finish": verdict.finish_reason,
        "extracted": verdict.extracted,
        "tokens": verdict.output_tokens,
        "recipe_tokens": verdict.recipe_tokens,
        "detail": verdict.detail,
        "notes": verdict.notes,
        "generations": shown,
    }
    return [json.dumps(facts, separators=(",", ":")), *texts]


def prompt_of(question: Question) -> str:
    """Return the text of a question as the viewer shows it; of a scripted conversation, all turns by their speaker."""
    script = script_of(question)
    if not script:
        return "\n\n".join(message.content for message in question.messages)
    turns = [*opening(question, question.messages), *script]
    return "\n\n".join(f"[{turn.role}]\n{turn.content}" for turn in turns)


def _place_of(generation: Generation) -> tuple[tuple[bool, int, str], ...]:
    """Return what orders stages as they follow each other."""
    return natural(generation.stage)


def _gold(question: Question) -> str | None:
    """Return the gold answer if it is a text; tests of programs are not shown."""
    return question.gold[:500] if isinstance(question.gold, str) else None


def _shown(generation: Generation, verdict: Verdict, complete: bool) -> Json:
    return {
        "key": generation.key,
        "stage": generation.stage,
        "complete": complete,
        "tokens": generation.output_tokens,
        "finish": generation.finish_reason,
        "model": generation.model,
        "selected": generation.key == verdict.selected,
    }
