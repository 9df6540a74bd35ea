"""Figures of others, as their files hold them."""

from __future__ import annotations

import contextlib
import json
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest

from k2eval.errors import ConfigError, DataError
from k2eval.parity import Side, read_against
from k2eval.parity.lm_eval import digest_of
from k2eval.parity.side import task_key
from tests.end_to_end.test_damaged_runs import VALUES
from tests.journal.test_run_record import changed, places

PROBLEM = "How many ways are there to place four rooks?"


def one(path: Path, **options: Any) -> Side:
    [side] = read_against(path, **options)
    return side


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("aime24", "AIME 2024"),
        ("aime_2025", "aime25"),
        ("hmmt25", "HMMT Feb 2025"),
        ("gpqa_diamond", "gpqa_diamond_cot_zeroshot"),
        ("math500", "hendrycks_math500"),
        ("aime26", "aime-2026"),
    ],
)
def test_names_of_one_benchmark_are_known(first: str, second: str) -> None:
    assert task_key(first) == task_key(second)


@pytest.mark.parametrize(
    ("first", "second"), [("aime24", "aime25"), ("hmmt25", "hmmt_nov25"), ("scicode", "scicode_sub")]
)
def test_other_benchmarks_are_not_mixed_up(first: str, second: str) -> None:
    assert task_key(first) != task_key(second)


def write_csv(tmp_path: Path, text: str) -> Path:
    (tmp_path / "figures.csv").write_text(text)
    return tmp_path / "figures.csv"


def test_a_row_per_figure_states_its_settings(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path,
        "system,task,score,stderr,questions,repeats,temperature,effort,truncated,harness,note\n"
        "Theirs,aime24,63.33,2.5,30,16,0.6,high,12,eval360,of May\n",
    )
    side = one(path)
    assert (side.score, side.se, side.questions, side.repeats) == (0.6333, 0.025, 30, 16)
    assert side.facts["temperature"] == 0.6 and side.facts["reasoning_effort"] == "high"
    assert (side.truncated, side.failed, side.harness, side.notes) == (12, None, "eval360", ["of May"])


def test_a_column_per_benchmark_is_read_too(tmp_path: Path) -> None:
    path = write_csv(tmp_path, "system,aime24,hmmt25,source,note\nA,90,,x,\nB,80,70,x,\n")
    assert [side.task for side in read_against(path, row="b")] == ["aime24", "hmmt25"]
    with pytest.raises(DataError, match="--row"):
        read_against(path)
    with pytest.raises(DataError, match="no system"):
        read_against(path, row="C")


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", "system,task,score\nA,x,101\n", "system,task,scor\nA,x,1\n"]
)
def test_other_tables_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError):
        read_against(write_csv(tmp_path, text))


@pytest.mark.parametrize("name", ["stderr", "questions", "repeats", "samples", "failed", "truncated"])
@pytest.mark.parametrize("value", ["1,128", "±2", "nan", "-3", "thirty"])
def test_a_figure_that_is_no_number_is_not_passed_over(tmp_path: Path, name: str, value: str) -> None:
    path = write_csv(tmp_path, f'system,task,score,{name}\nA,x,50,"{value}"\n')
    with pytest.raises(DataError, match=f"as {name} of x, got"):
        read_against(path)


def test_a_part_of_a_question_is_no_count(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="whole number as questions"):
        read_against(write_csv(tmp_path, "system,task,score,questions\nA,x,50,29.5\n"))


def lm_eval_results(**more: Any) -> dict[str, Any]:
    return {
        "results": {"aime24": {"alias": "aime24", "exact_match,none": 0.4, "exact_match_stderr,none": 0.09}},
        "configs": {
            "aime24": {
                "repeats": 1,
                "dataset_path": "Maxwell-Jia/AIME_2024",
                "generation_kwargs": {
                    "do_sample": False,
                    "temperature": 0.7,
                    "max_gen_toks": 32768,
                    "until": ["</s>"],
                },
            }
        },
        "n-samples": {"aime24": {"original": 30, "effective": 30}},
        "n-shot": {"aime24": 0},
        "config": {
            "model": "vllm",
            "model_args": "pretrained=x,max_model_len=40960",
            "gen_kwargs": {"top_p": 0.9},
        },
        "chat_template_sha": "abcdef0123456789",
        "system_instruction": None,
        "model_name": "x",
    } | more


