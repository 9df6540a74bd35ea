from types import SimpleNamespace
from typing import Any

import pytest

from k2eval.config.speculative import parse
from k2eval.engines.vllm import schedule, suffix
from k2eval.engines.vllm.cpu_repair import EXTENSION
from k2eval.engines.vllm.suffix import drafts, following
from k2eval.errors import ConfigError

pytestmark = pytest.mark.filterwarnings("ignore")  # vLLM's own, while it is imported


def strict(drafter: Any, num_speculative_tokens: int, batch: str) -> tuple[int, str]:
    """Insist on the number like vLLM's own."""
    assert num_speculative_tokens == drafter.num_speculative_tokens
    return num_speculative_tokens, batch


@pytest.mark.parametrize(("asked", "expected"), [(8, 8), (3, 3), (0, 0), (20, 8)])
def test_the_number_of_the_schedule_becomes_the_limit(asked: int, expected: int) -> None:
    drafter = SimpleNamespace(num_speculative_tokens=8)
    assert following(strict)(drafter, asked, "batch") == (expected, "batch")


def test_the_drafter_keeps_its_own_limit() -> None:
    drafter = SimpleNamespace(num_speculative_tokens=8)
    following(strict)(drafter, 3, "batch")
    assert drafter.num_speculative_tokens == 8


def test_a_failure_leaves_the_limit_as_it_was() -> None:
    def fail(drafter: Any, number: int) -> None:
        raise ValueError

    drafter = SimpleNamespace(num_speculative_tokens=8)
    with pytest.raises(ValueError):
        following(fail)(drafter, 0)
    assert drafter.num_speculative_tokens == 8


def test_only_suffix_decoding_counts() -> None:
    assert drafts(parse("suffix,tokens=8"))
    assert not drafts(parse("ngram"))
    assert not drafts(None)


def test_vllm_tells_its_drafter_the_number() -> None:
    assert suffix.takes_number()


def resolve(settings: dict[str, Any], form: str = "suffix,tokens=8,when=auto") -> dict[str, Any]:
    return schedule.resolved("f", parse(form) or {}, settings, "0.32.0", on_cpu=True)[0] or {}


def test_a_schedule_without_a_number_ends_at_the_depth_of_the_tree() -> None:
    assert resolve({}, "suffix,when=auto")["num_speculative_tokens"] == 24


def test_a_drafter_that_is_told_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suffix, "takes_number", lambda: False)
    with pytest.raises(ConfigError, match="not told what the schedule asks"):
        resolve({})


def test_another_extension_of_the_workers_leaves_no_room_for_the_repair() -> None:
    assert resolve({"worker_extension_cls": EXTENSION})
    with pytest.raises(ConfigError, match=r"engine\.worker_extension_cls is set"):
        resolve({"worker_extension_cls": "a.b"})
