from .render import (
    print_ablation as print_ablation,
)
from .replay import (
    ablate as ablate,
)

__all__ = [
    "ablate",
    "print_ablation",
]