def test_results_of_lm_eval_with_their_samples(tmp_path: Path) -> None:
    path = tmp_path / "results_2026.json"
    path.write_text(json.dumps(lm_eval_results()))
    row = {
        "doc_id": 0, "doc": {"Problem": PROBLEM, "Answer": "7"}, "filter": "none", "exact_match": 1.0,
        "arguments": {"gen_args_0": {"arg_0": f"Question: {PROBLEM}\nAnswer:"}},
    }  # fmt: skip
    (tmp_path / "samples_aime24_2026.jsonl").write_text(json.dumps(row) + "\n")
    side = one(path)
    assert (side.score, side.se, side.questions, side.repeats) == (0.4, 0.09, 30, 1)
    expected = {"temperature": 0.0, "max_tokens": 32768.0, "top_p": 0.9, "context": 40960.0, "system": "none"}
    assert {name: side.facts[name] for name in expected} == expected
    assert str(side.facts["template"]).startswith("chat") and side.harness == "lm-eval"
    assert side.scores[digest_of(PROBLEM)] == [1.0]
    assert side.prompts[digest_of(PROBLEM)].startswith("Question:")


def test_a_metric_of_lm_eval_may_be_named(tmp_path: Path) -> None:
    results = {"gpqa": {"exact_match,strict-match": 0.1, "exact_match,flexible-extract": 0.5}}
    (tmp_path / "results_1.json").write_text(json.dumps(lm_eval_results(results=results)))
    assert one(tmp_path).score == 0.5
    strict = one(tmp_path, metric="exact_match,strict-match")
    assert (strict.score, strict.harness) == (0.1, "lm-eval-strict")
    with pytest.raises(DataError, match="--metric"):
        read_against(tmp_path, metric="bleu")


def inspect_log() -> dict[str, Any]:
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "task": "aime24",
            "model": "openai/x",
            "model_generate_config": {"temperature": 0.6, "max_tokens": 32000, "reasoning_effort": "high"},
            "config": {"epochs": 2},
            "dataset": {"name": "aime24", "samples": 30},
        },
        "results": {
            "total_samples": 60,
            "completed_samples": 58,
            "scores": [{"name": "match", "metrics": {"accuracy": {"value": 0.5}, "stderr": {"value": 0.08}}}],
        },
    }


def sample(epoch: int, value: Any, **more: Any) -> dict[str, Any]:
    choice = {"stop_reason": "max_tokens" if value == "I" else "stop"}
    made = {"id": "61", "epoch": epoch, "input": [{"role": "user", "content": PROBLEM}]}
    return made | {"scores": {"match": {"value": value}}, "output": {"choices": [choice]}} | more


def check_inspect(side: Side) -> None:
    assert (side.score, side.se, side.questions, side.repeats) == (0.5, 0.08, 30, 2)
    assert (side.samples, side.failed, side.truncated) == (60, 2, 1)
    assert side.facts["reasoning_effort"] == "high" and side.facts["grader"] == "Inspect match"
    assert side.scores[digest_of(PROBLEM)] == side.scores["id:61"] == [1.0, 0.0]


def test_a_log_of_inspect_as_json(tmp_path: Path) -> None:
    log = inspect_log() | {
        "samples": [sample(1, "C"), sample(2, "I"), sample(3, "C", error={"message": "x"})]
    }
    (tmp_path / "log.json").write_text(json.dumps(log))
    check_inspect(one(tmp_path / "log.json"))


