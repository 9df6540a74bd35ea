r"""Kill runs at random moments, resume them to the end, and compare them with runs that were left alone.

    python -m benchmarks.kills --kills 180            # through a server, in minutes
    python -m benchmarks.kills --kills 0 --vllm 20    # vLLM in process

``plain``, ``k2`` and tasks in SciCode's form run as processes of their own. They get SIGKILL, SIGTERM or Ctrl-C, or one
of their children is killed: a grading process, a program's box, vLLM's engine. The same command then goes on. A run
directory is killed several times, run to its end, and compared line by line with that of an uninterrupted run: no
generation and no verdict may be missing, doubled or different. Nothing of a run may stay behind when it has ended: no
process, no temporary file, no traceback. The last line counts all of that; the exit code is 1 if any count is not 0.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from benchmarks.answering import MODEL, server
from benchmarks.killing import ENDING, PASSING, WEIGHTS, Started
from k2eval.journal import GENERATIONS, VERDICTS, read_lines, read_run
from k2eval.records import Generation, SampleKey, Verdict

KILLS_A_RUN = 4
DELAY_S = 0.3
NANO = Path("models/nano/rl")
FILES = (GENERATIONS, VERDICTS)
CODES = (0, 2, 130, 143, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT)
"""Exit codes of a run that was killed: done, without its engine, stopped, or ended by a signal that came early."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is run."""

    name: str
    tasks: str
    recipe: str
    limit: int
    repeats: int
    weight: int
    """Its share of the kills."""

    def options(self, engine: Sequence[str]) -> list[str]:
        """Return the options of ``k2eval run``."""
        return [
            *engine, "--tasks", self.tasks, "--recipe", self.recipe, "--limit", str(self.limit),
            "--repeats", str(self.repeats), "--workers", "1",
        ]  # fmt: skip


SERVED = (
    Scenario("plain", "smoke", "plain", 52, 4, 7),
    Scenario("k2", "smoke", "k2", 12, 2, 6),
    Scenario("SciCode", "nano_science", "plain", 24, 2, 4),
    Scenario("SciCode, k2", "nano_science", "k2", 6, 1, 3),
)
IN_PROCESS = (
    Scenario("plain, vLLM", "nano_math", "plain", 60, 6, 1),
    Scenario("k2, vLLM", "nano_choice", "k2", 12, 2, 1),
    Scenario("SciCode, vLLM", "nano_science", "plain", 40, 2, 1),
)


@dataclass(slots=True)
class Tally:
    """Counts over the kills of one scenario."""

    kills: Counter[str] = field(default_factory=Counter)
    starts: int = 0
    compared: int = 0
    """Run directories that were run to their end and compared."""
    lost: int = 0
    """Lines that were there once, or that an uninterrupted run has."""
    doubled: int = 0
    """Generations with one key, and verdicts on one sample."""
    differing: int = 0
    """Verdicts or texts that differ."""
    tracebacks: int = 0
    """Starts that ended with a traceback or with an exit code that they should not have."""
    left: int = 0
    """Processes and temporary files that stayed behind."""
    codes: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def bad(self) -> tuple[int, ...]:
        return self.lost, self.doubled, self.differing, self.tracebacks, self.left


