from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, strategies as st

from k2eval.decide import Rule, read_policy
from k2eval.errors import ConfigError

LEAST = {"rules": [{"benchmark": "t", "at_least": 60}]}


def written(folder: Path, content: object) -> Path:
    path = folder / "gate.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_a_policy_is_a_list_of_rules(tmp_path: Path) -> None:
    policy = read_policy(
        written(
            tmp_path,
            """
            baseline: runs/old
            rules:
              - benchmark: aime25
                not_worse_by: 2
              - average: macro
                better: true
              - measure: truncated
                below: 1
              - benchmark: gpqa_diamond
                at_least: 60
            """,
        )
    )
    assert [rule.words for rule in policy.rules] == [
        "aime25 not worse than the baseline by more than 2 points",
        "macro better than the baseline",
        "truncated below 1 %",
        "gpqa_diamond at least 60",
    ]


def test_paths_begin_at_the_folder_of_the_policy(tmp_path: Path) -> None:
    rules = [{"benchmark": "t", "better": True, "against": "runs/other"}]
    policy = read_policy(written(tmp_path, {"baseline": "runs/old", "rules": rules}))
    assert policy.baseline == str(tmp_path / "runs/old")
    assert policy.rules[0].against == str(tmp_path / "runs/other")


def test_a_baseline_may_be_given_instead(tmp_path: Path) -> None:
    policy = {"baseline": "runs/old", "rules": [{"benchmark": "t", "better": True}]}
    assert read_policy(written(tmp_path, policy), Path("other")).baseline == "other"


def test_a_difference_needs_a_baseline(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a baseline for the rule “t better than the baseline”"):
        read_policy(written(tmp_path, {"rules": [{"benchmark": "t", "better": True}]}))


def test_a_limit_needs_no_baseline(tmp_path: Path) -> None:
    assert read_policy(written(tmp_path, LEAST)).baseline is None


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"at_least": 60}, "expected one of benchmark, average and measure"),
        ({"benchmark": "t"}, "expected not_worse_by, better or at_least, got none"),
        ({"benchmark": "t", "below": 60}, "expected not_worse_by, better or at_least, got below"),
        ({"benchmark": "t", "at_least": 60, "better": True}, "got better and at_least"),
        ({"benchmark": "t", "average": "macro", "better": True}, "got benchmark and average"),
        ({"measure": "truncated", "at_least": 1}, "expected below, got at_least"),
        ({"measure": "tokens", "below": 1, "test": True}, "test: expected a rule on truncated"),
        ({"measure": "speed", "below": 1}, "truncated"),
        ({"measure": "truncated", "below": 101}, "expected at most 100 percent, which every share is"),
        ({"measure": "truncated", "below": 0}, "greater than 0"),
        ({"benchmark": "t", "at_least": 0}, "greater than 0"),
        ({"benchmark": "t", "not_worse_by": 100}, "less than 100"),
        ({"average": "macro", "at_least": 60}, "over: expected the benchmarks of the average"),
        ({"average": "mean", "better": True}, "expected macro, micro"),
        ({"benchmark": "t", "at_least": True}, "expected a number"),
        ({"benchmark": "t", "not_worse_by": -1}, "greater than or equal to 0"),
        ({"benchmark": "t", "better": False}, "better"),
        ({"benchmark": "t", "at_least": 60, "against": "x"}, "against: expected a rule with"),
        ({"benchmark": "t", "at_least": 60, "over": ["u"]}, "over: expected an average"),
        ({"benchmrk": "t", "at_least": 60}, "benchmrk"),
    ],
)
def test_rules_that_say_nothing_definite_are_refused(
    tmp_path: Path, rule: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        read_policy(written(tmp_path, {"baseline": "x", "rules": [rule]}))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "- benchmark: t",
        "rules: []",
        "rules: 3",
        "{",
        {**LEAST, "confidence": 100},
        {**LEAST, "level": 95},
    ],
)
def test_files_that_are_no_policy_are_refused(tmp_path: Path, content: object) -> None:
    with pytest.raises(ConfigError):
        read_policy(written(tmp_path, content))


def test_a_key_that_is_misspelt_is_the_one_problem_that_is_told(tmp_path: Path) -> None:
    rule = {"benchmark": "t", "not_wors_by": 2}
    with pytest.raises(ConfigError) as told:
        read_policy(written(tmp_path, {"baseline": "x", "rules": [rule]}))
    (line,) = str(told.value).splitlines()[1:]
    assert line.startswith(
        "  rules.0.not_wors_by: there is no such setting here, got 2. Did you mean not_worse_by"
    )


def test_a_missing_policy_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Cannot read the policy"):
        read_policy(tmp_path / "none.yaml")


NUMBERS = st.floats(0, 100, exclude_min=True, exclude_max=True)


@given(NUMBERS, NUMBERS, st.floats(-100, 100), st.sampled_from(["not_worse_by", "at_least", "below"]))
def test_a_value_that_holds_under_a_strict_limit_holds_under_a_loose_one(
    one: float, other: float, value: float, condition: str
) -> None:
    strict, loose = sorted((one, other), reverse=condition == "at_least")
    subject = {"measure": "truncated"} if condition == "below" else {"benchmark": "t"}
    held = [Rule.model_validate({**subject, condition: limit}).holds(value) for limit in (strict, loose)]
    assert held[0] <= held[1]


def test_a_rule_whose_dash_was_forgotten_is_refused(tmp_path: Path) -> None:
    """YAML would keep the last of both limits, and a gate would say GO by half of its rules."""
    content = "rules:\n  - benchmark: a\n    at_least: 60\n    benchmark: b\n    at_least: 5\n"
    with pytest.raises(ConfigError, match="each key once"):
        read_policy(written(tmp_path, content))


def test_keys_that_are_merged_may_be_given_again(tmp_path: Path) -> None:
    content = "rules:\n  - &a {benchmark: a, at_least: 60}\n  - {<<: *a, at_least: 5}\n"
    assert [rule.at_least for rule in read_policy(written(tmp_path, content)).rules] == [60, 5]


def test_an_average_counts_no_benchmark_twice(tmp_path: Path) -> None:
    """Twice the same benchmark is not twice the information, and its interval would be too narrow."""
    content = {"rules": [{"average": "macro", "over": ["a", "a"], "at_least": 60}]}
    with pytest.raises(ConfigError, match="each benchmark once"):
        read_policy(written(tmp_path, content))
