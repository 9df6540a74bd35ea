"""A run against figures of others: agreement, and which causes differ."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from k2eval.errors import ConfigError
from k2eval.interop import export_run
from k2eval.parity import Cause, Parity, parity_of, sentences, to_json, to_markdown
from tests.report.scripted import smoke_run

COLUMNS = (
    "system,task,score,stderr,questions,repeats,temperature,top_p,max_tokens,grader,harness,truncated,failed"
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return smoke_run(tmp_path_factory.mktemp("made") / "run", repeats=3)


@pytest.fixture(scope="module")
def score(run: Path) -> float:
    from k2eval.leaderboard import load_run

    return 100 * load_run(run).tasks["smoke"].estimate.value


def against(run: Path, folder: Path, line: str) -> Parity:
    path = folder / "figures.csv"
    path.write_text(f"{COLUMNS}\nTheirs,smoke,{line}\n")
    [parity] = parity_of(run, path, with_audit=False).parities
    return parity


def cause(parity: Parity, name: str) -> Cause:
    return next(cause for cause in parity.causes if cause.name == name)


def test_a_score_without_anything_else_gets_a_binomial_bound(run: Path, tmp_path: Path, score: float) -> None:
    parity = against(run, tmp_path, f"{score:.2f},,,,,,,,,,")
    assert parity.agrees and parity.agreements[0].method == "two-sample, binomial bound (n assumed)"
    assert {each.status for each in parity.causes} == {"unknown"}


def test_a_huge_number_of_questions_costs_nothing(run: Path, tmp_path: Path, score: float) -> None:
    parity = against(run, tmp_path, f"{score:.2f},,1e15,,,,,,,,")
    assert parity.agreements[0].method == "two-sample, binomial bound"


def test_a_stated_error_is_used(run: Path, tmp_path: Path, score: float) -> None:
    parity = against(run, tmp_path, f"{score:.2f},1.5,1000,,,,,,,,")
    best = parity.agreements[0]
    assert best.method == "two-sample, stated error" and best.low < 0 < best.high


def test_a_large_gap_is_shown(run: Path, tmp_path: Path, score: float) -> None:
    parity = against(run, tmp_path, f"{min(score + 60, 100):.2f},1.5,1000,,,,,,,,")
    assert not parity.agrees
    assert any(line.startswith("Differs:") for line in sentences(parity))


def test_the_same_questions_asked_again_are_compared_by_the_noise_of_repeats(
    run: Path, tmp_path: Path, score: float
) -> None:
    questions = len(json.loads((run / "run.json").read_text())["tasks"]["smoke"]["hashes"])
    parity = against(run, tmp_path, f"{score:.2f},,{questions},64,,,,,,,")
    same, two = parity.agreements
    assert same.method == "same questions"
    assert same.high - same.low < two.high - two.low


def test_settings_are_the_same_or_differ(run: Path, tmp_path: Path, score: float) -> None:
    parity = against(run, tmp_path, f"{score:.2f},,,,1.0,0.95,32768,k2eval,,,0")
    assert cause(parity, "sampling").status == "same"
    limits = cause(parity, "limits")
    assert limits.status == "differs" and "32,768" in limits.theirs
    assert cause(parity, "grader").status == "same"
    assert cause(parity, "effort").status == "unknown"


def test_the_effect_of_truncation_is_counted(run: Path, tmp_path: Path, score: float) -> None:
    assert (
        "% of samples, worth at most"
        in cause(against(run, tmp_path, f"{score:.2f},,,,,,,,,,"), "limits").effect
    )


def test_failures_there_are_counted(run: Path, tmp_path: Path, score: float) -> None:
    failures = cause(against(run, tmp_path, "50,,30,10,,,,,,0,60"), "failures")
    assert failures.status == "differs" and "worth 10.0 points" in failures.effect


@pytest.mark.parametrize("form", ["lm-eval", "inspect"])
def test_an_export_agrees_with_its_run(run: Path, tmp_path: Path, form: str, score: float) -> None:
    files = export_run(run, form, tmp_path).files
    path = next(path for path in files if path.suffix in (".json", ".eval"))
    [parity] = parity_of(run, path, with_audit=False).parities
    assert parity.agreements[0].method == "paired" and parity.agreements[0].value == pytest.approx(0)
    assert parity.shared == parity.ours.questions
    found = {each.name: each.status for each in parity.causes}
    assert {found[name] for name in ("sampling", "limits", "grader", "data revision")} == {"same"}
    assert "differs" not in found.values()


def test_another_prompt_is_found(run: Path, tmp_path: Path) -> None:
    [path] = [path for path in export_run(run, "lm-eval", tmp_path).files if path.suffix == ".jsonl"]
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        turns = json.loads(row["arguments"]["gen_args_0"]["arg_0"])
        turns[-1]["content"] += "\n\nGive only a number."
        row["arguments"]["gen_args_0"]["arg_0"] = json.dumps(turns)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    [parity] = parity_of(run, path.parent, with_audit=False).parities
    prompt = cause(parity, "prompt")
    assert prompt.status == "differs" and "Give only a number." in prompt.theirs


def test_the_effect_of_their_grader_is_counted(run: Path, tmp_path: Path, score: float) -> None:
    path = tmp_path / "figures.csv"
    path.write_text(f"{COLUMNS}\nTheirs,smoke,{score:.2f},,,,,,,x,simple-evals,,\n")
    [parity] = parity_of(run, path, workers=1).parities
    effect = cause(parity, "grader").effect
    assert "by simple-evals" in effect and "points" in effect


def test_no_common_benchmark_is_bad_input(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "figures.csv"
    path.write_text("system,task,score\nA,aime24,50\n")
    with pytest.raises(ConfigError, match="--task OURS=THEIRS"):
        parity_of(run, path)
    [parity] = parity_of(run, path, pairs={"smoke": "aime24"}, with_audit=False).parities
    assert parity.theirs.task == "aime24"


def test_files_say_what_the_table_says(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "figures.csv"
    path.write_text("system,task,score\nA,smoke,50\n")
    report = parity_of(run, path, with_audit=False)
    content = to_json(report)
    assert content["agrees"] == report.agrees and len(content["tasks"][0]["causes"]) == 8
    assert json.loads(json.dumps(content)) == content
    assert "## Demo questions" in to_markdown(report) or "| prompt |" in to_markdown(report)


def test_their_responses_are_graded_by_ours(run: Path, tmp_path: Path) -> None:
    [path] = [path for path in export_run(run, "lm-eval", tmp_path).files if path.suffix == ".jsonl"]
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row["resps"] = [[rf"so \boxed{{{row['target']}}}"]]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    [parity] = parity_of(run, path.parent, workers=1).parities
    assert parity.regraded is not None and parity.regraded.responses == len(rows)
    assert parity.regraded.score == 1.0 > parity.regraded.stated
    assert "by k2eval" in cause(parity, "grader").effect
