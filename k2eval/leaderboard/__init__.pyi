from . import (
    cells as cells,
)
from .board import (
    Leaderboard as Leaderboard,
    Order as Order,
    build as build,
)
from .cells import (
    ABSENT as ABSENT,
    markdown_table as markdown_table,
    plain as plain,
)
from .columns import (
    CONTROL as CONTROL,
    SAFETY as SAFETY,
    Benchmark as Benchmark,
    differences as differences,
    group_title as group_title,
    identity_of as identity_of,
    thinking_in_words as thinking_in_words,
)
from .contamination import (
    Contamination as Contamination,
)
from .files import (
    write as write,
)
from .html import (
    board_tables as board_tables,
    plain_grid as plain_grid,
)
from .load import (
    distinct_names as distinct_names,
    load_run as load_run,
    load_runs as load_runs,
)
from .once import (
    Asked as Asked,
    asked_of as asked_of,
    left_out as left_out,
)
from .render import (
    LEGEND as LEGEND,
    details as details,
    grid as grid,
    of_one_run as of_one_run,
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
    "CONTROL",
    "LEGEND",
    "OUTCOMES",
    "SAFETY",
    "Asked",
    "Benchmark",
    "Contamination",
    "Leaderboard",
    "Order",
    "RunScores",
    "TaskScores",
    "asked_of",
    "board_tables",
    "build",
    "cells",
    "details",
    "differences",
    "distinct_names",
    "grid",
    "group_title",
    "identity_of",
    "left_out",
    "load_run",
    "load_runs",
    "markdown_table",
    "of_one_run",
    "plain",
    "plain_grid",
    "print_table",
    "thinking_in_words",
    "to_markdown",
    "write",
]
