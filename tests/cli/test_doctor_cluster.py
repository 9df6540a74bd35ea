"""What `k2eval doctor --cluster` says of a cluster's nodes."""

from __future__ import annotations

import pytest

from k2eval.cli import doctor_cluster
from k2eval.cli.doctor_cluster import cluster_rows, rows_of
from k2eval.engines.ray import NodeReport, NodeRoom

HERE = {"k2eval": "0.2.0", "python": "3.11.2", "vllm": "0.32.0", "cards": "none", "sandbox": "ok"}


def report(problem: str = "", **facts: str) -> NodeReport:
    return NodeReport(NodeRoom("id", "10.0.0.7", 8, 2, False), {} if problem else HERE | facts, problem)


def test_nodes_that_agree_are_well() -> None:
    connection, first, second, token = rows_of([report(), report(cards="2 of 80 GiB")], HERE, "token")
    assert connection.detail == "connected to 2 nodes with 16 CPUs and 4 GPUs"
    assert first.ok and second.ok and second.detail.endswith("vllm 0.32.0, cards 2 of 80 GiB, sandbox ok")
    assert token.ok and not token.remedy


def test_a_node_with_another_version_is_a_fault_that_names_both() -> None:
    _, row, _ = rows_of([report(vllm="0.29.0")], HERE, "token")
    assert not row.ok and "vllm 0.29.0" in row.detail and "Expected as here: vllm 0.32.0." in row.remedy


def test_a_node_that_tells_other_facts_is_a_fault() -> None:
    _, row, _ = rows_of([NodeReport(report().room, {"k2eval": "9.9"})], HERE, "token")
    assert (
        not row.ok and "k2eval 9.9, python unknown" in row.detail and "Expected as here: k2eval" in row.remedy
    )


def test_a_driver_without_vllm_expects_none() -> None:
    _, row, _ = rows_of([report()], HERE | {"vllm": "none"}, "token")
    assert row.ok


def test_a_node_that_cannot_isolate_programs_is_a_fault() -> None:
    _, row, _ = rows_of([report(sandbox="Expected user namespaces, got: none.")], HERE, "token")
    assert not row.ok and "Expected user namespaces" in row.detail and "grades no programs" in row.remedy


def test_a_node_where_nothing_runs_is_a_fault() -> None:
    _, row, _ = rows_of([report("ModuleNotFoundError: No module named 'k2eval'")], HERE, "token")
    assert not row.ok and "No module named 'k2eval'" in row.detail and "Install k2eval 0.2.0" in row.remedy


def test_a_cluster_without_a_token_is_told() -> None:
    *_, token = rows_of([report()], HERE, "")
    assert "whoever reaches the ports" in token.detail and "RAY_AUTH_MODE=token" in token.remedy


def test_without_ray_there_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_cluster, "is_installed", lambda: False)
    [row] = cluster_rows("auto")
    assert not row.ok and "k2eval[cluster]" in row.remedy


def test_a_cluster_that_is_not_there_is_a_fault_with_a_remedy() -> None:
    [row] = cluster_rows("127.0.0.1:1")
    assert not row.ok and "ray start" in row.remedy
