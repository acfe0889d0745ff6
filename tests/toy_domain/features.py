"""What a policy sees of a crew at work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.graph import (
    EdgeType,
    GraphSchema,
    NodeType,
    StaticGraph,
    features,
)
from tests.toy_domain.state import DEFER

if TYPE_CHECKING:
    from tests.toy_domain.instance import CrewInstance, Job
    from tests.toy_domain.state import Slot

SCHEMA = GraphSchema(
    nodes=(
        NodeType("task", features("work", "position")),
        NodeType("worker", features("pace", "can_rush")),
    ),
    edges=(EdgeType("precedes", "task", "task", features("share")),),
    candidate=features("minutes", unit="minute") + features("rush", "defer"),
    candidate_nodes=("task", "worker"),
    resource=features("rest", unit="minute") + features("idle"),
    resource_node="worker",
    candidate_resources=("worker",),
    context=features("jobs", "finished"),
    kinds=("dispatch", "speed"),
)


def crew_graph(instance: CrewInstance) -> StaticGraph:
    """The crew: what is known before the first job arrives."""
    rows = [[worker.pace, worker.can_rush] for worker in instance.workers]
    return StaticGraph(
        nodes={"task": np.zeros((0, 2), np.float32), "worker": np.array(rows, np.float32)},
        edges={"precedes": np.zeros((2, 0), np.int64)},
        edge_features={"precedes": np.zeros((0, 1), np.float32)},
    )


def job_graph(job: Job) -> StaticGraph:
    """A job: stored when it arrives."""
    rows = [[work, t / len(job.work)] for t, work in enumerate(job.work)]
    edges = [(before, t) for t, after in enumerate(job.after) for before in after]
    share = [[job.work[t] / sum(job.work)] for _, t in edges]
    return StaticGraph(
        nodes={"task": np.array(rows, np.float32), "worker": np.zeros((0, 2), np.float32)},
        edges={"precedes": np.array(edges, np.int64).reshape(-1, 2).T.copy()},
        edge_features={"precedes": np.array(share, np.float32).reshape(-1, 1)},
    )


def candidate_rows(slot: Slot) -> list[list[float]]:
    """One row per offer."""
    rows = []
    for (job, task, worker), rush in slot.offers:
        defer = (job, task, worker) == DEFER
        pace = 0 if defer else slot.instance.workers[worker].pace
        work = 0 if defer else slot.instance.jobs[job].work[task]
        rows.append([work * pace / (2 if rush else 1), float(rush), float(defer)])
    return rows


def resource_rows(slot: Slot) -> list[list[float]]:
    """One row per worker."""
    waits = [max(0, rested - slot.now) for rested in slot.rested]
    return [[wait, float(wait == 0)] for wait in waits]


def context_row(slot: Slot) -> list[float]:
    """What concerns the whole crew."""
    alive = len(slot.alive())
    arrived = sum(job.arrival <= slot.now for job in slot.instance.jobs)
    return [alive, (arrived - alive) / len(slot.instance.jobs)]
