from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from k2eval.decide import Answer, Gate, Policy, Rule, Ruling, gate_of_runs
from k2eval.decide.evidence import Evidence
from k2eval.decide.gate import rulings_of, worst
from k2eval.errors import ConfigError
from k2eval.records import Outcome, Sampling
from k2eval.statistics import average_of, paired_means
from tests.leaderboard import test_once as once
from tests.leaderboard.synthetic import bernoulli, write_run
from tests.leaderboard.test_errors import noisy, run_of

GO, NO_GO, INCONCLUSIVE = Answer.GO, Answer.NO_GO, Answer.INCONCLUSIVE


def gated(
    runs: Sequence[Path] | Path, *rules: dict[str, Any], baseline: Path | None = None, **policy: Any
) -> Gate:
    own = Policy(rules=tuple(Rule(**rule) for rule in rules), baseline=str(baseline or ""), **policy)
    return gate_of_runs(own, [runs] if isinstance(runs, Path) else runs)


def ruling(runs: Sequence[Path] | Path, baseline: Path | None = None, **rule: Any) -> Ruling:
    return gated(runs, rule, baseline=baseline).runs[0].rulings[0]


def pair(folder: Path, shift: float, questions: int = 200, **fields: Any) -> tuple[Path, Path]:
    """A baseline, and a run whose chances are shifted."""
    old = write_run(folder / "old", {"t": bernoulli(questions, 8, 0.5, 1)})
    new = write_run(folder / "new", {"t": bernoulli(questions, 8, 0.5, 1, shift)}, **fields)
    return old, new


@pytest.mark.parametrize(
    ("shift", "condition", "answer"),
    [
        (0.2, {"better": True}, GO),
        (-0.2, {"better": True}, NO_GO),
        (0.001, {"better": True}, INCONCLUSIVE),
        (0.001, {"not_worse_by": 5}, GO),
        (-0.3, {"not_worse_by": 5}, NO_GO),
        (-0.06, {"not_worse_by": 5}, INCONCLUSIVE),
        (0.0, {"at_least": 30}, GO),
        (0.0, {"at_least": 70}, NO_GO),
        (0.0, {"at_least": 50}, INCONCLUSIVE),
    ],
)
def test_the_interval_answers(
    tmp_path: Path, shift: float, condition: dict[str, Any], answer: Answer
) -> None:
    old, new = pair(tmp_path, shift)
    assert ruling(new, old, benchmark="t", **condition).answer is answer


def test_a_difference_is_that_of_the_comparison(tmp_path: Path) -> None:
    old, new = pair(tmp_path, 0.1)
    means = [np.array(bernoulli(200, 8, 0.5, 1, shift)).mean(axis=1) for shift in (0.0, 0.1)]
    expected = paired_means(*means)
    found = ruling(new, old, benchmark="t", better=True)
    assert (found.evidence.value, found.low, found.high) == pytest.approx(
        (100 * expected.value, 100 * expected.low, 100 * expected.high)
    )