def test_a_text_of_several_samples_of_inspect_is_the_key_of_none(tmp_path: Path) -> None:
    log = inspect_log() | {"samples": [sample(1, "C"), sample(1, "I", id="62")]}
    (tmp_path / "log.json").write_text(json.dumps(log))
    assert one(tmp_path / "log.json").scores == {"id:61": [1.0], "id:62": [0.0]}


def test_a_log_of_inspect_as_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "log.eval", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", json.dumps(inspect_log()))
        for number, value in ((1, "C"), (2, "I")):
            archive.writestr(f"samples/61_epoch_{number}.json", json.dumps(sample(number, value)))
    check_inspect(one(tmp_path / "log.eval"))


def test_a_folder_of_eval360(tmp_path: Path) -> None:
    (tmp_path / "model.yaml").write_text(
        "remote_model: {base_name: k2}\nmodel_type: instruct\nparser_type: boxed\n"
        "openai_kwargs: {temperature: 0.7, max_tokens: 65536, "
        "extra_body: {chat_template_kwargs: {reasoning_effort: high}}}\n"
    )
    (tmp_path / "data.yaml").write_text(
        "uuid: aime-2026\ngrader: {type: math-verify}\naverage_over: [32]\nnum_generations: 30\nmeta: {fewshot: 0}\n"
    )
    rows = [
        {"row": 0, "correct": [True, False], "prompt": PROBLEM, "finish_reasons": ["stop", "length"]},
        {"row": 1, "correct": [0], "exception": "x"},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    side = one(tmp_path)
    assert side.score == pytest.approx(1 / 3) and side.repeats == 32
    assert (side.samples, side.failed, side.truncated, side.questions) == (3, 1, 1, 2)
    assert side.facts["grader"] == "Eval360 math-verify behind boxed"
    (tmp_path / "scores.yaml").write_text("accuracy_avg32: 0.75\n")
    assert one(tmp_path).score == 0.75


def test_other_files_are_refused_with_what_is_expected(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(DataError, match="results_"):
        read_against(tmp_path / "x.json")
    with pytest.raises(ConfigError, match="Inspect"):
        read_against(tmp_path / "x.txt")
    (tmp_path / "run.json").touch()
    with pytest.raises(ConfigError, match="k2eval compare"):
        read_against(tmp_path)


@pytest.mark.parametrize(
    "value", [None, [], "x", 7, {"scores": 3}, {"scores": [{"metrics": {"accuracy": 1}}]}]
)
def test_damaged_logs_are_bad_input(tmp_path: Path, value: Any) -> None:
    (tmp_path / "log.json").write_text(json.dumps(inspect_log() | {"results": value}))
    with pytest.raises(DataError):
        read_against(tmp_path / "log.json")


def test_whatever_is_damaged_is_a_figure_or_bad_input(tmp_path: Path) -> None:
    draw = random.Random(0)
    whole = inspect_log() | {"samples": [sample(1, "C"), sample(2, "I")]}
    for content, name in [(lm_eval_results(), "results_1.json"), (whole, "log.json")] * 40:
        damaged = changed(content, draw.choice(list(places(content))), draw.choice(VALUES))
        (tmp_path / name).write_text(json.dumps(damaged))
        with contextlib.suppress(DataError, ConfigError):
            assert all(0 <= side.score <= 1 for side in read_against(tmp_path / name))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("system,task,score,note\nA,aime24,50,a, b\n", "line 2: expected 4 cells"),
        ("system,task,score,score\nA,aime24,50,60\n", "'score' twice"),
    ],
)
def test_a_table_whose_cells_have_no_plain_place_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_against(write_csv(tmp_path, text))


def test_a_score_that_may_be_meant_as_a_share_is_pointed_out(tmp_path: Path) -> None:
    side = one(write_csv(tmp_path, "system,task,score\nA,aime24,0.633\n"))
    assert side.notes == ["its score is read as 0.633 %, not as a share of 1"]
