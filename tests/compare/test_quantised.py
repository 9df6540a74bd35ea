from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from k2eval.compare import compare, print_comparison, to_markdown
from k2eval.compare.quantised import Quantisation
from k2eval.journal import MachineRecord, RunSpeculation, WeightsRecord
from k2eval.journal.run_record import CountedGenerations
from k2eval.records import Note, NoteKind
from tests.leaderboard.synthetic import bernoulli, write_run
from tests.run_records import model_record, run_record, session_record

ORIGINAL = WeightsRecord(dtype="bfloat16", size=15_000_000_000)
INT4 = WeightsRecord(dtype="bfloat16", quantisation="INT4 (W4A16, groups of 128)", size=5_500_000_000)
H200 = MachineRecord(python="3.11", system="Linux", device="NVIDIA H200")


def speculation(drafts: int, accepted: int) -> RunSpeculation:
    return RunSpeculation(
        drafts=drafts, drafted_tokens=3 * drafts, accepted_tokens=accepted, acceptance_rate=0.5,
        acceptance_length=1 + accepted / drafts, acceptance_per_position=(0.5,), counted="engine",
        generations=CountedGenerations(generated=1, counted=0), tasks={},
    )  # fmt: skip


def pair(
    tmp_path: Path, first: dict[str, Any], second: dict[str, Any], shift: float = 0.0
) -> Quantisation | None:
    sides = {"a": (ORIGINAL, first, 0.0), "b": (INT4, second, shift)}
    runs = []
    for name, (weights, fields, by) in sides.items():
        scores = {"t": bernoulli(400, 4, 0.5, 1, by), "u": bernoulli(400, 4, 0.5, 2, by)}
        model = model_record(name, weights=fields.pop("weights", weights))
        runs.append(write_run(tmp_path / name, scores, model=model, **{"machine": H200} | fields))
    return compare(runs).pairs[0].quantisation


def session(tokens: int) -> dict[str, Any]:
    return {"sessions": (session_record(generated_tokens=tokens, generation_s=10.0),)}


def row(quantisation: Quantisation | None, title: str) -> list[str]:
    assert quantisation is not None
    return next(row for row in quantisation.rows if row[0].startswith(title))


def test_quality_and_cost_stand_in_one_table_and_one_sentence(tmp_path: Path) -> None:
    made = pair(
        tmp_path,
        session(10_000) | {"speculative": speculation(100, 190)},
        session(15_000) | {"speculative": speculation(100, 180)},
    )
    assert made is not None
    assert made.header[1:3] == ["a: bfloat16", "b: INT4 (W4A16, groups of 128)"]
    assert [line[0] for line in made.rows] == [
        "Score, mean of 2 benchmarks", "Weights", "Tokens/s (whole run)", "Acceptance length (whole run)",
    ]  # fmt: skip
    assert made.sentence.startswith(
        "INT4 (W4A16, groups of 128) against bfloat16: the scores are equivalent within ±2"
    )
    assert (
        "weights of 5.5 GB instead of 15 GB (−63 %); 1.50 × the tokens/s; an acceptance length of 2.80"
        in made.sentence
    )


def test_a_loss_is_named(tmp_path: Path) -> None:
    made = pair(tmp_path, session(1), session(1), shift=-0.3)
    assert made is not None
    assert "the scores are lower (−" in made.sentence


def test_the_margin_decides_about_equivalence(tmp_path: Path) -> None:
    pair(tmp_path, session(1), session(1))
    made = compare([tmp_path / "a", tmp_path / "b"], margin=0.001).pairs[0].quantisation
    assert made is not None
    assert "neither a difference nor equivalence within ±0.1 points" in made.sentence


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"machine": H200.model_copy(update={"device": "NVIDIA H100"})},
            "NVIDIA H200 there, NVIDIA H100 here",
        ),
        ({"machine": H200.model_copy(update={"device": None})}, "does not tell the machine"),
        (
            {"engine": run_record().engine.model_copy(update={"settings": {"max_num_seqs": 8}})},
            "different settings (max_num_seqs)",
        ),
    ],
)
def test_speeds_of_unlike_machines_are_not_compared(
    tmp_path: Path, fields: dict[str, Any], words: str
) -> None:
    made = pair(tmp_path, session(10), session(20) | fields)
    assert row(made, "Tokens/s")[3] == "not comparable"
    assert made is not None and words in made.sentence


def test_a_busy_machine_is_named_beside_the_speed(tmp_path: Path) -> None:
    note = Note(kind=NoteKind.LOAD, text="other programs kept the cores busy")
    engine = run_record().engine.model_copy(update={"notes": (note,)})
    made = pair(tmp_path, session(10), session(20) | {"engine": engine})
    assert made is not None
    assert "2.00 × the tokens/s (other programs kept the machine busy meanwhile: b)" in made.sentence


def test_checkpoints_of_the_same_kind_get_no_such_table(tmp_path: Path) -> None:
    assert pair(tmp_path, session(1), session(1) | {"weights": ORIGINAL}) is None


def test_a_run_that_tells_no_weights_gets_no_such_table(tmp_path: Path) -> None:
    assert pair(tmp_path, session(1), session(1) | {"weights": None}) is None


def test_terminal_and_markdown_show_the_sentence(tmp_path: Path) -> None:
    pair(tmp_path, session(10), session(20))
    comparison = compare([tmp_path / "a", tmp_path / "b"])
    console = Console(record=True, width=300)
    print_comparison(comparison, console)
    sentence = comparison.pairs[0].quantisation and comparison.pairs[0].quantisation.sentence
    assert sentence
    assert sentence in console.export_text()
    assert sentence in to_markdown(comparison)
