"""Checks of a Ray cluster for evaluations: each node is tried by a task that runs there."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence

from k2eval.engines.ray import (
    INSTALL,
    OK,
    SANDBOX,
    VERSIONS,
    NodeReport,
    facts_here,
    inspect_cluster,
    is_installed,
)
from k2eval.errors import K2EvalError
from k2eval.sandbox import DoctorRow


def cluster_rows(address: str) -> Iterator[DoctorRow]:
    """Yield the rows of a cluster: the connection, each node, and who may use it; never raises k2eval's own errors."""
    if not is_installed():
        yield DoctorRow("Ray", False, "Ray is not installed", f"{INSTALL}.")
        return
    try:
        reports = asyncio.run(inspect_cluster(address))
    except K2EvalError as error:
        reason, _, remedy = str(error).partition(". ")
        yield DoctorRow("Ray", False, reason, remedy)
        return
    yield from rows_of(reports, facts_here(), os.environ.get("RAY_AUTH_MODE", ""))


def rows_of(reports: Sequence[NodeReport], here: dict[str, str], authentication: str) -> Iterator[DoctorRow]:
    """Yield the rows of the nodes' reports.

    Args:
        reports: A report of each node.
        here: The facts of this host, which nodes must share.
        authentication: Value of ``RAY_AUTH_MODE``.
    """
    cpus, gpus = (sum(getattr(report.room, name) for report in reports) for name in ("cpus", "gpus"))
    many = f"{len(reports)} node{'s' * (len(reports) != 1)}"
    yield DoctorRow("Ray", True, f"connected to {many} with {cpus:g} CPUs and {gpus:g} GPUs", "")
    for report in reports:
        yield _row_of(report, here)
    if authentication != "token" and any(not report.room.address.startswith("127.") for report in reports):
        detail = "no token is asked for: whoever reaches the ports can run programs on all nodes"
        remedy = "Set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN on all nodes, or keep the network closed."
        yield DoctorRow("cluster's token", True, detail, remedy)
    else:
        yield DoctorRow("cluster's token", True, "connections need a token, or stay on this host", "")


def _row_of(report: NodeReport, here: dict[str, str]) -> DoctorRow:
    name = f"node {report.room.address}"
    if report.problem:
        remedy = (
            f"Install k2eval {here['k2eval']} and its cluster extra there, under the Python that Ray runs."
        )
        return DoctorRow(name, False, f"no task could run: {report.problem}", remedy)
    # A node with another version of k2eval may tell other facts.
    told = {key: str(report.facts.get(key, "unknown"))[:300] for key in (*VERSIONS, "cards", SANDBOX)}
    different = [key for key in VERSIONS if told[key] != here[key] and here[key] != "none"]
    facts = ", ".join(f"{key} {told[key]}" for key in (*VERSIONS, "cards"))
    leaving = "; it drains" if report.room.leaving else ""
    if different:
        wanted = ", ".join(f"{key} {here[key]}" for key in different)
        return DoctorRow(
            name, False, f"{facts}{leaving}", f"Expected as here: {wanted}. Install the same versions."
        )
    if told[SANDBOX] != OK:
        remedy = "It can answer, but grades no programs: run `k2eval doctor --verbose` there."
        return DoctorRow(
            name, False, f"{facts}{leaving}; the sandbox's self-test failed: {told[SANDBOX]}", remedy
        )
    return DoctorRow(name, True, f"ran a task: {facts}, sandbox ok{leaving}", "")
