"""A server under measurement."""

from __future__ import annotations

from k2eval.engines.served import parse_metrics

PAGE = """# TYPE vllm:spec_decode_num_drafts counter
vllm:spec_decode_num_drafts_total{engine="0",model_name="m"} 10.0
vllm:spec_decode_num_drafts_total{engine="1",model_name="m"} 5.0
vllm:spec_decode_num_drafts_created{engine="0",model_name="m"} 1.7e+09
vllm:spec_decode_num_draft_tokens_total{engine="0",model_name="m"} 30.0
vllm:spec_decode_num_accepted_tokens_total{engine="0",model_name="m"} 12.0
vllm:spec_decode_num_accepted_tokens_per_pos_total{engine="0",model_name="m",position="1"} 4.0
vllm:spec_decode_num_accepted_tokens_per_pos_total{engine="0",model_name="m",position="0"} 8.0
"""


def test_the_metrics_of_vllm_are_read_and_its_engines_summed() -> None:
    found = parse_metrics(PAGE)
    assert found is not None
    assert (found.drafts, found.drafted_tokens, found.accepted_tokens) == (15, 30, 12)
    assert found.accepted_per_position == (8, 4)


def test_other_pages_have_none() -> None:
    assert parse_metrics("# nothing\nprocess_open_fds 8.0\n") is None
