"""A vLLM engine under measurement: answers token by token, with log-probabilities on request."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from k2eval.engines.measured import Load, Piece, Prompt
from k2eval.engines.vllm.engine import VllmEngine
from k2eval.engines.vllm.watching import up_to_stop
from k2eval.errors import EngineError, EngineStopped
from k2eval.records import Request, Sampling, SpeculativeCounts


@dataclass(frozen=True, slots=True)
class Continuation:
    """The model's text after a prompt."""

    ids: tuple[int, ...]
    text: str
    truncated: bool
    top: tuple[tuple[tuple[int, float], ...], ...] = ()
    """At each position the likeliest tokens with their log-probabilities, if asked for."""


class Probe:
    """A measurement of one vLLM engine. Entering starts the engine.

    Args:
        engine: The engine, not started yet.
    """

    def __init__(self, engine: VllmEngine) -> None:
        self.engine = engine
        self._ordinary: list[int] = []

    async def __aenter__(self) -> Self:
        await self.engine.__aenter__()
        special = set(self.engine.tokenizer.all_special_ids)
        size = len(self.engine.tokenizer.get_vocab())
        self._ordinary = [token for token in range(size) if token not in special]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.engine.__aexit__(kind, error, trace)

    async def stream(self, prompt: Prompt, load: Load) -> AsyncIterator[Piece]:
        """Answer one prompt of a load, piece by piece."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        ids = self._ids(prompt)
        params = SamplingParams(
            temperature=load.temperature,
            max_tokens=load.output_tokens,
            ignore_eos=load.ignore_eos,
            seed=prompt.seed,
            detokenize=False,
            output_kind=RequestOutputKind.DELTA,
        )
        async for output in self._outputs(ids, params):
            yield Piece(len(output.outputs[0].token_ids), len(ids))

    def _ids(self, prompt: Prompt) -> list[int]:
        if prompt.messages:
            return self.prompt_ids(prompt)
        return random.Random(prompt.seed).choices(self._ordinary, k=prompt.tokens)

    def prompt_ids(self, prompt: Prompt) -> list[int]:
        """Return the tokens of a prompt made of messages."""
        request = Request(
            key="",
            task="",
            question_id="",
            repeat_index=0,
            stage="",
            messages=prompt.messages,
            sampling=Sampling(),
            seed=prompt.seed,
        )
        return self.engine.prompt_ids(request)

    async def complete(
        self, ids: Sequence[int], sampling: Sampling, seed: int, *, top: int = 0
    ) -> Continuation:
        """Continue a prompt.

        Args:
            ids: The prompt's tokens.
            sampling: The sampling.
            seed: The seed of this answer.
            top: Number of the likeliest tokens to report at each position.
        """
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        params = SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p if sampling.temperature > 0 else 1.0,
            top_k=sampling.top_k if sampling.temperature > 0 else 0,
            max_tokens=sampling.max_tokens,
            stop=list(sampling.stop),
            include_stop_str_in_output=True,
            seed=seed,
            logprobs=top or None,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        answer = (await self._last(list(ids), params)).outputs[0]
        written = tuple(up_to_stop(answer.token_ids, answer.stop_reason, self.engine.tokenizer.decode))
        likeliest = tuple(_ranked(entry, top) for entry in (answer.logprobs or ())[: len(written)])
        return Continuation(written, answer.text, answer.finish_reason == "length", likeliest)

    async def score(
        self, prompt: Sequence[int], written: Sequence[int], *, top: int = 0
    ) -> list[dict[int, float]]:
        """Compute log-probabilities at each token of ``written`` after ``prompt``, all in one pass.

        Each entry holds the written token and the ``top`` likeliest tokens.
        """
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        if not written:
            return []
        ids = [*prompt, *written]
        params = SamplingParams(
            max_tokens=1, temperature=0.0, prompt_logprobs=top, output_kind=RequestOutputKind.FINAL_ONLY
        )
        entries = list((await self._last(ids, params)).prompt_logprobs or ())
        if len(entries) != len(ids):
            raise EngineError(f"vLLM scored {len(entries)} of {len(ids)} tokens.")
        return [
            {int(token): float(entry.logprob) for token, entry in entries[place].items()}
            for place in range(len(prompt), len(ids))
        ]

    async def _last(self, ids: list[int], params: Any) -> Any:
        outputs = [output async for output in self._outputs(ids, params)]
        if not outputs:
            raise EngineError("vLLM gave no answer to a request of the measurement.")
        return outputs[-1]

    async def _outputs(self, ids: list[int], params: Any) -> AsyncIterator[Any]:
        from vllm import TokensPrompt

        try:
            async for output in self.engine.llm.generate(
                TokensPrompt(prompt_token_ids=ids), params, os.urandom(8).hex()
            ):
                yield output
        except Exception as error:  # vLLM's own exceptions differ between versions
            kind = EngineStopped if getattr(self.engine.llm, "errored", False) else EngineError
            raise kind(f"vLLM failed under measurement: {type(error).__name__}: {error}") from error

    async def refresh(self) -> None:
        """Forget cached prefixes."""
        await self.engine.llm.reset_prefix_cache()

    async def speculation(self) -> SpeculativeCounts | None:
        """Return the counts of speculation since the start."""
        return self.engine.counters.speculation


def _ranked(entry: Any, top: int) -> tuple[tuple[int, float], ...]:
    pairs = sorted(
        ((int(token), float(logprob.logprob)) for token, logprob in entry.items()), key=lambda pair: -pair[1]
    )
    return tuple(pairs[:top])
