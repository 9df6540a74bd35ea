"""Forced answers: the reasoning of one answer is cut at a number of tokens, and an answer is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from k2eval.errors import RecipeFailed
from k2eval.recipes.sample import Sample
from k2eval.records import Response

ANSWER_TOKENS = 2048
"""Most tokens of an answer that is forced."""


@dataclass(frozen=True, slots=True)
class Forced:
    """A recipe that asks as `plain` does, and cuts an answer that has more than so many tokens.

    Behind the cut comes the mark that ends reasoning, and the same model goes on from there: budget forcing
    (Muennighoff et al. 2025, arXiv 2501.19393, section 3.1). The tokens that were cut do not count. With ``--reuse`` of
    a run of `plain`, only the forced answers are generated.
    """

    tokens: int

    async def __call__(self, sample: Sample) -> Response:
        """Make an answer, and force another one if it is too long.

        Raises:
            RecipeFailed: If the task is solved in several steps.
        """
        if sample.solver is not None:
            raise RecipeFailed(
                f"{sample.question.task} is solved in several steps, so its answers cannot be forced. Leave it out."
            )
        response = await sample.solve()
        [whole] = sample.generations
        if whole.output_tokens <= self.tokens:
            return response
        sampling = sample.sampling
        forced = await sample.generate(
            f"forced.{self.tokens}",
            sample.question.messages,
            sampling=sampling.model_copy(update={"max_tokens": min(sampling.max_tokens, ANSWER_TOKENS)}),
            begun=(whole, self.tokens),
        )
        spent = self.tokens + forced.output_tokens
        # If the cut added a mark, the answer begins there, whatever marks the reasoning before it speaks of.
        added = not (whole.prefill + whole.text).startswith(forced.prefill)
        changes = {"answer_start": len(forced.prefill)} if added else {}
        answer = sample.respond(forced, forced_at=self.tokens)
        return answer.model_copy(update={**changes, "output_tokens": spent, "recipe_tokens": spent})
