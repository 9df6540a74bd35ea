"""A look at each node of a cluster, by a task that runs there."""

from __future__ import annotations

import platform
from dataclasses import dataclass

import k2eval
from k2eval.engines.ray.cluster import Cluster, NodeRoom, run_on
from k2eval.engines.ray.plan import cards_here
from k2eval.engines.vllm import vllm_version
from k2eval.errors import ConfigError, SandboxUnavailable
from k2eval.sandbox import self_test

_NODE_S = 180
"""Longest wait for a node; a fresh worker imports k2eval first."""
_LAST_S = 1.0
SANDBOX = "sandbox"
"""Name of the fact that tells the result of the sandbox's self-test."""
OK = "ok"
VERSIONS = ("k2eval", "python", "vllm")
"""Programs of which all nodes must have one version."""


@dataclass(frozen=True, slots=True)
class NodeReport:
    """One node, and what was found there."""

    room: NodeRoom
    facts: dict[str, str]
    """Versions, ``cards`` in words, and ``sandbox``: ``ok``, or the failure of its self-test. Empty if the node gave no
    answer."""
    problem: str = ""
    """The reason for which it gave none."""


def facts_here() -> dict[str, str]:
    """Return the versions of the programs of this host, its cards, and the result of the sandbox's self-test."""
    try:
        vllm = vllm_version()
    except ConfigError:
        vllm = "none"
    cards = cards_here()
    words = f"{len(cards)} of {min(cards) / 2**30:.0f} GiB" if cards else "none"
    versions = (k2eval.__version__, platform.python_version(), vllm)
    facts = dict(zip(VERSIONS, versions, strict=True))
    return facts | {"cards": words, SANDBOX: _self_test()}


def _self_test() -> str:
    try:
        self_test()
    except SandboxUnavailable as error:
        return str(error)
    return OK


async def inspect_cluster(address: str) -> list[NodeReport]:
    """Ask each node of a cluster for its facts.

    Raises:
        ConfigError: If there is no such cluster, or Ray is not installed.
    """
    cluster = await Cluster.join(address)
    try:
        nodes = await cluster.nodes()
        return await cluster.call(_ask, nodes)
    finally:
        await cluster.leave()


def _ask(nodes: list[NodeRoom]) -> list[NodeReport]:
    import ray

    asked = [run_on(node.id, facts_here) for node in nodes]
    ray.wait(asked, num_returns=len(asked), timeout=_NODE_S)  # for all at once
    reports = []
    for node, answer in zip(nodes, asked, strict=True):
        try:
            reports.append(NodeReport(node, ray.get(answer, timeout=_LAST_S)))
        except ray.exceptions.RayError as error:
            last = str(error).strip().rpartition("\n")[2]
            reports.append(NodeReport(node, {}, f"{type(error).__name__}: {last[:200]}"))
    return reports