class Kills:
    """The kills of one scenario."""

    def __init__(self, scenario: Scenario, engine: Sequence[str], scratch: Path, draw: random.Random) -> None:
        self.scenario = scenario
        self.tally = Tally()
        self._options = scenario.options(engine)
        self._scratch = scratch
        self._draw = draw
        self._whole = scratch / f"{scenario.name.replace(', ', '-')}-whole"
        self._number = 0

    def carry_out(self, count: int) -> None:
        """Kill so often."""
        whole = Started(self._options, self._whole, self._scratch)
        if whole.wait() != 0:
            raise SystemExit(
                f"{self.scenario.name}: the uninterrupted run failed:\n{whole.log.read_text()[-3000:]}"
            )
        duration_s = time.monotonic() - whole.since
        say(
            f"{self.scenario.name}: {duration_s:.1f} s uninterrupted, {_lines(self._whole)[VERDICTS]} samples"
        )
        while self.tally.kills.total() < count:
            self._number += 1
            self._one_run(min(KILLS_A_RUN, count - self.tally.kills.total()), duration_s)
            say(
                f"{self.scenario.name}: {self.tally.kills.total()} of {count} kills, {sum(self.tally.bad)} faults"
            )

    def _one_run(self, kills: int, duration_s: float) -> None:
        out = self._scratch / f"{self._whole.name.removesuffix('-whole')}-{self._number}"
        kept = dict.fromkeys(FILES, b"")
        while kills > 0:
            started = self._start(out)
            moment_s = self._draw.uniform(0.1, duration_s)
            while kills > 0 and started.wait_until(moment_s):
                name = self._kill(started)
                kills -= 1
                if name in ENDING:
                    break
                moment_s += self._draw.uniform(0.1, duration_s / 2)
            whole = started.is_running and kills == 0 and not self._ended
            self._look_back(started, 0 if whole else None)
            self._check_kept(out, kept)
            if started.process.returncode == 0:
                break
        last = self._start(out)
        self._look_back(last, 0)
        self._check_kept(out, kept)
        self._compare(out)

    def _start(self, out: Path) -> Started:
        self.tally.starts += 1
        self._ended = False
        return Started(self._options, out, self._scratch)

    def _kill(self, started: Started) -> str:
        """Kill in one of the ways, and return its name."""
        ways = {**ENDING, **PASSING}
        while True:
            [name] = self._draw.choices(list(ways), [WEIGHTS[way] for way in ways])
            if ways[name](started, self._draw):
                self.tally.kills[name] += 1
                self._ended = name in ENDING
                return name
            del ways[name]  # there is no such child now

    def _look_back(self, started: Started, expected: int | None) -> None:
        """Wait for the end, and note what should not be."""
        code = started.wait()
        self.tally.codes[code] += 1
        words = started.log.read_text(errors="replace")
        wrong = code not in CODES if expected is None else code != expected
        if wrong or "Traceback" in words or "Exception ignored" in words:
            self.tally.tracebacks += 1
            self.tally.failures.append(f"exit code {code}:\n{words[-3000:]}")
        left = started.left_behind()
        self.tally.left += len(left)
        self.tally.failures += left

    def _check_kept(self, out: Path, kept: dict[str, bytes]) -> None:
        """Make sure that every whole line that was in the journal once is there still."""
        for name in FILES:
            path = out / name
            content = path.read_bytes() if path.exists() else b""
            content = content[: content.rfind(b"\n") + 1]
            if not content.startswith(kept[name]):
                self.tally.lost += 1
                self.tally.failures.append(f"{path}: lines that were there are not there now")
            kept[name] = content

    def _compare(self, out: Path) -> None:
        """Compare a finished run directory with that of the uninterrupted run."""
        self.tally.compared += 1
        here, there = _texts(out), _texts(self._whole)
        verdicts, expected = _verdicts(out), _verdicts(self._whole)
        lines = _lines(out)
        lost = sorted(set(there) - set(here)) + sorted(set(expected) - set(verdicts))
        strange = sorted(set(here) - set(there)) + sorted(set(verdicts) - set(expected))
        differing = [key for key in there if here.get(key, there[key]) != there[key]]
        differing_verdicts = [key for key in expected if verdicts.get(key, expected[key]) != expected[key]]
        self.tally.lost += len(lost) + (not read_run(out).complete)
        self.tally.doubled += lines[GENERATIONS] - len(here) + lines[VERDICTS] - len(verdicts)
        self.tally.differing += len(strange) + len(differing) + len(differing_verdicts)
        self.tally.failures += [
            f"{out.name}: {key}" for key in [*lost, *strange, *differing, *differing_verdicts]
        ][:5]
        stray = [
            path.name for path in (self._scratch / "t").iterdir() if not path.name.startswith("torchinductor")
        ]
        stray += [path.name for path in out.iterdir() if path.name.endswith((".tmp", ".part"))]
        self.tally.left += len(stray)
        self.tally.failures += stray


