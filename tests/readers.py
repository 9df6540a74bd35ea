"""Every command that reads run directories, for tests of what holds for all of them.

`READERS` and `OTHERS` together are all commands; `tests/cli/test_readers.py` holds them to the command line, so that a
new command is put into one of them.
"""

from __future__ import annotations

from pathlib import Path

POLICY = """
rules:
  - {benchmark: smoke, at_least: 10}
  - {benchmark: smoke, not_worse_by: 50}
  - {average: macro, better: true}
  - {measure: truncated, below: 50}
"""
FIGURES = "system,smoke,source,note\nTheirs,50,a report,\n"
_EXPORT = ("export", "k2", "--out", "exported", "--format")
READERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "leaderboard": (("k2", "--out", "board"),),
    "compare": (("k2", "plain"), ("plain", "k2")),
    "breakdown": (("k2",),),
    "ablation": (("k2",),),
    "verify": (("k2",),),
    "report": (("k2", "--out", "report"),),
    "export": tuple(
        (*_EXPORT[1:], form)
        for form in ("inspect", "lm-eval", "every-eval-ever", "huggingface", "parquet", "model-card")
    ),
    "publish": (("k2", "plain", "--out", "site"),),
    "power": (("k2",), ("k2", "plain")),
    "race": (("plain", "k2"),),
    "gate": (("gate.yaml", "k2", "--baseline", "plain"), ("gate.yaml", "plain", "--baseline", "k2")),
    "budget": (("k2", "plain", "--out", "budget"),),
    "audit": (("k2", "--as", "simple-evals", "--out", "audited"),),
    "parity": (("k2", "--against", "figures.csv", "--out", "compared"),),
}
"""Their arguments, in a folder with the runs ``k2`` and ``plain`` the policy ``gate.yaml`` and the figures ``figures.csv``."""
WRITERS = {"grade": (("k2",),)}
"""Commands that change a run besides."""
OTHERS = {
    "run": "goes on with a run of the same settings",
    "sweep": "calls run",
    "watch": "calls run",
    "score": "",
    "tasks": "",
    "contamination": "",
    "recipes": "",
    "protocols": "",
    "doctor": "",
    "check-model": "",
    "speed": "",
    "serve": "keeps an engine up",
    "spec-check": "",
    "view": "serves pages; tests/view has damaged runs",
    "lm-eval": "is lm-eval's own command line",
    "sandbox": "",
}
"""Commands that read no run directory, or only to go on with it."""
COMMANDS = tuple((name, *arguments) for name, every in READERS.items() for arguments in every)


def write_policy(folder: Path) -> None:
    """Write the policy and the published figures that `COMMANDS` name."""
    (folder / "gate.yaml").write_text(POLICY)
    (folder / "figures.csv").write_text(FIGURES)
