from . import (
    cells as cells,
)
from .board import (
    Leaderboard as Leaderboard,
    build as build,
)
from .cells import (
    ABSENT as ABSENT,
    markdown_table as markdown_table,
    plain as plain,
)
from .columns import (
    Benchmark as Benchmark,
    differences as differences,
    group_title as group_title,
)
from .contamination import (
    Contamination as Contamination,
)
from .files import (
    write as write,
)
from .html import (
    board_tables as board_tables,
)
from .load import (
    load_run as load_run,
    load_runs as load_runs,
)
from .render import (
    LEGEND as LEGEND,
    details as details,
    grid as grid,
    to_markdown as to_markdown,
)
from .scores import (
    RunScores as RunScores,
    TaskScores as TaskScores,
)
from .terminal import (
    print_table as print_table,
)
from .verdicts import (
    OUTCOMES as OUTCOMES,
)

__all__ = [
    "ABSENT",
    "LEGEND",
    "OUTCOMES",
    "Benchmark",
    "Contamination",
    "Leaderboard",
    "RunScores",
    "TaskScores",
    "board_tables",
    "build",
    "cells",
    "details",
    "differences",
    "grid",
    "group_title",
    "load_run",
    "load_runs",
    "markdown_table",
    "plain",
    "print_table",
    "to_markdown",
    "write",
]