def _lines(out: Path) -> dict[str, int]:
    return {name: (out / name).read_bytes().count(b"\n") for name in FILES}


def _texts(out: Path) -> dict[str, tuple[str, str, int]]:
    return {
        generation.key: (generation.text, generation.finish_reason, generation.output_tokens)
        for _, generation in read_lines(out / GENERATIONS, Generation)
    }


def _verdicts(out: Path) -> dict[SampleKey, str]:
    return {verdict.sample_key: verdict.to_line() for _, verdict in read_lines(out / VERDICTS, Verdict)}


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


@contextlib.contextmanager
def scratch_folder(keep: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="kills-"))
    (folder / "t").mkdir()
    try:
        yield folder
    finally:
        if not keep:
            import shutil

            shutil.rmtree(folder, ignore_errors=True)


def shares(count: int, scenarios: Sequence[Scenario]) -> list[int]:
    """Return how many kills each scenario gets, by weight.

    >>> shares(40, SERVED)
    [14, 12, 8, 6]
    """
    ends = [0]
    for scenario in scenarios:
        ends.append(ends[-1] + scenario.weight)
    return [count * end // ends[-1] - count * start // ends[-1] for start, end in pairwise(ends)]


def table(tallies: dict[str, Tally]) -> str:
    """Return a Markdown table of the tallies."""
    kinds = [kind for kind in WEIGHTS if any(kind in tally.kills for tally in tallies.values())]
    heads = [
        "scenario",
        "kills",
        *kinds,
        "starts",
        "compared",
        "lost",
        "doubled",
        "differing",
        "tracebacks",
        "left",
    ]
    rows = [
        [
            name,
            tally.kills.total(),
            *(tally.kills[kind] for kind in kinds),
            tally.starts,
            tally.compared,
            *tally.bad,
        ]
        for name, tally in tallies.items()
    ]
    ruler = ["---", *["---:"] * (len(heads) - 1)]
    lines = [heads, ruler, *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=180, help="kills of runs through a server")
    parser.add_argument("--vllm", type=int, default=0, help="kills of runs with vLLM in process")
    parser.add_argument("--model", type=Path, default=NANO, help="checkpoint for vLLM")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of the moments and ways")
    parser.add_argument("--keep", action="store_true", help="keep the run directories")
    options = parser.parse_args()
    draw, tallies = random.Random(options.seed), dict[str, Tally]()
    say(f"seed {options.seed}")
    with scratch_folder(options.keep) as scratch, server(DELAY_S) as url:
        served = [
            "--engine", "endpoint", "--model", MODEL, "--set", f"engine.base_url={url}", "--set",
            "engine.concurrency=12", "--set", "engine.probe=false",
        ]  # fmt: skip
        vllm = ["--model", str(options.model)]
        for scenarios, count, engine in ((SERVED, options.kills, served), (IN_PROCESS, options.vllm, vllm)):
            for scenario, share in zip(scenarios, shares(count, scenarios), strict=True):
                if share:
                    kills = Kills(scenario, engine, scratch, draw)
                    tallies[scenario.name] = kills.tally
                    kills.carry_out(share)
        if options.keep:
            say(f"kept in {scratch}")
    for name, tally in tallies.items():
        for failure in tally.failures[:10]:
            print(f"{name}: {failure}")
    print(table(tallies))
    counts = [sum(column) for column in zip(*(tally.bad for tally in tallies.values()), strict=True)]
    words = ", ".join(
        f"{count} {name}"
        for count, name in zip(
            counts, ("lost", "doubled", "differing", "tracebacks", "left behind"), strict=True
        )
    )
    print(f"{sum(tally.kills.total() for tally in tallies.values())} kills: {words}")
    raise SystemExit(1 if any(counts) else 0)


if __name__ == "__main__":
    main()
