"""Measure the leaderboard of 100 runs × 17,000 made-up verdicts: at most 10 s and 1 GB.

    python -m benchmarks.leaderboard [--runs 100] [--verdicts 17000]

The last line is limit over measured, of time or memory, whichever is tighter: 1.0 or more passes.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SECONDS, MEGABYTES = 10.0, 1000.0
RUNS = 16
SHARES = {
    "aime24": 30,
    "aime25": 30,
    "hmmt25": 30,
    "omni_math_hard": 173,
    "gpqa_diamond": 198,
    "livecodebench": 322,
}
"""Questions by benchmark, stretched to the wanted number of verdicts."""


def make(folder: Path, verdicts: int, seed: int) -> Path:
    """Make a run directory with verdicts as long as real ones."""
    rng = random.Random(seed)
    scale = verdicts / RUNS / sum(SHARES.values())
    tasks = {name: max(1, round(share * scale)) for name, share in SHARES.items()}
    folder.mkdir()
    info = {
        "title": "",
        "kind": "mathematics",
        "repeats": RUNS,
        "grader": "math/1",
        "notes": [],
        "version": "1",
    }
    run = {
        "format": 1,
        "name": folder.name,
        "model": {"name": f"models/{folder.name}", "fingerprint": "f00d", "engine": "made up"},
        "recipe": "plain",
        "repeats": RUNS,
        "tasks": {
            name: info
            | {"questions": count, "expected_questions": count, "fingerprint": name, "micro": "math" in name}
            for name, count in tasks.items()
        },
        "sessions": [{"generated_tokens": 10**6, "generation_s": 100.0}],
        "complete": True,
    }
    (folder / "run.json").write_text(json.dumps(run))
    with (folder / "verdicts.jsonl").open("w") as file:
        for name, count in tasks.items():
            for number in range(count):
                chance = random.Random(f"{name} {number}").random() + rng.gauss(0, 0.1)
                for index in range(RUNS):
                    file.write(json.dumps(_verdict(rng, name, number, index, rng.random() < chance)) + "\n")
    return folder


def _verdict(rng: random.Random, task: str, number: int, index: int, right: bool) -> dict[str, object]:
    key = f"{rng.getrandbits(128):032x}"
    return {
        "detail": {"reason": "equal as integers" if right else "not equal", "expected_kind": "integer"},
        "extracted": str(rng.randrange(1000)),
        "finish_reason": "stop",
        "generations": [key],
        "grader": "math/1",
        "outcome": "correct" if right else "wrong",
        "output_tokens": rng.randrange(1000, 64000),
        "question_id": f"{task}-{number}",
        "recipe_tokens": 64000,
        "repeat_index": index,
        "score": float(right),
        "selected": key,
        "tags": {"difficulty": "9.0", "date": "2024-10-01"},
        "task": task,
    }


def measure(runs: list[Path], out: Path) -> None:
    """Build and write the leaderboard in this process; print seconds, peak megabytes and CPU seconds."""
    start = time.perf_counter()
    from k2eval.leaderboard import build, write

    write(build(runs), out)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(json.dumps([seconds, peak, time.process_time()]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--verdicts", type=int, default=17_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = [str(make(Path(folder) / f"run{i}", options.verdicts, i)) for i in range(options.runs)]
        size = sum(path.stat().st_size for path in Path(folder).rglob("verdicts.jsonl"))
        print(f"{options.runs} runs × {options.verdicts} verdicts, {size / 1e6:.0f} MB of journals")
        code = "import sys; from pathlib import Path; from benchmarks.leaderboard import measure; "
        code += "measure([Path(p) for p in sys.argv[2:]], Path(sys.argv[1]))"
        results = []
        for _ in range(options.repeat):
            command = [sys.executable, "-c", code, f"{folder}/board", *runs]
            results.append(
                json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            )
            print("{:.2f} s, peak {:.0f} MB, {:.2f} s of CPU".format(*results[-1]))
    seconds = sorted(seconds for seconds, _, _ in results)[len(results) // 2]
    memory = max(memory for _, memory, _ in results)
    print(f"median {seconds:.2f} s of {SECONDS:.0f} s, peak {memory:.0f} MB of {MEGABYTES:.0f} MB")
    print(f"ratio {min(SECONDS / seconds, MEGABYTES / memory):.2f}")


if __name__ == "__main__":
    main()
