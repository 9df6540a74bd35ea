"""Find out what a file of somebody else's is, and read its figures."""

from __future__ import annotations

from pathlib import Path

from k2eval.errors import ConfigError, DataError
from k2eval.parity import eval360, inspect, lm_eval, published
from k2eval.parity.bounded import json_of, read_whole
from k2eval.parity.side import Side

_MOST_FILES = 50
FORMS = (
    "a CSV of published figures, lm-eval's results_*.json, a log of Inspect (.json or .eval), or a folder with "
    "Eval360's YAML and rows"
)


def read_against(path: Path, *, row: str | None = None, metric: str | None = None) -> list[Side]:
    """Read the figures of a file or a folder.

    Args:
        path: A CSV, JSON, ``.eval`` or YAML file, or a folder with one of lm-eval's results or Eval360's files.
        row: The system of a CSV.
        metric: The metric, if there are several.

    Raises:
        ConfigError: If it is a run directory of k2eval, or nothing of these.
        DataError: If it cannot be read.
    """
    if path.is_dir():
        return _read_folder(path, metric)
    match path.suffix.lower():
        case ".csv":
            return published.read(path, row)
        case ".eval":
            return inspect.read_archive(path, metric)
        case ".json":
            content = json_of(read_whole(path), path)
            if lm_eval.is_results(content):
                return lm_eval.read(path, content, metric)
            if inspect.is_log(content):
                return inspect.read(path, content, metric)
            raise DataError(
                f"{path} is neither a results file of lm-eval nor a log of Inspect. Expected {FORMS}."
            )
        case ".yaml" | ".yml" | ".jsonl":
            return eval360.read([path])
    raise ConfigError(f"Expected {FORMS}, got {path}.")


def _read_folder(path: Path, metric: str | None) -> list[Side]:
    if (path / "run.json").exists():
        raise ConfigError(
            f"{path} is a run of k2eval. `k2eval compare` compares two runs, question by question."
        )
    results = sorted(path.glob("results_*.json")) or sorted(path.glob("*/results_*.json"))
    if len(results) == 1:
        return read_against(results[0], metric=metric)
    if results:
        raise ConfigError(f"Expected one results_*.json in {path}, got {len(results)}. Name one of them.")
    files = sorted(each for each in path.iterdir() if each.suffix in (".yaml", ".yml", ".jsonl"))
    if not files or len(files) > _MOST_FILES:
        raise ConfigError(f"Expected {FORMS}, got a folder with {len(files)} files of YAML or rows: {path}.")
    return eval360.read(files)
