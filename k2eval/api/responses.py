"""The responses of a run, read from disk one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from k2eval.journal import Archive
from k2eval.recipes import selected_steps, text_of
from k2eval.records import Generation, SampleKey, Verdict


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """One response with its verdict and generations."""

    verdict: Verdict
    generations: tuple[Generation, ...]
    """Planner and judge included, in the order of the verdict's keys."""

    @property
    def text(self) -> str:
        """The selected response, raw: one generation, or all steps of the selected attempt. Empty if there is none."""
        return text_of(selected_steps(self.verdict, self.generations))


class Responses(Mapping[SampleKey, StoredResponse]):
    """The responses of a run by task, question id and repeat: ``run.responses["smoke", "1", 0].text``.

    Args:
        folder: The run directory.
        verdicts: The last verdict on every sample.
    """

    def __init__(self, folder: Path, verdicts: Mapping[SampleKey, Verdict]) -> None:
        self._folder = folder
        self._verdicts = verdicts

    def __getitem__(self, key: SampleKey | tuple[str, str, int]) -> StoredResponse:
        verdict = self._verdicts[SampleKey(*key)]
        keys = verdict.generations or ((verdict.selected,) if verdict.selected else ())
        generations = (self._archive.find(key) for key in keys)
        return StoredResponse(
            verdict, tuple(generation for generation in generations if generation is not None)
        )

    def __iter__(self) -> Iterator[SampleKey]:
        return iter(self._verdicts)

    def __len__(self) -> int:
        return len(self._verdicts)

    def __repr__(self) -> str:
        return f"<{len(self)} responses of {self._folder}>"

    @cached_property
    def _archive(self) -> Archive:
        return Archive((self._folder,))
