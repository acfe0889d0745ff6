"""The simulator's struct-of-arrays: one row per slot, padded to the largest instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from graphsched.envs.jobshop.instance import JobShopInstance

IDLE, WAITING, DONE = 0, 1, 2


class State(NamedTuple):
    """All times are integers in the instance's unit. B slots, J jobs, M machines, O operations."""

    # the instance
    num_jobs: NDArray[np.int64]  # (B,)
    num_machines: NDArray[np.int64]  # (B,)
    num_operations: NDArray[np.int64]  # (B,)
    job_ptr: NDArray[np.int64]  # (B, J + 1)
    machine: NDArray[np.int64]  # (B, O)
    duration: NDArray[np.int64]  # (B, O)
    tail: NDArray[np.int64]  # (B, O) work of the job after this operation
    job: NDArray[np.int64]  # (B, O)
    machine_ptr: NDArray[np.int64]  # (B, M + 1)
    by_tail: NDArray[np.int64]  # (B, O) operations by machine (see machine_ptr), rising tail
    revisit: NDArray[np.int64]  # (B, O) the job's next operation on the same machine, or -1
    first_bound: NDArray[np.int64]  # (B,) makespan bound before the first move, >= 1
    mean_duration: NDArray[np.float64]  # (B,) > 0
    # the partial schedule
    start: NDArray[np.int64]  # (B, O)
    next_operation: NDArray[np.int64]  # (B, J); job_ptr[j + 1] once the job is complete
    job_ready: NDArray[np.int64]  # (B, J) end of the job's last scheduled operation
    machine_ready: NDArray[np.int64]  # (B, M) end of the machine's last scheduled operation
    machine_load: NDArray[np.int64]  # (B, M) work of its unscheduled operations
    machine_tail: NDArray[np.int64]  # (B, M) least tail among its unscheduled operations
    least_tail_at: NDArray[np.int64]  # (B, M) where by_tail has the operation with that tail
    visit: NDArray[np.int64]  # (B, J, M) the job's first unscheduled operation there, or -1
    operations_left: NDArray[np.int64]  # (B,)
    bound: NDArray[np.int64]  # (B,) makespan bound given the partial schedule
    # the pending decision
    status: NDArray[np.int64]  # (B,)
    decisions: NDArray[np.int64]  # (B,) taken so far
    paid_bound: NDArray[np.int64]  # (B,) the bound that rewards have paid for so far
    focus: NDArray[np.int64]  # (B,) focus machine
    focus_start: NDArray[np.int64]  # (B,) earliest possible start on it
    focus_end: NDArray[np.int64]  # (B,) earliest possible completion on it
    num_candidates: NDArray[np.int64]  # (B,)
    candidate: NDArray[np.int64]  # (B, J) job of each candidate


_SHAPES = {
    "job_ptr": "j",
    "machine_ptr": "m",
    **dict.fromkeys(("machine", "duration", "tail", "job", "by_tail", "revisit", "start"), "O"),
    **dict.fromkeys(("next_operation", "job_ready", "candidate"), "J"),
    **dict.fromkeys(("machine_ready", "machine_load", "machine_tail", "least_tail_at"), "M"),
    "visit": "V",
}


def empty_state(slots: int, jobs: int, machines: int, operations: int) -> State:
    """Zeroed arrays with room for instances up to the given sizes."""
    widths: dict[str, tuple[int, ...]] = {
        "j": (jobs + 1,),
        "m": (machines + 1,),
        "O": (operations,),
        "J": (jobs,),
        "M": (machines,),
        "V": (jobs, machines),
    }
    arrays: dict[str, Any] = {
        name: np.zeros((slots, *widths.get(_SHAPES.get(name, ""), ())), np.int64)
        for name in State._fields
    }
    arrays["mean_duration"] = np.zeros(slots)
    return State(**arrays)


def grow_state(state: State, instances: Sequence[JobShopInstance]) -> State:
    """The same state with room for further instances; itself where there already is."""
    slots, jobs, machines = state.visit.shape
    have = (jobs, machines, state.start.shape[1])
    need = (
        max(i.num_jobs for i in instances),
        max(i.num_machines for i in instances),
        max(i.num_operations for i in instances),
    )
    if all(h >= n for h, n in zip(have, need, strict=True)):
        return state
    larger = empty_state(slots, *(max(h, n) for h, n in zip(have, need, strict=True)))
    for old, new in zip(state, larger, strict=True):
        new[tuple(slice(0, n) for n in old.shape)] = old
    return larger
