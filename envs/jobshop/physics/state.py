"""The simulator's struct-of-arrays: one row per slot, padded to the largest instance."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from graphsched.envs.core.arrays import Floats, Ints


class State(NamedTuple):
    """All times are integers in the instance's unit. B slots, J jobs, M machines, O operations."""

    # the instance
    num_jobs: Annotated[Ints, "B"]
    num_machines: Annotated[Ints, "B"]
    num_operations: Annotated[Ints, "B"]
    job_ptr: Annotated[Ints, "B", "J+1"]
    machine: Annotated[Ints, "B", "O"]
    duration: Annotated[Ints, "B", "O"]
    tail: Annotated[Ints, "B", "O"]  # work of the job after this operation
    job: Annotated[Ints, "B", "O"]
    machine_ptr: Annotated[Ints, "B", "M+1"]
    by_tail: Annotated[Ints, "B", "O"]  # operations by machine (see machine_ptr), rising tail
    revisit: Annotated[Ints, "B", "O"]  # the job's next operation on the same machine, or -1
    first_bound: Annotated[Ints, "B"]  # makespan bound before the first move, >= 1
    mean_duration: Annotated[Floats, "B"]  # > 0
    # the partial schedule
    start: Annotated[Ints, "B", "O"]
    next_operation: Annotated[Ints, "B", "J"]  # job_ptr[j + 1] once the job is complete
    job_ready: Annotated[Ints, "B", "J"]  # end of the job's last scheduled operation
    machine_ready: Annotated[Ints, "B", "M"]  # end of the machine's last scheduled operation
    machine_load: Annotated[Ints, "B", "M"]  # work of its unscheduled operations
    machine_tail: Annotated[Ints, "B", "M"]  # least tail among its unscheduled operations
    least_tail_at: Annotated[Ints, "B", "M"]  # where by_tail has the operation with that tail
    visit: Annotated[Ints, "B", "J", "M"]  # the job's first unscheduled operation there, or -1
    operations_left: Annotated[Ints, "B"]
    bound: Annotated[Ints, "B"]  # makespan bound given the partial schedule
    # the pending decision
    status: Annotated[Ints, "B"]
    decisions: Annotated[Ints, "B"]  # taken so far
    paid_bound: Annotated[Ints, "B"]  # the bound that rewards have paid for so far
    focus: Annotated[Ints, "B"]  # focus machine
    focus_start: Annotated[Ints, "B"]  # earliest possible start on it
    focus_end: Annotated[Ints, "B"]  # earliest possible completion on it
    num_candidates: Annotated[Ints, "B"]
    candidate: Annotated[Ints, "B", "J"]  # job of each candidate
