"""One truth behind two doors: stock lm-eval asks our tasks in the same words, and grades with the same graders."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lm_eval.api.instance import Instance
from lm_eval.tasks import TaskManager, get_task_dict

from k2eval.errors import DataError, K2EvalError
from k2eval.grading.pool import GradingJob, grade_all
from k2eval.interop.lm_eval import score, score_numbers, without_judge
from k2eval.records import Grade, Outcome, Question
from k2eval.tasks.data import QuestionSet, load_questions
from k2eval.tasks.files import task_files, tasks_folder
from k2eval.tasks.scicode.problems import problem_of
from k2eval.tasks.task import load_tasks

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.timeout(300),
]

COMPARED = 100
"""Documents of each task whose messages are compared; those that one template makes differ by their fields alone."""
ASKED = 3
"""Questions of each task whose recorded responses are graded through both doors."""


def result(name: str) -> QuestionSet:
    """Our door; skips where the rows are not at hand."""
    [task] = load_tasks([name], without_judge(name))
    if not task.spec.data.bundled and not os.environ.get("K2EVAL_DATA"):
        pytest.skip("K2EVAL_DATA names no folder of real rows")
    try:
        questions = load_questions(task, data=None, hub=False)
        questions.items()
        return questions
    except DataError as error:
        pytest.skip(str(error)[:200])


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


def theirs(name: str) -> Any:
    """lm-eval's door."""
    manager = TaskManager(include_path=str(tasks_folder()), include_defaults=False)
    return get_task_dict([name], manager)[name]


@pytest.mark.parametrize("name", list(task_files()))
def test_questions_messages_sampling_and_repeats_are_the_same(name: str) -> None:
    questions, task = result(name), theirs(name)
    compare_messages(questions, task)
    [ours] = load_tasks([name])
    given = task.config.generation_kwargs
    assert (given["temperature"], given["top_p"], given["max_gen_toks"], tuple(given["until"])) == (
        ours.sampling.temperature,
        ours.sampling.top_p,
        ours.sampling.max_tokens,
        ours.sampling.stop,
    )
    assert task.config.metadata.get("repeats", task.config.repeats) == ours.repeats


