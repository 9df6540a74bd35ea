"""A look at each node of a cluster, by a task that runs there."""

from __future__ import annotations

import platform
from dataclasses import dataclass

import k2eval
from k2eval.engines.ray.cluster import Cluster, NodeRoom
from k2eval.engines.ray.plan import cards_here
from k2eval.engines.vllm import vllm_version
from k2eval.errors import ConfigError

_NODE_S = 90
"""Longest wait for a node; a fresh worker imports k2eval first."""
VERSIONS = ("k2eval", "python", "vllm")
"""Programs of which all nodes must have one version."""


@dataclass(frozen=True, slots=True)
class NodeReport:
    """One node, and what was found there."""

    room: NodeRoom
    facts: dict[str, str]
    """Versions, and ``cards`` in words; empty if the node gave no answer."""
    problem: str = ""
    """The reason for which it gave none."""


def facts_here() -> dict[str, str]:
    """Return the versions of the programs of this host, and its cards."""
    try:
        vllm = vllm_version()
    except ConfigError:
        vllm = "none"
    cards = cards_here()
    words = f"{len(cards)} of {min(cards) / 2**30:.0f} GiB" if cards else "none"
    versions = (k2eval.__version__, platform.python_version(), vllm)
    return dict(zip(VERSIONS, versions, strict=True)) | {"cards": words}


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
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    asked = [
        ray.remote(facts_here)
        .options(
            num_cpus=0, max_retries=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False)
        )
        .remote()
        for node in nodes
    ]
    reports = []
    for node, answer in zip(nodes, asked, strict=True):
        try:
            reports.append(NodeReport(node, ray.get(answer, timeout=_NODE_S)))
        except ray.exceptions.RayError as error:
            last = str(error).strip().rpartition("\n")[2]
            reports.append(NodeReport(node, {}, f"{type(error).__name__}: {last[:200]}"))
    return reports
