from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from huggingface_hub.repocard_data import model_index_to_eval_results

from k2eval.errors import ConfigError, EngineError
from k2eval.interop import every_eval_ever
from k2eval.interop.export import FORMATS, export_run
from k2eval.interop.exported import HIDDEN, Run
from k2eval.records import Request
from tests import scripted_runs as runs
from tests.report.scripted import edit_run, make_best_of_two, smoke_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return smoke_run(tmp_path_factory.mktemp("run") / "model", repeats=2, limit=4)


def written(run: Path, form: str, out: Path, **options: Any) -> list[Path]:
    return export_run(run, form, out, **options).files


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


# lm-eval


def test_lm_eval_finds_its_files_by_name(run: Path, tmp_path: Path) -> None:
    from lm_eval.utils import get_file_task_name, get_results_filenames, get_sample_results_filenames

    names = [str(path) for path in written(run, "lm-eval", tmp_path)]
    assert len(get_results_filenames(names)) == 1
    [samples] = get_sample_results_filenames(names)
    assert get_file_task_name(Path(samples).name) == "smoke"


def test_lm_eval_makes_its_table_of_the_results(run: Path, tmp_path: Path) -> None:
    from lm_eval.utils import make_table

    [path] = [path for path in written(run, "lm-eval", tmp_path) if path.name.startswith("results_")]
    results = json.loads(path.read_text())
    table = make_table(results)
    assert "|smoke|" in table
    assert f"{Run(run).estimate('smoke').value:.1f}"[:4] in table


def test_lm_evals_standard_error_is_ours(run: Path, tmp_path: Path) -> None:
    from lm_eval.api.metrics import mean_stderr

    results, samples = sorted(written(run, "lm-eval", tmp_path))
    figures = json.loads(results.read_text())["results"]["smoke"]
    means = [row["avg_at_k"] for row in lines(samples)]
    assert figures["avg_at_k,k2eval"] == pytest.approx(sum(means) / len(means))
    assert figures["avg_at_k_stderr,k2eval"] == pytest.approx(mean_stderr(means))


