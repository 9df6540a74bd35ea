"""A cluster of several raylets on this machine, shared by the tests of this folder."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from k2eval.engines.ray import Cluster as Connection


@pytest.fixture(scope="package")
def cluster() -> Iterator[Any]:
    """A head with two places for replicas, and another node with two."""
    os.environ["RAY_AUTH_MODE"] = "disabled"  # the cluster is no secret
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # A raylet that was killed is noticed by its broken connections, a second later by these.
    os.environ |= {"RAY_health_check_period_ms": "500", "RAY_health_check_timeout_ms": "500"}
    os.environ |= {"RAY_health_check_initial_delay_ms": "500", "RAY_health_check_failure_threshold": "3"}
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "object_store_memory": 80 << 20})
    started.add_node(num_cpus=2, object_store_memory=80 << 20)
    yield started
    disconnect()  # a cluster cannot be ended from within
    started.shutdown()


@pytest.fixture(autouse=True)
def leave() -> Iterator[None]:
    """Leave the cluster after a test that failed half way, so that the next one can join."""
    yield
    disconnect()


def disconnect() -> None:
    """End the connection of this process, if there is one."""
    Connection._shared.clear()
    if "ray" in sys.modules:
        import ray

        ray.shutdown()


@contextlib.contextmanager
def another_node(cluster: Any, cpus: int = 2) -> Iterator[Any]:
    """A further node, for the time of a block."""
    node = cluster.add_node(num_cpus=cpus, object_store_memory=80 << 20)
    try:
        yield node
    finally:
        disconnect()
        cluster.remove_node(node)
