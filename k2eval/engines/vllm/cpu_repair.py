"""Repair three faults of vLLM's CPU build.

**Sampling under speculation.** vLLM 0.32 hands temperature and top-p of a speculated request to its sampler through
a kernel whose CPU version writes into a copy and leaves the real tensor as it was allocated: the old content of that
memory becomes the temperature. Greedy answers are right, sampled answers are not. `k2eval spec-check` shows it.

**A short first prompt.** Its attention uses the AMX registers of newer Intel processors, which Linux gives a process
only on request. Larger matrix products request them. If the first prompt has only a few tokens, nothing has requested
them yet, and the worker dies of an illegal instruction.

**A tied head after new weights.** The CPU build keeps a packed copy of the output head. vLLM 0.32 makes that copy anew
when weights are loaded again, but not for a head that is tied to the embedding: it would go on with the old weights.

vLLM's worker processes take `Repairing` as their extension. A vLLM without these faults is not changed.
"""

from __future__ import annotations

from typing import Any

from k2eval.records import Note, NoteKind

EXTENSION = "k2eval.engines.vllm.cpu_repair.Repairing"
"""For vLLM's ``worker_extension_cls``."""
NOTE = Note(
    kind=NoteKind.ENGINE,
    text="this vLLM loses temperature and top-p of speculated requests on the CPU; k2eval replaced the faulty "
    "function (docs/performance.md)",
)


class Repairing:
    """Additional methods of a worker process of vLLM."""

    def let_wait(self, how: str) -> bool:
        """Tell this process's threads how to wait; see `k2eval.engines.vllm.waiting`."""
        from k2eval.engines.vllm.waiting import let_wait

        return let_wait(how)

    def repair(self) -> bool:
        """Ask for AMX, and replace the faulty function in this process; returns whether the latter was needed."""
        ask_for_amx()
        return repair()

    def let_suffix_follow(self) -> bool:
        """Let suffix decoding follow a schedule; see `k2eval.engines.vllm.suffix`."""
        from k2eval.engines.vllm.suffix import let_follow

        return let_follow()

    def pack_heads(self) -> int:
        """Pack the output heads of this process's model anew; returns the number of heads."""
        return pack_heads(self.model_runner.get_model())  # type: ignore[attr-defined]  # the worker's own


def expand(x: Any, ends: Any, total: int, replace_from: float = 0, replace_to: float = 0) -> Any:
    """Expand one value per request to one value per token.

    Args:
        x: One value per request.
        ends: The end of each request's tokens, as cumulative counts.
        total: Number of tokens.
        replace_from: A value to be replaced, such as the temperature 0 of greedy requests.
        replace_to: The new value.
    """
    import torch

    counts = torch.diff(ends, prepend=ends.new_zeros(1))
    values = torch.where(x == replace_from, torch.full_like(x, replace_to), x)
    return torch.repeat_interleave(values, counts, output_size=total)


def is_faulty() -> bool:
    """Tell whether this process's vLLM loses the values of speculated requests."""
    import torch
    from vllm.platforms import current_platform
    from vllm.v1.sample import rejection_sampler

    if not current_platform.is_cpu():
        return False
    values, ends = torch.tensor([0.25, 0.5]), torch.tensor([1, 3], dtype=torch.int32)
    try:
        expanded = rejection_sampler.expand_batch_to_tokens(values, ends, 3)
    except Exception:  # a kernel that cannot run here at all needs replacing as well
        return True
    return not torch.equal(expanded, torch.tensor([0.25, 0.5, 0.5]))


def repair() -> bool:
    """Replace the faulty function; returns whether that was needed."""
    if not is_faulty():
        return False
    from vllm.v1.sample import rejection_sampler

    rejection_sampler.expand_batch_to_tokens = expand
    return True


def pack_heads(model: Any) -> int:
    """Pack the output heads of a model anew, from the weights that they now have; returns the number of heads."""
    from vllm.model_executor.layers.vocab_parallel_embedding import ParallelLMHead

    heads = [module for module in model.modules() if isinstance(module, ParallelLMHead)]
    for head in heads:
        head.quant_method.process_weights_after_loading(head)
    return len(heads)


def ask_for_amx() -> bool:
    """Ask Linux for this process's AMX registers (``arch_prctl``); return False if there are none."""
    import ctypes
    import platform
    import sys

    if sys.platform != "linux" or platform.machine() != "x86_64":
        return False
    arch_prctl, request_permission, tile_data = 158, 0x1023, 18
    return bool(ctypes.CDLL(None).syscall(arch_prctl, request_permission, tile_data) == 0)
