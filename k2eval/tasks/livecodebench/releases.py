"""Selections of LiveCodeBench's questions: by its six releases, and by windows of contest dates.

The data set grew in releases, each of which contains the one before. A *release* and a *window* are different
filters (January 2025 is in two releases). So both are needed to reproduce a published number. The sizes are those
of LiveCodeBench's README at revision 28fef95.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from k2eval.errors import ConfigError, DataError, did_you_mean
from k2eval.records import Json

RELEASE_SIZES = {"v1": 400, "v2": 511, "v3": 612, "v4": 713, "v5": 880, "v6": 1055}
"""Number of questions of each release, those of earlier releases included."""

FILE = "_file"
"""The column in which `k2eval.tasks.data` puts the name of a row's file."""

_V3_OR_V4 = {"3026", "3579", "3583"}
_V5 = {"arc184_c", "arc184_d", "arc184_e"}
_HUB_FILES = {f"test{n}.jsonl": f"v{n}" for n in range(2, 7)}


@dataclass(frozen=True)
class Selection:
    """The questions of LiveCodeBench that a task asks."""

    release: str = "v6"
    """The newest release whose questions count."""
    since: date | None = None
    """First contest date, inclusive."""
    until: date | None = None
    """Last contest date, inclusive to the end of the day."""
    added: bool = False
    """Whether to select only the questions that this release added to the one before."""

    def __post_init__(self) -> None:
        if self.release not in RELEASE_SIZES:
            raise ConfigError(
                f"LiveCodeBench has no release {self.release!r}. "
                + did_you_mean(self.release, list(RELEASE_SIZES))
            )

    @classmethod
    def of(cls, options: Mapping[str, Json]) -> Selection:
        """Return the selection that a task's options describe.

        Raises:
            ConfigError: If the release is unknown or a date is not an ISO date.
        """
        return cls(
            release=str(options.get("release") or "v6"),
            since=_date(options, "from"),
            until=_date(options, "until"),
            added=bool(options.get("added")),
        )

    def holds(self, row: Mapping[str, Json]) -> bool:
        """Tell whether a row of the data set belongs to this selection.

        Raises:
            DataError: If the answer depends on a release that the row does not tell.
        """
        day = contest_day(row)
        if (self.since and day < self.since) or (self.until and day > self.until):
            return False
        releases = releases_of(row)
        held = {r == self.release if self.added else r <= self.release for r in releases}
        if len(held) == 1:
            return held.pop()
        raise DataError(
            f"question {row['question_id']!r} is of release {' or '.join(sorted(releases))}, so it is "
            f"unknown whether {self.release} holds it. The hub's files do tell: put test.jsonl, test2.jsonl … "
            "under these names into the data folder, or choose release v1, v2, v4, v5 or v6."
        )


def contest_day(row: Mapping[str, Json]) -> date:
    """Return the day of the contest that a row comes from."""
    value = row["contest_date"]
    if isinstance(value, datetime):
        return value.date()
    try:
        return datetime.fromisoformat(str(value)).date()
    except ValueError:
        raise DataError(
            f"question {row.get('question_id')!r}: contest_date should be an ISO date such as "
            f"2024-07-06T00:00:00, got {value!r}. Is this file livecodebench/code_generation_lite?"
        ) from None


def releases_of(row: Mapping[str, Json]) -> frozenset[str]:
    """Return the release that added a row; two releases if only the hub's file names can tell which.

    Rows do not name their release. The borders of v1, v4, v5 and v6 come from published result files of 400, 713,
    880 and 1,055 questions (LiveCodeBench/submissions, xiangww0108/LiveCodeBench): they are contest dates with few
    exceptions. The border of v2 is the date that gives its published size. No date gives the size of v3.
    """
    name = str(row.get("question_id"))
    hub_file = str(row.get(FILE, "")).rsplit("/", 1)[-1]
    if hub_file in _HUB_FILES:
        return frozenset({_HUB_FILES[hub_file]})
    day = contest_day(row).isoformat()
    if name in _V3_OR_V4:
        return frozenset({"v3", "v4"})
    if name in _V5:
        return frozenset({"v5"})
    if day < "2024-03-09":
        return frozenset({"v1"})
    if day <= "2024-05-31":
        return frozenset({"v2"})
    if day <= "2024-09-30":
        return frozenset({"v3", "v4"})
    if day < "2025-01-05" and not name.startswith("abc387_"):
        return frozenset({"v5"})
    return frozenset({"v6"})


def _date(options: Mapping[str, Json], name: str) -> date | None:
    value = options.get(name)
    if value in (None, ""):
        return None
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ConfigError(f"{name} should be a date such as 2024-07-01, got {value!r}.") from None
