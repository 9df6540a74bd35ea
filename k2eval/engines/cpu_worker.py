"""What vLLM's worker process imports on a CPU, before it computes anything.

vLLM's attention uses AMX where a processor has it, and Linux ends a process that uses AMX without having asked for
it. In vLLM 0.32 nobody asks, unless a large matrix product came first: small first requests killed the worker with
SIGILL in four starts of five.
"""

from __future__ import annotations

import torch

if hasattr(torch.cpu, "_init_amx"):
    torch.cpu._init_amx()


class CpuWorker:
    """A worker extension that adds nothing; it is the import that counts."""
