"""By what the rows of an observation are scaled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from graphsched.envs.batching.physics.cluster import Cluster

    Floats = NDArray[np.float64]

CAP = 4.0
TEN_S = 10.0
NO_TARGET, USUAL_PACE = 1e9, 0.1


@kernel(entry=False)
def first_target(cluster: Cluster, i: int) -> float:
    """Scale of a request's times to its first token, s; of its deadline where it has no target."""
    one = cluster.req[i]
    return float(one.ttft if one.ttft < NO_TARGET else min(0.25 * one.deadline, TEN_S))


@kernel(entry=False)
def pace_target(cluster: Cluster, i: int) -> float:
    """Scale of a request's times per token, s."""
    one = cluster.req[i]
    return float(one.tpot if one.tpot < NO_TARGET else USUAL_PACE)


@kernel(entry=False)
def least(rows: Floats, column: int) -> float:
    """Of a column."""
    return float(rows[:, column].min())
