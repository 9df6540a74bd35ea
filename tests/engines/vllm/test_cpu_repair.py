"""Sampling under speculation on the CPU."""

from __future__ import annotations

import pytest
import torch

from k2eval.engines.vllm.cpu_repair import ask_for_amx, expand, repair


@pytest.mark.parametrize("kind", [torch.float32, torch.int32, torch.int64])
def test_each_token_gets_its_requests_value(kind: torch.dtype) -> None:
    result = expand(torch.tensor([1, 2, 3], dtype=kind), torch.tensor([2, 2, 5], dtype=torch.int32), 5)
    assert result.tolist() == [1, 1, 3, 3, 3] and result.dtype == kind


def test_greedy_requests_get_the_replacement() -> None:
    result = expand(torch.tensor([0.0, 0.5]), torch.tensor([1, 3]), 3, replace_from=0, replace_to=1)
    assert result.tolist() == [1.0, 0.5, 0.5]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_vllm_keeps_temperatures_once_repaired(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("vllm")
    from vllm.v1.sample import rejection_sampler

    monkeypatch.setattr(rejection_sampler, "expand_batch_to_tokens", rejection_sampler.expand_batch_to_tokens)
    repair()
    values = torch.tensor([0.6, 1.0])
    result = rejection_sampler.expand_batch_to_tokens(values, torch.tensor([1, 3], dtype=torch.int32), 3)
    assert torch.equal(result, torch.tensor([0.6, 1.0, 1.0]))
    assert not repair()


def test_asking_for_amx_twice_is_as_good_as_once() -> None:
    assert ask_for_amx() == ask_for_amx()
