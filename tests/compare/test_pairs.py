from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from k2eval.compare import Line, compare
from k2eval.compare.line import in_words
from k2eval.errors import ConfigError
from k2eval.records import Outcome
from k2eval.statistics import Difference, holm, paired
from tests.leaderboard.synthetic import bernoulli, verdict, write_run

NANO = Path(__file__).parents[2] / "leaderboards" / "nano"


def lines(first: Path, second: Path) -> dict[str, Line]:
    return {line.name: line for line in compare([first, second]).pairs[0].lines}


def test_a_benchmark_is_compared_question_by_question(tmp_path: Path) -> None:
    scores = [bernoulli(30, 8, 0.5, 1, shift) for shift in (0.0, 0.1)]
    runs = [write_run(tmp_path / name, {"t": table}) for name, table in zip("ab", scores, strict=True)]
    line = lines(*runs)["t"]
    assert line.difference == paired(np.array(scores[0]), np.array(scores[1]))
    assert line.p == line.difference.p


def test_the_order_of_questions_in_the_journal_does_not_matter(tmp_path: Path) -> None:
    first = write_run(tmp_path / "a", {"t": [[1.0], [0.0], [1.0]]})
    backwards = [verdict("t", f"t-{number}", 0, float(number != 1)) for number in (2, 0, 1)]
    second = write_run(tmp_path / "b", {"t": [[1.0]] * 3}, lines=backwards)
    assert lines(first, second)["t"].difference.value == 0
    assert lines(first, second)["t"].flips == ()


def test_clear_changes_are_better_and_worse(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / f"{shift}", {"t": bernoulli(60, 8, 0.5, 1, shift)}) for shift in (0.0, 0.3)]
    assert lines(runs[0], runs[1])["t"].verdict == "better"
    assert lines(runs[1], runs[0])["t"].verdict == "worse"


def test_noise_is_no_difference_and_says_what_would_show(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / f"{shift}", {"t": bernoulli(30, 16, 0.5, 1, shift)}) for shift in (0.0, 0.001)
    ]
    line = lines(*runs)["t"]
    shown = f"{100 * line.difference.detectable:.1f}"
    assert line.verdict == f"no difference shown: 30 questions × 16 repeats would show ±{shown} or more"


def test_p_values_of_benchmarks_are_corrected_for_their_number(tmp_path: Path) -> None:
    tasks = [{t: bernoulli(30, 4, 0.5, seed, shift) for seed, t in enumerate("tuv")} for shift in (0.0, 0.05)]
    result = lines(*(write_run(tmp_path / name, table) for name, table in zip("ab", tasks, strict=True)))
    raw = [result[name].difference.p for name in "tuv"]
    assert [result[name].p for name in "tuv"] == holm(raw)


def test_another_view_of_a_benchmark_is_no_benchmark_more(tmp_path: Path) -> None:
    tasks = [{t: bernoulli(20, 4, 0.5, seed, shift) for seed, t in enumerate("tuv")} for shift in (0.0, 0.2)]
    runs = [write_run(tmp_path / n, t, infos={"v": {"part": True}}) for n, t in zip("ab", tasks, strict=True)]
    result = lines(*runs)
    whole = [result[name] for name in "tu"]
    assert [line.p for line in whole] == holm([line.difference.p for line in whole])
    assert result["v"].p == min(1.0, 2 * result["v"].difference.p)


@pytest.mark.parametrize(
    ("p", "corrected", "runs", "words"),
    [
        (0.01, 0.03, (16, 16), "better"),
        (0.03, 0.09, (16, 16), "better on its own, but not when corrected for 3 benchmarks"),
        (0.5, 1.0, (16, 2), "no difference shown: 30 questions × 16 and 2 repeats would show ±5.1 or more"),
    ],
)
def test_verdicts_in_words(p: float, corrected: float, runs: tuple[int, int], words: str) -> None:
    difference = Difference(0.02, -0.01, 0.05, 0.015, p, 0.051, 30, True)
    assert in_words(difference, corrected, runs, 3) == words


def test_the_micro_average_adds_evidence_from_all_benchmarks(tmp_path: Path) -> None:
    tasks = [
        {t: bernoulli(30, 8, 0.5, seed, shift) for seed, t in enumerate("tuvw")} for shift in (0.0, 0.05)
    ]
    result = lines(*(write_run(tmp_path / name, table) for name, table in zip("ab", tasks, strict=True)))
    whole = [np.concatenate([np.array(table[t]) for t in "tuvw"]) for table in tasks]
    assert result["math_micro"].difference.value == pytest.approx(paired(*whole).value)
    assert result["math_micro"].p == pytest.approx(paired(*whole).p, abs=0.005)
    assert result["math_micro"].difference.margin < result["t"].difference.margin