def test_lm_evals_samples_load_as_a_dataset(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    [samples] = [path for path in written(run, "lm-eval", tmp_path) if path.suffix == ".jsonl"]
    table = datasets.load_dataset("json", data_files=str(samples), split="train")
    assert len(table) == 4
    assert len(table[0]["resps"][0]) == 2


# Hugging Face


def test_a_model_index_reads_back(run: Path, tmp_path: Path) -> None:
    [path] = written(run, "huggingface", tmp_path)
    _, [result] = model_index_to_eval_results(yaml.safe_load(path.read_text())["model-index"])
    assert result.metric_value == pytest.approx(100 * Run(run).estimate("smoke").value, abs=0.01)
    assert result.dataset_type == "k2eval/smoke"


def test_a_benchmark_of_the_hub_gets_an_evaluation_result(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import parse_eval_result_entries

    give_hub(monkeypatch)
    written(run, "huggingface", tmp_path)
    content = yaml.safe_load((tmp_path / ".eval_results" / "smoke.yaml").read_text())
    [entry] = parse_eval_result_entries(content)
    assert (entry.dataset_id, entry.task_id) == ("owner/smoke", "easy")
    assert entry.value == pytest.approx(100 * Run(run).estimate("smoke").value, abs=0.01)
    assert "over 4 questions" in str(entry.notes)


def give_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = Run.spec

    def with_hub(self: Run, name: str) -> Any:
        task_spec = spec(self, name)
        assert task_spec is not None
        data = task_spec.data.model_copy(update={"hub": "owner/smoke", "config": "easy"})
        return task_spec.model_copy(update={"data": data})

    monkeypatch.setattr(Run, "spec", with_hub)


# Every Eval Ever


def test_the_aggregate_has_the_schemas_fields(run: Path, tmp_path: Path) -> None:
    _, aggregate = written(run, "every-eval-ever", tmp_path)
    content = json.loads(aggregate.read_text())
    required = {
        "schema_version", "evaluation_id", "retrieved_timestamp", "source_metadata", "model_info", "eval_library",
        "evaluation_results",
    }  # fmt: skip
    optional = {"evaluation_timestamp", "detailed_evaluation_results"}
    assert required <= set(content) <= required | optional
    result = content["evaluation_results"][0]
    assert {"evaluation_name", "source_data", "metric_config", "score_details"} <= set(result)
    assert result["score_details"]["score"] == pytest.approx(Run(run).estimate("smoke").value)
    assert result["score_details"]["uncertainty"]["num_samples"] == 4
    assert [entry["metric_config"]["metric_parameters"]["k"] for entry in content["evaluation_results"]] == [
        1,
        2,
    ]


def test_the_samples_point_at_their_aggregate(run: Path, tmp_path: Path) -> None:
    samples, aggregate = written(run, "every-eval-ever", tmp_path)
    content = json.loads(aggregate.read_text())
    details = content["detailed_evaluation_results"]
    assert details["file_path"] == samples.relative_to(tmp_path).as_posix()
    assert details["checksum"] == hashlib.sha256(samples.read_bytes()).hexdigest()
    assert details["total_rows"] == len(lines(samples)) == 8
    assert {row["evaluation_id"] for row in lines(samples)} == {content["evaluation_id"]}
    ids = {entry["evaluation_result_id"] for entry in content["evaluation_results"]}
    assert {row["evaluation_result_id"] for row in lines(samples)} <= ids


def test_a_sample_keeps_reasoning_answer_and_tokens(run: Path, tmp_path: Path) -> None:
    samples, _ = written(run, "every-eval-ever", tmp_path)
    row = next(row for row in lines(samples) if row["answer_attribution"])
    assert row["output"]["reasoning_trace"][0].startswith("Let me see.")
    assert row["input"]["reference"]
    assert row["token_usage"]["total_tokens"] > row["token_usage"]["output_tokens"] > 0
    assert row["messages"] is None


def test_a_hub_name_gives_developer_and_model(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Run, "model", "acme/thinker-7b")
    _, aggregate = written(run, "every-eval-ever", tmp_path)
    assert aggregate.parent == tmp_path / "data" / "smoke" / "acme" / "thinker-7b"


@pytest.mark.skipif(
    "K2EVAL_EEE_SCHEMAS" not in os.environ, reason="K2EVAL_EEE_SCHEMAS names no folder with the schemas"
)
def test_the_files_fit_the_projects_own_schemas(run: Path, tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    folder = Path(os.environ["K2EVAL_EEE_SCHEMAS"])
    samples, aggregate = written(run, "every-eval-ever", tmp_path)
    schema = json.loads((folder / "eval.schema.json").read_text())
    assert schema["version"] == every_eval_ever.SCHEMA
    jsonschema.Draft7Validator(schema).validate(json.loads(aggregate.read_text()))
    rows = jsonschema.Draft7Validator(json.loads((folder / "instance_level_eval.schema.json").read_text()))
    for row in lines(samples):
        rows.validate(row)


# Inspect


def test_inspect_opens_the_log(run: Path, tmp_path: Path) -> None:
    log_module = pytest.importorskip("inspect_ai.log", reason="inspect-ai is not installed")
    [path] = written(run, "inspect", tmp_path)
    log = log_module.read_eval_log(str(path))
    assert (log.status, log.eval.task, len(log.samples)) == ("success", "smoke", 8)
    accuracy = log.results.scores[0].metrics["accuracy"].value
    assert accuracy == pytest.approx(Run(run).estimate("smoke").value)
    right = sum(entry.scores["k2eval"].value == "C" for entry in log.samples)
    assert right / 8 == pytest.approx(accuracy)
    assert log.samples[0].output.completion.startswith("<think>")
    summaries = log_module.read_eval_log_sample_summaries(str(path))
    assert len(summaries) == 8
    assert all(entry.completed for entry in summaries)


def test_the_log_is_an_archive_with_every_sample(run: Path, tmp_path: Path) -> None:
    import zipfile

    [path] = written(run, "inspect", tmp_path)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        header = json.loads(archive.read("header.json"))
    assert sum(name.startswith("samples/") for name in names) == 8
    assert {"_journal/start.json", "summaries.json"} <= set(names)
    assert header["results"]["completed_samples"] == 8


def test_plans_and_judgements_go_into_the_log(tmp_path: Path) -> None:
    import zipfile

    folder = smoke_run(tmp_path / "run", repeats=1, limit=1)
    make_best_of_two(folder, "smoke-01")
    [path] = written(folder, "inspect", tmp_path / "out")
    with zipfile.ZipFile(path) as archive:
        sample = json.loads(archive.read("samples/smoke-01_epoch_1.json"))
    assert [entry["stage"] for entry in sample["metadata"]["generations"]] == ["plan", "solve-1", "judge.0-1"]


async def test_a_sample_that_failed_can_be_opened_in_the_log(tmp_path: Path) -> None:
    """The viewer waits for the messages of a sample whose summary is not completed."""
    import zipfile

    def script(request: Request) -> str:
        if request.repeat_index:
            raise EngineError("it is down")
        return "1"

    await runs.run(runs.config(tmp_path / "run", limit=1, repeats=2), script)
    [path] = written(tmp_path / "run", "inspect", tmp_path / "out")
    with zipfile.ZipFile(path) as archive:
        summary = json.loads(archive.read("summaries.json"))[1]
        sample = json.loads(archive.read(f"samples/{summary['id']}_epoch_2.json"))
    assert summary["completed"]
    assert "it is down" in summary["error"]
    assert "it is down" in sample["error"]["traceback_ansi"]


def test_the_log_says_how_long_the_run_took_and_how_many_tokens(run: Path, tmp_path: Path) -> None:
    import zipfile

    [path] = written(run, "inspect", tmp_path)
    with zipfile.ZipFile(path) as archive:
        stats = json.loads(archive.read("header.json"))["stats"]
    [session] = Run(run).info.sessions
    assert stats["started_at"] == session.started.replace("Z", "+00:00")
    assert stats["model_usage"]["k2eval/scripted"]["output_tokens"] == session.generated_tokens


# all of them


@pytest.mark.parametrize("form", FORMATS)
def test_protected_texts_are_left_out_unless_asked_for(form: str, tmp_path: Path) -> None:
    folder = smoke_run(tmp_path / "run", repeats=1, limit=2)
    edit_run(folder, protected=True)
    made = export_run(folder, form, tmp_path / "out")
    assert "include-protected" in made.notes[0]
    assert secrets(made.files) == 0
    shown = export_run(folder, form, tmp_path / "shown", include_protected=True)
    assert form in ("huggingface", "model-card") or secrets(shown.files) > 0


def secrets(files: list[Path]) -> int:
    """How often a question's or an answer's words occur."""
    import zipfile

    occurrences = 0
    for path in files:
        if path.suffix == ".eval":
            with zipfile.ZipFile(path) as archive:
                texts = [archive.read(name).decode() for name in archive.namelist()]
        elif path.suffix == ".parquet":
            texts = [str(pq.read_table(path).to_pylist())]
        else:
            texts = [path.read_text()]
        occurrences += sum(text.count("83rd power") + text.count("Let me see") for text in texts)
    return occurrences


def test_a_failure_on_our_side_is_no_wrong_answer_anywhere(tmp_path: Path) -> None:
    folder = smoke_run(tmp_path / "run", repeats=2, limit=2)
    rows = (folder / "verdicts.jsonl").read_text().splitlines()
    lost = json.loads(rows[0]) | {
        "outcome": "engine_error", "score": None, "extracted": None, "detail": {"reason": "gone"}
    }  # fmt: skip
    (folder / "verdicts.jsonl").write_text("\n".join([json.dumps(lost), *rows[1:]]) + "\n")
    samples, aggregate = written(folder, "every-eval-ever", tmp_path / "eee")
    assert len(lines(samples)) == 3
    details = json.loads(aggregate.read_text())["evaluation_results"][0]["score_details"]["details"]
    assert details["samples_failed_on_the_evaluators_side"] == "1"
    _, rows_of_lm_eval = sorted(written(folder, "lm-eval", tmp_path / "lm"))
    assert sum(row["infrastructure"] for row in lines(rows_of_lm_eval)) == 0.5


def test_hidden_words_say_why() -> None:
    assert "authors ask" in HIDDEN


def test_an_unknown_format_names_the_near_ones(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Unknown format 'inspekt'.*inspect"):
        export_run(run, "inspekt", tmp_path)


def test_a_folder_that_cannot_be_written_is_said(run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="Give another --out"):
        export_run(run, "huggingface", tmp_path / "file" / "x")


def test_exporting_twice_gives_the_same_bytes(run: Path, tmp_path: Path) -> None:
    for form in ("lm-eval", "huggingface", "every-eval-ever"):
        first = {path.name: path.read_bytes() for path in written(run, form, tmp_path / "a" / form)}
        assert {path.name: path.read_bytes() for path in written(run, form, tmp_path / "b" / form)} == first


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_that_fails_leaves_the_earlier_files_and_nothing_else(
    run: Path, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def content() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    written(run, form, tmp_path)
    before = content()

    def full(path: Path, target: Path) -> Path:
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ConfigError, match="no space left on device"):
        written(run, form, tmp_path)
    assert content() == before


def test_what_a_killed_export_left_is_removed_by_the_next(run: Path, tmp_path: Path) -> None:
    (tmp_path / ".model-index.yaml.999999999.tmp").touch()
    written(run, "huggingface", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model-index.yaml"]
