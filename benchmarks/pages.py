"""Whether a report of 1,000 questions × 16 repeats opens and filters quickly, and how large its folder is.

The texts are sentences in the order of words of k2eval's own documents, so they are about as hard to compress as those
of a model that never repeats itself. Chromium and playwright are needed for the times.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from k2eval.journal import GENERATIONS, RUN, VERDICTS
from k2eval.records import Generation, Outcome, Verdict
from k2eval.report import write_report

ROOT = Path(__file__).resolve().parent.parent
OUTCOMES = [Outcome.CORRECT] * 5 + [Outcome.WRONG] * 3 + [Outcome.TRUNCATED, Outcome.NO_ANSWER]


def main() -> None:
    """Make the run and its report, and print what they take."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=16)
    parser.add_argument("--megabytes", type=int, default=138, help="Size of all texts.")
    parser.add_argument("--out", type=Path, help="Keep the run and its report here.")
    options = parser.parse_args()
    out = options.out or Path(tempfile.mkdtemp())
    try:
        if not (out / "run" / RUN).exists():
            make_run(out / "run", options.questions, options.repeats, options.megabytes * 1_000_000)
        start = time.perf_counter()
        page = write_report([out / "run"], out / "report")
        took = time.perf_counter() - start
        size = sum(path.stat().st_size for path in page.parent.rglob("*") if path.is_file())
        print(
            f"written in {took:.0f} s: {size / 1e6:.1f} MB, of which the page has {page.stat().st_size / 1e6:.1f}"
        )
        for name, seconds in browse(page).items():
            print(f"{name}: {seconds:.2f} s")
    finally:
        if not options.out:
            shutil.rmtree(out)


def make_run(folder: Path, questions: int, repeats: int, size: int) -> None:
    """Write a run directory of one benchmark whose questions are not at hand."""
    folder.mkdir(parents=True)
    text = sentences(random.Random(0), size // (questions * repeats))
    names = [f"q{number}" for number in range(questions)]
    drawn = random.Random(1)
    with (folder / GENERATIONS).open("w") as made, (folder / VERDICTS).open("w") as judged:
        for question in names:
            skill = drawn.random()
            for repeat_index in range(repeats):
                key = f"{question}-{repeat_index}"
                words = next(text)
                outcome = Outcome.CORRECT if drawn.random() < skill else drawn.choice(OUTCOMES)
                generation = Generation(
                    key=key, task="large", question_id=question, repeat_index=repeat_index, stage="solve",
                    text=f"<think>{words}</think>So it is \\boxed{{{drawn.randrange(1000)}}}.", finish_reason="stop",
                    prompt_tokens=100, output_tokens=len(words) // 4, duration_s=1.0, seed=0,
                )  # fmt: skip
                verdict = Verdict(
                    task="large", question_id=question, repeat_index=repeat_index, outcome=outcome,
                    score=float(outcome is Outcome.CORRECT), extracted=str(drawn.randrange(1000)), grader="math/5",
                    selected=key, generations=(key,), output_tokens=len(words) // 4, finish_reason="stop",
                    tags={"level": drawn.choice(("easy", "hard"))},
                )  # fmt: skip
                made.write(generation.to_line() + "\n")
                judged.write(verdict.to_line() + "\n")
    (folder / RUN).write_text(json.dumps(record_of(names, repeats)))


def record_of(questions: list[str], repeats: int) -> dict[str, Any]:
    """Return ``run.json`` of the nano demonstration with one task of our own."""
    record: dict[str, Any] = json.loads((ROOT / "leaderboards" / "nano" / "rl-plain" / RUN).read_text())
    task = next(iter(record["tasks"].values()))
    task |= {
        "title": "Large", "grader": "math/5", "questions": len(questions), "repeats": repeats,
        "hashes": dict.fromkeys(questions, "0"), "protected": False, "part": False,
    }  # fmt: skip
    return record | {"tasks": {"large": task}, "name": "large"}


def sentences(rng: random.Random, length: int) -> Iterator[str]:
    """Yield texts of about this many characters: each word follows two others as it does in our documents."""
    words = [
        word
        for path in sorted(
            [*ROOT.glob("docs/*.md"), *ROOT.glob("k2eval/**/*.py"), *ROOT.glob("tasks/**/*.jsonl")]
        )
        for word in re.findall(r"\S+\s*", path.read_text("utf-8"))
    ]
    following = defaultdict(list)
    for first, second, third in zip(words, words[1:], words[2:], strict=False):
        following[first, second].append(third)
    pairs = list(following)
    while True:
        pair, text, size = rng.choice(pairs), [], 0
        while size < length:
            follower = rng.choice(following[pair]) if pair in following else None
            if follower is None:
                pair = rng.choice(pairs)
                continue
            text.append(follower)
            size += len(follower)
            pair = (pair[1], follower)
        yield "".join(text)


FILTER = """([id, value]) => new Promise((done) => {
  const start = performance.now();
  const box = document.getElementById(id);
  box.value = value;
  box.dispatchEvent(new Event(id === "search" ? "input" : "change"));
  requestAnimationFrame(() => setTimeout(() => done((performance.now() - start) / 1000)));
})"""


def browse(page: Path) -> dict[str, float]:
    """Return the seconds that the page takes to open, filter, sort, show a sample and search; medians of several."""
    from playwright.sync_api import sync_playwright

    taken: dict[str, list[float]] = defaultdict(list)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for _ in range(3):
            tab = browser.new_page()
            start = time.perf_counter()
            tab.goto(page.resolve().as_uri())
            tab.wait_for_selector("#grid td.cell")
            taken["open"].append(time.perf_counter() - start)
            for box, value in (
                ("outcome", "truncated"),
                ("only", "repeats"),
                ("order", "tokens"),
                ("search", "77"),
            ):
                taken[f"filter: {box} {value}"].append(tab.evaluate(FILTER, [box, value]))
                tab.evaluate(FILTER, [box, {"order": "id"}.get(box, "")])
            start = time.perf_counter()
            tab.evaluate("document.querySelector('#grid td.cell').click()")
            tab.wait_for_selector("#shown .answer")
            taken["first sample"].append(time.perf_counter() - start)
            for name in ("search in all texts, first", "search in all texts, again"):
                tab.evaluate("document.getElementById('searched').textContent = ''")
                start = time.perf_counter()
                words = "sandbox" if name.endswith("first") else "leaderboard"
                tab.check("#in-texts")
                tab.fill("#search", words)
                tab.wait_for_function(
                    "() => document.getElementById('searched').textContent === 'all texts searched'",
                    timeout=120_000,
                )
                taken[name].append(time.perf_counter() - start)
            tab.close()
        browser.close()
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


if __name__ == "__main__":
    main()