def test_other_questions_are_compared_without_pairs_and_that_is_said(tmp_path: Path) -> None:
    first = write_run(tmp_path / "a", {"t": bernoulli(30, 4, 0.5, 1)})
    second = write_run(tmp_path / "b", {"t": bernoulli(40, 4, 0.5, 2)}, infos={"t": {"fingerprint": "other"}})
    line = lines(first, second)["t"]
    assert not line.difference.paired
    assert line.notes[0].startswith("unpaired: the questions differ (fingerprints print-30 and other)")


def test_a_part_of_the_same_questions_is_compared_on_what_both_have(tmp_path: Path) -> None:
    scores = bernoulli(30, 4, 0.5, 1)
    first = write_run(tmp_path / "a", {"t": scores})
    second = write_run(tmp_path / "b", {"t": scores[:10]}, infos={"t": {"fingerprint": "print-30"}})
    line = lines(first, second)["t"]
    assert line.difference.questions == 10
    assert "compared on the 10 questions that both have" in line.notes
    assert line.second.value - line.first.value == pytest.approx(line.difference.value)


def test_an_average_over_fewer_benchmarks_than_a_run_has_says_so(tmp_path: Path) -> None:
    first = write_run(tmp_path / "a", {name: bernoulli(10, 2, 0.5, 1) for name in "tuv"})
    second = write_run(tmp_path / "b", {name: bernoulli(10, 2, 0.5, 1) for name in "tu"})
    assert lines(first, second)["math_micro"].notes == ("over the 2 of 3 benchmarks that both have",)


def test_flipped_questions_are_named_with_both_scores(tmp_path: Path) -> None:
    first = write_run(tmp_path / "a", {"t": [[1.0, 1.0], [0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]})
    second = write_run(tmp_path / "b", {"t": [[0.0, 0.0], [1.0, 1.0], [0.0, 0.0], [1.0, 0.0]]})
    assert lines(first, second)["t"].flips == (("t-1", 0, 1), ("t-0", 1, 0))


def test_infrastructure_failures_are_left_out_and_said(tmp_path: Path) -> None:
    first = write_run(tmp_path / "a", {"t": [[1.0], [1.0], [0.0]]})
    second = write_run(tmp_path / "b", {"t": [[Outcome.ENGINE_ERROR], [1.0], [0.0]]})
    line = lines(first, second)["t"]
    assert line.difference.questions == 2
    assert "infrastructure failures, left out: 0 and 1 samples" in line.notes


def test_different_graders_are_said(tmp_path: Path) -> None:
    first = write_run(tmp_path / "a", {"t": [[1.0], [0.0]]})
    second = write_run(tmp_path / "b", {"t": [[1.0], [0.0]]}, infos={"t": {"grader": "math/2"}})
    assert "grader math/2 instead of math/1" in lines(first, second)["t"].notes


def test_benchmarks_of_one_side_are_named(tmp_path: Path) -> None:
    first = write_run(tmp_path / "a", {"t": [[1.0]], "u": [[1.0]]})
    second = write_run(tmp_path / "b", {"t": [[1.0]], "v": [[1.0]]})
    [pair] = compare([first, second]).pairs
    assert (pair.only_first, pair.only_second) == (("u",), ("v",))


def test_the_first_run_is_compared_with_each_other_one(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, {"t": [[1.0], [0.0]]}) for name in "abc"]
    pairs = compare(runs).pairs
    assert [(pair.first.info.name, pair.second.info.name) for pair in pairs] == [("a", "b"), ("a", "c")]


def test_listed_questions_can_be_left_out(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, {"t": [[1.0], [0.0], [0.0]]}) for name in "ab"]
    (tmp_path / "seen.txt").write_text("t-0\n")
    [pair] = compare(runs, exclude=tmp_path / "seen.txt").pairs
    assert pair.lines[0].difference.questions == 2


def test_one_run_is_not_compared(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least two"):
        compare([write_run(tmp_path / "a", {"t": [[1.0]]})])


def test_runs_without_a_common_benchmark_are_refused(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "a", {"t": [[1.0]]}), write_run(tmp_path / "b", {"u": [[1.0]]})]
    with pytest.raises(ConfigError, match="benchmark in common"):
        compare(runs)


def test_samples_that_follow_no_seeds_are_named(tmp_path: Path) -> None:
    first, second = (write_run(tmp_path / name, {"t": [[1.0], [0.0]]}) for name in "ab")
    path = second / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "reproducible": False}))
    [note] = compare([first, second]).notes
    assert note.startswith("the samples of b follow no seeds")


def test_steps_have_no_flips_of_their_own() -> None:
    shipped = lines(NANO / "sft-plain", NANO / "rl-plain")
    assert shipped["nano_science"].flips
    assert shipped["nano_science_sub"].flips is None
