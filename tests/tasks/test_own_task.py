"""A task of the user's own, through stock lm-eval."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from lm_eval.tasks import TaskManager, get_task_dict

from k2eval.tasks.files import tasks_folder

SUMS = Path(__file__).parents[2] / "examples" / "own_task"
SHARED = (
    "custom_dataset",
    "test_split",
    "output_type",
    "doc_to_target",
    "filter_list",
    "process_results",
    "metric_list",
)


class Loader(yaml.SafeLoader):
    """Keeps the names of functions as they are written."""


class Dumper(yaml.SafeDumper):
    """Writes them again."""


class Function(str):
    """The name of a function in a task file."""


Loader.add_constructor("!function", lambda loader, node: Function(node.value))
Dumper.add_representer(Function, lambda dumper, name: dumper.represent_scalar("!function", str(name)))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_it_loads_with_the_keys_that_are_shared_by_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    common = yaml.load((tasks_folder() / "_common.yaml").read_text(), Loader)
    task: dict[str, Any] = yaml.load((SUMS / "sums.yaml").read_text(), Loader)
    task |= {key: common[key] for key in SHARED}
    (tmp_path / "sums.yaml").write_text(yaml.dump(task, Dumper=Dumper))
    (tmp_path / "sums.jsonl").write_text((SUMS / "sums.jsonl").read_text())
    monkeypatch.setenv("K2EVAL_TASKS", str(tmp_path))
    manager = TaskManager(include_path=str(tmp_path), include_defaults=False)
    documents = list(get_task_dict(["sums"], manager)["sums"].test_docs())
    rows = [json.loads(line) for line in (SUMS / "sums.jsonl").read_text().splitlines()]
    assert [document["gold"] for document in documents] == [row["answer"] for row in rows]
