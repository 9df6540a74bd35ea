"""A chat template is a checkpoint's own program: it gets little time and memory, and cannot hang or fill a machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from k2eval.engines.template import read_template
from k2eval.engines.trial import fault_of_trial
from k2eval.errors import ConfigError
from k2eval.records import Message

TIME, MEMORY = "does not end within", "takes more than 1,024 MiB of memory"
BOMBS = {
    "{% for i in range(10**12) %}x{% endfor %}": "refuses a prompt.*Range too big",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}": TIME,
    "{{ 'a' * 10**10 }}": MEMORY,
    "{{ 'a'.center(10**10) }}": MEMORY,
    "{% set t = namespace(x='a') %}{% for i in range(60) %}{% set t.x = t.x ~ t.x %}{% endfor %}": "is refused",
    "{{ 9 ** (9 ** 9) }}": TIME,
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}": "refuses a prompt",
}


@pytest.mark.parametrize("source", BOMBS)
def test_a_template_that_never_ends_or_fills_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    cpu_s = 1 if BOMBS[source] == TIME else 60
    limits = {"cpu_s": cpu_s, "memory": 1 << 30}
    monkeypatch.setattr("k2eval.engines.trial.fault_of_trial.__kwdefaults__", limits)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": source}))
    with pytest.raises(ConfigError, match=BOMBS[source]):
        template = read_template(str(tmp_path)).template
        assert template is not None
        template.render([Message(role="user", content="2 + 2?")])


def test_a_template_that_ends_is_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trials: list[object] = []
    monkeypatch.setattr("k2eval.engines.template.fault_of_trial", lambda compute: trials.append(compute))
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"chat_template": "{{ messages[0].content }}"})
    )
    template = read_template(str(tmp_path)).template
    assert template is not None
    texts = [template.render([Message(role="user", content=text)]).text for text in "abc"]
    assert texts == ["a", "b", "c"] and len(trials) == 2  # its compilation, and its first prompt


def test_an_error_is_none_of_the_trials() -> None:
    assert fault_of_trial(lambda: 1 / 0) is None
