from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from k2eval.compare import Comparison, compare, print_comparison, to_markdown
from tests.leaderboard.synthetic import bernoulli, verdicts, write_run


@pytest.fixture
def comparison(tmp_path: Path) -> Comparison:
    tasks = [{t: bernoulli(30, 4, 0.5, seed, shift) for seed, t in enumerate("tu")} for shift in (0.0, 0.2)]
    longer = [line.model_copy(update={"output_tokens": 110}) for line in verdicts(tasks[1])]
    return compare(
        [
            write_run(tmp_path / "plain", tasks[0]),
            write_run(tmp_path / "k2", tasks[1], lines=longer, recipe="k2", complete=False),
        ]
    )


def printed(comparison: Comparison) -> str:
    console = Console(file=io.StringIO(), width=140)
    print_comparison(comparison, console)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_both_say_who_is_compared_and_what_came_out(comparison: Comparison) -> None:
    for text in (printed(comparison), to_markdown(comparison)):
        assert "k2 (models/k2, recipe k2) against plain (models/plain, recipe plain)" in text
        assert comparison.pairs[0].lines[0].verdict in text
        assert "k2 is not finished" in text


def test_tokens_and_speed_stand_side_by_side(comparison: Comparison) -> None:
    text = to_markdown(comparison)
    assert "| Tokens per question | 100 | 110 | +10.0 % |" in text
    assert "| … t | 100 | 110 | +10.0 % |" in text
    assert "| Tokens/s (whole run) | 500 | 500 | +0.0 % |" in text
    assert "| Truncated % | 0.0 | 0.0 | +0.0 points |" in text


def test_flipped_questions_are_listed(comparison: Comparison) -> None:
    flip = next(line.flips for line in comparison.pairs[0].lines if line.flips)[0]
    row = f"| {flip.question} | {100 * flip.first:.0f} % | {100 * flip.second:.0f} % |"
    assert row in to_markdown(comparison)
    assert f"{flip.question} ({100 * flip.first:.0f} → {100 * flip.second:.0f} %)" in printed(comparison)


def test_long_lists_of_flips_are_cut_on_a_terminal_only(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / f"{score}", {"t": [[score]] * 20}) for score in (0.0, 1.0)]
    comparison = compare(runs)
    assert "… and 8 more" in printed(comparison)
    assert to_markdown(comparison).count("| 0 % | 100 % |") == 20


def test_equal_runs_show_an_honest_interval(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, {"t": [[0.0]] * 30}) for name in "ab"]
    assert "+0.0 ± 11.6" in to_markdown(compare(runs))