def compare_messages(questions: QuestionSet, task: Any) -> None:
    documents = list(task.test_docs())
    # Where prompts differ from run to run, every run is a document of its own.
    runs = 1 + max(document["repeat_index"] for document in documents)
    ours = [question for repeat_index in range(runs) for question in questions.questions(repeat_index)]
    assert [document["id"] for document in documents] == [question.id for question in ours]
    for number in {*range(0, len(ours), -(-len(ours) // COMPARED)), len(ours) - 1}:
        rendered = task.fewshot_context(
            documents[number], 0, apply_chat_template=True, chat_template=lambda turns, **_: json.dumps(turns)
        )
        assert json.loads(rendered) == [turn.model_dump() for turn in ours[number].messages]


def recorded(question: Question) -> Iterator[str]:
    """Responses of every kind: right, wrong, without an answer, cut short, hostile."""
    gold = question.gold if isinstance(question.gold, str) else "1"
    yield f"<think>Well.</think>The answer is \\boxed{{{gold}}}."
    yield f"<think>Well.</think><answer>\\boxed{{{gold}}}</answer>"
    yield "<think>Well.</think>\\boxed{-123456789}"
    yield "<think>Well.</think>I do not know."
    yield f"<think>Perhaps \\boxed{{{gold}}}"
    yield "```python\nprint(1)\n```"
    yield "\x00\ud800\\boxed{"
    yield ""


FIRST_OF_FOLDERS = list({path.parent: name for name, path in reversed(task_files().items())}.values())
"""One task of each folder; its siblings differ by their questions alone."""


@pytest.mark.parametrize("name", FIRST_OF_FOLDERS)
def test_recorded_responses_get_the_same_score(name: str) -> None:
    ours, task = result(name).questions()[:ASKED], theirs(name)
    documents = list(task.test_docs())[:ASKED]
    responses = [list(recorded(question)) for question in ours]
    task._instances = [
        Instance("generate_until", document, ("", {}), 0, metadata=(name, number, 1), resps=texts)
        for number, (document, texts) in enumerate(zip(documents, responses, strict=True))
    ]
    task.apply_filters()
    grades = grade_all(
        GradingJob(question, text) for question, texts in zip(ours, responses, strict=True) for text in texts
    )
    for instance, texts in zip(task._instances, responses, strict=True):
        expected = [next(grades) for _ in texts]
        assert [Grade.model_validate(grade) for grade in instance.filtered_resps["k2eval"]] == expected
        scores = [grade.score for grade in expected if grade.score is not None]
        metrics = task.process_results(instance.doc, [instance.filtered_resps["k2eval"]])
        assert metrics["avg_at_k"] == pytest.approx(sum(scores) / len(scores))
        assert metrics["pass_at_k"] == max(scores)
        assert metrics["infrastructure"] == 1 - len(scores) / len(expected)
        for share, outcome in (("truncated", Outcome.TRUNCATED), ("no_answer", Outcome.NO_ANSWER)):
            assert metrics[share] == sum(grade.outcome is outcome for grade in expected) / len(expected)


def test_right_and_wrong_smoke_answers_are_told_apart_through_their_door() -> None:
    task = theirs("smoke")
    document = next(iter(task.test_docs()))
    question = result("smoke").questions()[0]
    task._instances = [
        Instance(
            "generate_until", document, ("", {}), 0, metadata=("smoke", 0, 1), resps=list(recorded(question))
        )
    ]
    task.apply_filters()
    grades = [grade["score"] for grade in task._instances[0].filtered_resps["k2eval"]]
    assert grades == [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]


SENIORS = """class Solution:
    def countSeniors(self, details: List[str]) -> int:
        return sum(int(line[11:13]) > 60 for line in details)"""


def solved(question: Question) -> str:
    """A right program: the data's own solution, or one of ours."""
    if question.task == "humaneval":
        path = Path(os.environ["K2EVAL_DATA"]) / "humaneval" / "test.jsonl"
        rows = map(json.loads, path.read_text("utf-8").splitlines())
        row = next(candidate for candidate in rows if candidate["task_id"] == question.id)
        return f"```python\n{row['prompt']}{row['canonical_solution']}\n```"
    if question.task == "scicode_dev":
        steps = [f"```python\n{step.ground_truth_code}\n```" for step in problem_of(question).sub_steps]
        return "\n\n".join(steps)
    own = {"abc387_a": "a, b = map(int, input().split())\nprint((a + b) ** 2)", "2727": SENIORS}
    return f"```python\n{own[question.id]}\n```"


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("humaneval", ["HumanEval/0", "HumanEval/38"]),
        ("livecodebench_all", ["2727", "abc387_a"]),
        ("scicode_dev", ["10"]),
    ],
)
def test_right_programs_are_right_through_both_doors(name: str, ids: list[str]) -> None:
    questions = {question.id: question for question in result(name).questions() if question.id in ids}
    task = theirs(name)
    documents = {document["id"]: document for document in task.test_docs() if document["id"] in ids}
    texts = {question_id: [solved(questions[question_id]), "```python\nprint(1)\n```"] for question_id in ids}
    task._instances = [
        Instance(
            "generate_until",
            documents[question_id],
            ("", {}),
            0,
            metadata=(name, 0, 1),
            resps=texts[question_id],
        )
        for question_id in ids
    ]
    task.apply_filters()
    graded = [instance.filtered_resps["k2eval"] for instance in task._instances]
    expected = grade_all(
        GradingJob(questions[question_id], text) for question_id in ids for text in texts[question_id]
    )
    assert [Grade.model_validate(grade) for pair in graded for grade in pair] == list(expected)
    assert [[grade["score"] for grade in pair] for pair in graded] == [[1.0, 0.0]] * len(ids)


def test_failures_of_ours_are_left_out_and_never_count_as_wrong() -> None:
    broken = Grade.of(Outcome.GRADER_ERROR).model_dump(mode="json")
    right = Grade.of(Outcome.CORRECT, "35").model_dump(mode="json")
    metrics = score({"id": "q"}, [[right, broken]])
    assert (metrics["avg_at_k"], metrics["infrastructure"]) == (1.0, 0.5)


def test_a_question_that_could_not_be_graded_at_all_is_an_error() -> None:
    broken = Grade.of(Outcome.GRADER_ERROR, reason="no sandbox").model_dump(mode="json")
    with pytest.raises(K2EvalError, match=r"None of 1 responses to question q could be graded: .*no sandbox"):
        score({"id": "q"}, [[broken]])


@pytest.mark.parametrize("name", ["brumo25", "smt25", "cmimc25", "apex25", "apex_shortlist"])
def test_competitions_on_rows_made_by_hand_are_asked_alike(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [task] = load_tasks([name])
    place = tmp_path / task.spec.data.files[0]
    place.parent.mkdir()
    place.write_text(
        json.dumps({"problem_idx": 7, "problem": "Compute $1/2 + 1/4$.", "answer": "3/4"}) + "\n"
    )
    monkeypatch.setenv("K2EVAL_DATA", str(tmp_path))
    compare_messages(result(name), theirs(name))


def test_choices_of_ten_options_on_a_row_made_by_hand_are_asked_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {
        "uuid": "1",
        "question": "Which?",
        "options": list("opqrstuvwx"),
        "answer": "x",
        "answer_letter": "J",
    }
    (tmp_path / "supergpqa").mkdir()
    (tmp_path / "supergpqa/train.jsonl").write_text(json.dumps(row) + "\n")
    monkeypatch.setenv("K2EVAL_DATA", str(tmp_path))
    compare_messages(result("supergpqa"), theirs("supergpqa"))


def test_numeric_answers_have_the_mean_of_their_errors() -> None:
    near = Grade.of(Outcome.CORRECT, "2", reading=2.0, residual=0.25).model_dump(mode="json")
    far = Grade.of(Outcome.WRONG, "1", reading=1.0, residual=-0.75).model_dump(mode="json")
    none = Grade.of(Outcome.NO_ANSWER).model_dump(mode="json")
    assert score_numbers({"id": "q"}, [[near, far, none]])["absolute_error"] == 0.5
    assert math.isnan(score_numbers({"id": "q"}, [[none]])["absolute_error"])


def test_options_are_shuffled_alike_in_every_run() -> None:
    questions = result("gpqa_diamond")
    [document, later] = [theirs_in_run(2)[number] for number in (0, questions.available)]
    assert document["repeat_index"] == 0 and later["repeat_index"] == 1
    assert later["choices"] == questions.items(1)[0].fields["choices"] != document["choices"]


def theirs_in_run(runs: int) -> list[dict[str, Any]]:
    from k2eval.interop.lm_eval import dataset

    return list(dataset(k2eval={"task": "gpqa_diamond"}, repeats=runs)["test"])
