"""A cluster of several raylets on this machine, shared by the tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
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
    started.shutdown()
