"""Suffix decoding, whose drafts are what followed the same words in the prompt and in answers that are finished.

The finished siblings of a sample are therefore its drafts: vLLM keeps the last 10,000 answers in one suffix tree
(``suffix_decoding_max_cached_requests``). The tree is that of one start: it begins empty when a run is resumed.

vLLM drafts by it from the package arctic-inference, with as many tokens as are likely enough. Under a schedule of
speculation (``when=auto``) vLLM 0.32 ends at an assertion as soon as the schedule asks for another number than the
largest. `let_follow` hands the drafter that number as its limit. With 0 it goes on to read answers, and drafts nothing.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

PACKAGE = "arctic-inference==0.1.1"
"""The release that vLLM 0.25 to 0.33 name. It is compiled on installation; its plugin for vLLM stays off."""
_NUMBER = "num_speculative_tokens"


def drafts(speculative: Mapping[str, Any] | None) -> bool:
    """Tell whether a ``speculative_config`` asks for suffix decoding."""
    return speculative is not None and speculative.get("method") == "suffix"


def takes_number() -> bool:
    """Tell whether the drafter of this vLLM is told for how many tokens the schedule asks."""
    from vllm.v1.spec_decode.suffix_decoding import SuffixDecodingProposer

    return _NUMBER in inspect.signature(SuffixDecodingProposer.propose).parameters


def let_follow() -> bool:
    """Let the drafter of this process follow a schedule; returns whether something had to be replaced."""
    from vllm.v1.spec_decode.suffix_decoding import SuffixDecodingProposer

    original = SuffixDecodingProposer.propose
    if hasattr(original, "follows") or not takes_number():
        return False
    SuffixDecodingProposer.propose = following(original)
    return True


def following(propose: Callable[..., Any]) -> Callable[..., Any]:
    """Return a drafter's method that takes the number of tokens to draft as its limit."""

    @functools.wraps(propose)
    def limited(drafter: Any, num_speculative_tokens: int, *args: Any, **kwargs: Any) -> Any:
        most = drafter.num_speculative_tokens
        drafter.num_speculative_tokens = min(num_speculative_tokens, most)
        try:
            return propose(drafter, drafter.num_speculative_tokens, *args, **kwargs)
        finally:
            drafter.num_speculative_tokens = most

    limited.follows = True  # type: ignore[attr-defined]  # a mark for the next call
    return limited