def test_a_missing_benchmark_is_no_go_ahead(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", {"t": [[1.0]] * 9})
    found = ruling(run, benchmark="u", at_least=1)
    assert (found.answer, found.reason) == (INCONCLUSIVE, "a has no u. Known: t.")


def test_a_baseline_without_the_benchmark_is_no_go_ahead(tmp_path: Path) -> None:
    old = write_run(tmp_path / "old", {"u": [[1.0]] * 9})
    new = write_run(tmp_path / "new", {"t": [[1.0]] * 9})
    assert ruling(new, old, benchmark="t", not_worse_by=99).reason == "old has no t. Known: u."


def test_an_unfinished_run_is_no_go_ahead(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", {"t": [[1.0, 1.0]] * 9 + [[1.0]]}, complete=False)
    found = ruling(run, benchmark="t", at_least=1)
    assert (found.answer, found.reason) == (
        INCONCLUSIVE,
        "a is unfinished on t: 1 of 20 samples are missing",
    )


@pytest.mark.parametrize("condition", [{"measure": "truncated"}, {"measure": "tokens", "benchmark": "t"}])
def test_measures_of_an_unfinished_run_are_no_go_ahead(tmp_path: Path, condition: dict[str, Any]) -> None:
    run = write_run(tmp_path / "a", {"t": [[1.0, 1.0], [1.0]]}, complete=False)
    assert ruling(run, **condition, below=100).answer is INCONCLUSIVE


def test_a_run_that_only_failed_is_no_go_ahead(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", {"t": [[Outcome.ENGINE_ERROR]] * 9})
    assert ruling(run, benchmark="t", at_least=1).answer is INCONCLUSIVE
    assert ruling(run, measure="truncated", below=100).answer is INCONCLUSIVE
    assert ruling(run, measure="failed", below=5).answer is NO_GO


def test_failures_of_ours_can_neither_pass_nor_fail_a_run(tmp_path: Path) -> None:
    scores: list[list[float | Outcome]] = [[1.0] for _ in range(80)]
    scores += [[0.0] for _ in range(20)]
    found = ruling(write_run(tmp_path / "a", {"t": scores}), benchmark="t", at_least=65)
    assert found.answer is GO
    lost: list[float | Outcome] = [Outcome.ENGINE_ERROR]
    failing = [lost, *scores[1:], *[lost] * 40]
    wider = ruling(write_run(tmp_path / "b", {"t": failing}), benchmark="t", at_least=65)
    assert wider.answer is INCONCLUSIVE
    assert wider.low == pytest.approx(100 * average_of(np.array([1.0] * 79 + [0.0] * 61)).low)
    assert wider.high == pytest.approx(100 * average_of(np.array([1.0] * 120 + [0.0] * 20)).high)


def test_failures_of_the_baseline_count_for_it_at_the_lower_end(tmp_path: Path) -> None:
    new = write_run(tmp_path / "new", {"t": [[1.0], [0.0]] * 20})
    old = write_run(tmp_path / "old", {"t": [[1.0], [Outcome.ENGINE_ERROR]] * 20})
    found = ruling(new, old, benchmark="t", better=True)
    assert found.low < -30
    assert found.high >= 0


def test_other_questions_are_no_go_ahead_unless_they_are_allowed(tmp_path: Path) -> None:
    old = write_run(tmp_path / "old", {"t": bernoulli(50, 4, 0.5, 1)})
    new = write_run(tmp_path / "new", {"t": bernoulli(60, 4, 0.9, 2)})
    rule = {"benchmark": "t", "better": True}
    [found] = gated(new, rule, baseline=old).runs[0].rulings
    assert found.answer is INCONCLUSIVE
    assert "60 questions (print-60) and 50 questions (print-50). `may_differ: [questions]`" in found.reason
    [found] = gated(new, rule, baseline=old, may_differ=("questions",)).runs[0].rulings
    assert found.answer is GO
    assert found.evidence.notes[0].startswith("other questions")


def test_other_settings_are_no_go_ahead_unless_they_are_allowed(tmp_path: Path) -> None:
    old = write_run(tmp_path / "old", {"t": [[1.0]] * 50})
    info = {"sampling": Sampling(max_tokens=100)}
    new = write_run(tmp_path / "new", {"t": [[1.0]] * 50}, infos={"t": info})
    rule = {"benchmark": "t", "not_worse_by": 20}
    [found] = gated(new, rule, baseline=old).runs[0].rulings
    assert found.answer is INCONCLUSIVE
    assert "max_tokens 100 instead of 64000" in found.reason
    [found] = gated(new, rule, baseline=old, may_differ=("max_tokens",)).runs[0].rulings
    assert found.answer is GO
    assert "max_tokens 100 instead of 64000" in found.evidence.notes[0]


def test_an_average_needs_every_benchmark_of_the_baseline(tmp_path: Path) -> None:
    old = write_run(tmp_path / "old", {"t": [[0.0]] * 50, "u": [[0.0]] * 50})
    new = write_run(tmp_path / "new", {"t": [[1.0]] * 50})
    found = ruling(new, old, average="macro", better=True)
    assert (found.answer, found.reason) == (INCONCLUSIVE, "new has no u. Known: t.")


def test_benchmarks_that_the_baseline_lacks_are_left_out_of_an_average_and_named(tmp_path: Path) -> None:
    old = write_run(tmp_path / "old", {"t": [[0.0]] * 50})
    new = write_run(tmp_path / "new", {"t": [[1.0]] * 50, "u": [[0.0]] * 50})
    found = ruling(new, old, average="macro", better=True)
    assert (found.evidence.value, found.evidence.notes) == (100, ("old lacks u: left out of macro",))


def test_an_average_of_a_run_is_over_the_named_benchmarks(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", {"t": [[1.0]] * 50, "u": [[0.0]] * 150, "v": [[0.0]] * 9})
    values = [
        ruling(run, average=kind, over=("t", "u"), at_least=1).evidence.value for kind in ("macro", "micro")
    ]
    assert values == pytest.approx([50, 25])


def test_an_average_of_a_group_leaves_the_others_out(tmp_path: Path) -> None:
    infos = {"u": {"micro": None}}
    old = write_run(tmp_path / "old", {"t": [[0.0]] * 50, "u": [[1.0]] * 50}, infos=infos)
    new = write_run(tmp_path / "new", {"t": [[1.0]] * 50, "u": [[0.0]] * 50}, infos=infos)
    assert ruling(new, old, average="math_macro", better=True).evidence.value == 100


def test_larger_errors_are_never_better(tmp_path: Path) -> None:
    old, new = run_of(tmp_path / "old", noisy(0.2)), run_of(tmp_path / "new", noisy(2.0))
    for rule in ({"benchmark": "esol_mae", "better": True}, {"benchmark": "esol_mae", "at_least": 1}):
        found = ruling(new, old, **rule)
        assert found.answer is INCONCLUSIVE
        assert "of which less is better" in found.reason
    assert ruling(new, old, benchmark="esol", better=True).answer is NO_GO


def test_the_average_of_all_leaves_out_what_the_leaderboard_does(tmp_path: Path) -> None:
    """A model that refuses everything is safe; this must not make it better."""
    infos = {"safe": {"micro": "safety"}, "benign": {"micro": "safety_control"}}
    tasks = {"t": [[1.0]] * 50, "safe": [[0.0]] * 50, "benign": [[1.0]] * 50}
    old = write_run(tmp_path / "old", tasks, infos=infos)
    new = write_run(tmp_path / "new", tasks | {"t": [[0.0]] * 50, "safe": [[1.0]] * 50}, infos=infos)
    found = ruling(new, old, average="macro", better=True)
    assert (found.evidence.value, found.answer) == (-100, NO_GO)
    assert found.evidence.notes == ("safe, benign: left out of macro, as in the leaderboard",)


def test_shares_are_as_measured_unless_they_are_tested(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", {"t": [[1.0, 1.0]] * 30})
    assert ruling(run, measure="truncated", below=1).answer is GO
    assert ruling(run, measure="truncated", below=1, test=True).answer is INCONCLUSIVE


def test_shares_count_the_samples_of_all_benchmarks(tmp_path: Path) -> None:
    scores: list[list[float | Outcome]] = [[1.0, Outcome.TRUNCATED, Outcome.ENGINE_ERROR]]
    run = write_run(tmp_path / "a", {"t": scores, "u": [[1.0, 1.0]]})
    found = ruling(run, measure="truncated", below=25)
    assert found.evidence.value == 25
    assert ruling(run, measure="truncated", below=20).reason == "as measured: 1 of 4 samples"
    assert ruling(run, measure="failed", below=100).evidence.value == 20


@pytest.mark.parametrize(("below", "answer"), [(5, NO_GO), (10, NO_GO), (20, INCONCLUSIVE), (60, GO)])
def test_failures_of_ours_can_neither_pass_nor_fail_a_share(
    tmp_path: Path, below: float, answer: Answer
) -> None:
    """9 of 50 were cut, and 40 more may have been: 9 to 49 of 90."""
    outcomes: list[float | Outcome] = [*[Outcome.TRUNCATED] * 9, *[1.0] * 41, *[Outcome.ENGINE_ERROR] * 40]
    scores = [[outcome] for outcome in outcomes]
    run = write_run(tmp_path / "a", {"t": scores})
    found = ruling(run, measure="truncated", below=below)
    assert found.answer is answer
    if answer is INCONCLUSIVE:
        assert "with those that failed on our side from 10 to 54.44" in found.reason


@pytest.mark.parametrize(
    ("measure", "below", "answer"),
    [
        ("tokens", 100, INCONCLUSIVE),
        ("tokens", 200, GO),
        ("tokens", 50, NO_GO),
        ("recipe_tokens", 900, INCONCLUSIVE),
    ],
)
def test_tokens_of_failed_samples_may_be_as_many_as_are_allowed(
    tmp_path: Path, measure: str, below: float, answer: Answer
) -> None:
    scores: list[list[float | Outcome]] = [[1.0] for _ in range(9)]
    scores.append([Outcome.ENGINE_ERROR])
    run = write_run(tmp_path / "a", {"t": scores}, infos={"t": {"sampling": Sampling(max_tokens=1000)}})
    assert ruling(run, measure=measure, below=below).answer is answer


def test_tokens_are_means_of_a_sample(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", {"t": [[1.0, 0.0]]})
    assert ruling(run, measure="tokens", below=101).answer is GO
    assert ruling(run, measure="recipe_tokens", below=101).evidence.value == 300


def test_all_rules_of_all_runs_are_corrected_together(tmp_path: Path) -> None:
    old, new = pair(tmp_path, 0.1)
    rules = [{"benchmark": "t", "at_least": 50}] * 3
    result = gated([old, new], *rules)
    assert result.tests == 6
    assert result.runs[0].rulings[0].confidence == pytest.approx(1 - 0.05 / 6)


def test_a_run_is_not_compared_with_itself(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", {"t": [[1.0]]})
    with pytest.raises(ConfigError, match="expected another run"):
        gated(run, {"benchmark": "t", "better": True}, baseline=run)


def test_no_run_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one run"):
        gated([], {"benchmark": "t", "at_least": 1})


@pytest.mark.parametrize(
    ("answers", "whole", "code"),
    [([GO, GO], GO, 0), ([GO, INCONCLUSIVE], INCONCLUSIVE, 3), ([INCONCLUSIVE, NO_GO, GO], NO_GO, 1)],
)
def test_the_worst_answer_is_that_of_all(answers: list[Answer], whole: Answer, code: int) -> None:
    assert worst(answers) is whole
    assert whole.exit_code == code


def test_nothing_is_no_go_ahead() -> None:
    assert worst([]) is INCONCLUSIVE


SEEDS = st.integers(0, 10_000)
LIMITS = st.lists(st.floats(0, 30), min_size=1, max_size=4)


def found(gaps: NDArray[np.float64], limit: float) -> Evidence:
    """Evidence from the gaps of questions on a rule that allows a run to be worse by a limit."""

    def interval(confidence: float) -> tuple[float, float]:
        difference = paired_means(np.zeros(len(gaps)), gaps, confidence, test=False)
        return 100 * difference.low, 100 * difference.high

    return Evidence(Rule(benchmark="t", not_worse_by=limit), 100 * float(gaps.mean()), interval)


def gaps_of(seed: int, rules: int) -> list[NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    means = rng.uniform(-0.3, 0.3, rules)
    return [np.clip(rng.normal(mean, 0.2, 30), -1, 1) for mean in means]


@given(SEEDS, LIMITS, st.data())
def test_a_stricter_limit_turns_no_no_go_into_a_go(seed: int, limits: list[float], data: Any) -> None:
    gaps = gaps_of(seed, len(limits))
    stricter = [data.draw(st.floats(0, limit)) for limit in limits]
    before = [
        ruling.answer
        for ruling in rulings_of([found(*both) for both in zip(gaps, limits, strict=True)], 0.05)
    ]
    after = [
        ruling.answer
        for ruling in rulings_of([found(*both) for both in zip(gaps, stricter, strict=True)], 0.05)
    ]
    assert (NO_GO, GO) not in set(zip(before, after, strict=True))
    assert not (worst(before) is not GO and worst(after) is GO)


@given(SEEDS, LIMITS)
def test_more_rules_turn_no_answer_round_and_open_no_gate(seed: int, limits: list[float]) -> None:
    evidence = [found(*both) for both in zip(gaps_of(seed, len(limits)), limits, strict=True)]
    few, many = rulings_of(evidence[:-1], 0.05), rulings_of(evidence, 0.05)
    pairs = {(before.answer, after.answer) for before, after in zip(few, many, strict=False)}
    assert pairs.isdisjoint({(GO, NO_GO), (NO_GO, GO), (INCONCLUSIVE, GO), (INCONCLUSIVE, NO_GO)})


@given(SEEDS, LIMITS, st.floats(0.001, 0.2), st.floats(0.001, 0.2))
def test_more_confidence_answers_less(seed: int, limits: list[float], one: float, other: float) -> None:
    evidence = [found(*both) for both in zip(gaps_of(seed, len(limits)), limits, strict=True)]
    sure, bold = (rulings_of(evidence, alpha) for alpha in sorted((one, other)))
    for less, more in zip(sure, bold, strict=True):
        assert less.answer in (INCONCLUSIVE, more.answer)


@given(SEEDS, LIMITS)
def test_the_order_of_rules_does_not_matter(seed: int, limits: list[float]) -> None:
    evidence = [found(*both) for both in zip(gaps_of(seed, len(limits)), limits, strict=True)]
    forwards = [ruling.answer for ruling in rulings_of(evidence, 0.05)]
    backwards = [ruling.answer for ruling in rulings_of(evidence[::-1], 0.05)]
    assert forwards == backwards[::-1]


def test_a_run_at_the_margin_passes_in_at_most_one_case_of_forty() -> None:
    """Two-sided 95 % intervals: the chance of a false GO at the margin is 2.5 % and its noise."""
    rng, passed, runs = np.random.default_rng(0), 0, 2_000
    for _ in range(runs):
        chance = rng.beta(4, 2, 60)
        old = rng.binomial(8, chance) / 8
        new = rng.binomial(8, np.clip(chance - 0.05, 0, 1)) / 8
        limit = 100 * float((chance - np.clip(chance - 0.05, 0, 1)).mean())
        [ruling] = rulings_of([found(new - old, limit)], 0.05)
        passed += ruling.answer is GO
    assert 0.01 < passed / runs < 0.025 + 3 * np.sqrt(0.025 * 0.975 / runs)


def test_the_chance_of_any_false_answer_is_kept_over_several_rules() -> None:
    """Five rules, each exactly at its margin."""
    rng, wrong, runs = np.random.default_rng(1), 0, 1_000
    for _ in range(runs):
        chance = rng.beta(3, 3, (5, 40))
        gaps = (rng.binomial(8, np.clip(chance - 0.04, 0, 1)) - rng.binomial(8, chance)) / 8
        limits = 100 * (chance - np.clip(chance - 0.04, 0, 1)).mean(axis=1)
        answers = rulings_of([found(*both) for both in zip(gaps, limits, strict=True)], 0.05)
        wrong += any(ruling.answer is not INCONCLUSIVE for ruling in answers)
    assert wrong / runs < 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def test_a_question_that_benchmarks_share_counts_once_in_averages(tmp_path: Path) -> None:
    old = once.run_of(tmp_path / "old", large=once.LARGE, small=once.SMALL)
    new = once.run_of(tmp_path / "new", large=([[0.0], [1.0], [1.0], [1.0]], once.LARGE[1]), small=once.SMALL)
    compared = ruling(new, old, average="macro", not_worse_by=5).evidence
    assert compared.value == pytest.approx(100 * ((1 + 1 / 2) / 2 - (1 / 3 + 1 / 2) / 2))
    assert "1 question of LARGE is also in SMALL, and counted there alone" in compared.notes
    scored = ruling(new, average="macro", over=("large", "small"), at_least=10).evidence
    assert scored.value == pytest.approx(75)
    assert scored.size == "5 questions × 1 repeats"
