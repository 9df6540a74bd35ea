"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Folder with the benchmarks' rows. [default: K2EVAL_DATA, else the hub]"),
]

SpeculativeOption = Annotated[
    str | None,
    typer.Option(
        metavar="METHOD",
        help="Speculative decoding: draft=PATH,tokens=3 | ngram | suffix | eagle=PATH | eagle3=PATH | mtp | off.",
    ),
]
