"""Which questions of LiveCodeBench count: its six releases, and windows of contest dates.

The data set grew in releases, each of which contains the one before. A *release* and a *window* are different
filters (January 2025 lies in two releases), so a published number is reproduced only by naming both. Sizes:
LiveCodeBench's README at revision 28fef95.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from k2eval.errors import ConfigError, DataError, did_you_mean
from k2eval.records import Json

RELEASE_SIZES = {"v1": 400, "v2": 511, "v3": 612, "v4": 713, "v5": 880, "v6": 1055}
"""How many questions each release holds, those of the releases before it included."""

FILE = "_file"
"""The column in which `k2eval.tasks.data` names the file that a row came from."""

_V3_OR_V4 = {"3026", "3579", "3583"}
_V5 = {"arc184_c", "arc184_d", "arc184_e"}
_HUB_FILES = {f"test{n}.jsonl": f"v{n}" for n in range(2, 7)}


@dataclass(frozen=True)
class Selection:
    """Which questions of LiveCodeBench a task asks."""

    release: str = "v6"
    """The newest release whose questions count."""
    since: date | None = None
    """First contest date, inclusive."""
    until: date | None = None
    """Last contest date, inclusive to the end of the day."""
    added: bool = False
    """Only what this release added to the one before."""

    def __post_init__(self) -> None:
        if self.release not in RELEASE_SIZES:
            raise ConfigError(
                f"LiveCodeBench has no release {self.release!r}. "
                + did_you_mean(self.release, list(RELEASE_SIZES))
            )

    @classmethod
    def of(cls, options: Mapping[str, Json]) -> Selection:
        """The selection that a task's options name.

        Raises:
            ConfigError: A release or a date is not one.
        """
        return cls(
            release=str(options.get("release") or "v6"),
            since=_date(options, "from"),
            until=_date(options, "until"),
            added=bool(options.get("added")),
        )

    def holds(self, row: Mapping[str, Json]) -> bool:
        """Whether a row of the data set belongs to this selection.

        Raises:
            DataError: It depends on a release that the row does not tell.
        """
        day = contest_day(row)
        if (self.since and day < self.since) or (self.until and day > self.until):
            return False
        releases = releases_of(row)
        held = {r == self.release if self.added else r <= self.release for r in releases}
        if len(held) == 1:
            return held.pop()
        raise DataError(
            f"question {row['question_id']!r} is of release {' or '.join(sorted(releases))}, so it cannot be "
            f"told whether {self.release} holds it. The hub's files do tell: put test.jsonl, test2.jsonl … "
            "under these names into the data folder, or choose release v1, v2, v4, v5 or v6."
        )


def contest_day(row: Mapping[str, Json]) -> date:
    """The day of the contest that a row comes from."""
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
    """The release that a row was added in; two of them where only the hub's file names can tell.

    Rows do not say it. The borders of v1, v4, v5 and v6 were read off published result files of 400, 713, 880
    and 1,055 questions (LiveCodeBench/submissions, xiangww0108/LiveCodeBench): they are contest dates with
    few exceptions. The border of v2 is the date that gives its published size; none gives v3's.
    """
    name = str(row.get("question_id"))
    hub_file = str(row.get(FILE, "")).rsplit("/", 1)[-1]
    if hub_file in _HUB_FILES:
        return frozenset({_HUB_FILES[hub_file]})
    day = contest_day(row).isoformat()
    if name in _V3_OR_V4:
        found = {"v3", "v4"}
    elif name in _V5:
        found = {"v5"}
    elif day < "2024-03-09":
        found = {"v1"}
    elif day <= "2024-05-31":
        found = {"v2"}
    elif day <= "2024-09-30":
        found = {"v3", "v4"}
    elif day < "2025-01-05" and not name.startswith("abc387_"):
        found = {"v5"}
    else:
        found = {"v6"}
    return frozenset(found)


def _date(options: Mapping[str, Json], name: str) -> date | None:
    value = options.get(name)
    if value in (None, ""):
        return None
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ConfigError(f"{name} should be a date such as 2024-07-01, got {value!r}.") from None
