"""What a policy sees of a job shop.

Every feature is scale-free: times are divided by the instance's mean duration, or by the
*horizon*, the time from now to the makespan bound of the partial schedule. Criticality is the
fraction of the horizon that a job or machine is known to need: at 1 it drives the bound, above
1 it will raise it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.graph import (
    EdgeType,
    GraphSchema,
    NodeType,
    StaticGraph,
    columns,
    features,
)
from graphsched.envs.jobshop.options import NUM_RULES

if TYPE_CHECKING:
    from graphsched.envs.jobshop.instance import JobShopInstance

OPINIONS = (  # of the rules of a direction, which each make a schedule that begins with a candidate
    "least",  # least makespan of them all minus the least among the candidates, / mean duration
    "quartile",  # mean of their lower quarter, likewise
    "mean",
    "wins",  # share of the rules that find no candidate better
    *(f"over_best_{i + 1}" for i in range(NUM_RULES)),  # each rule's, likewise
)
CANDIDATE = features(
    "duration",  # / mean duration
    "start_delay",  # start - earliest start on the machine, / mean duration
    "window_position",  # the same as a fraction of the window
    "tail",  # / horizon
    "criticality",  # of the job: (start + duration + tail - now) / horizon
    "tail_behind_best",  # longest competing tail - tail, / mean duration
    "duration_above_least",  # duration - shortest competing duration, / mean duration
    "log_tail",  # log(1 + tail / mean duration)
    "operations_left",  # of the job, as a fraction of its operations
    "operations_left_relative",  # / most operations left of any job
    "waiting",  # how long the job has been ready, / mean duration
    "next_slack",  # next machine's ready time - completion here, / mean duration
    "next_criticality",  # of the next machine
    "next_queue",  # log(1 + jobs whose next operation is on the next machine)
    "next_queued_work",  # their work / mean duration, log(1 + x)
    "next_duration",  # / mean duration
    "route_criticality",  # machines' criticality averaged over the remaining route by duration
    "route_peak",  # largest criticality of a machine on the remaining route
    "last_operation",  # 1 on the job's last operation
    "push_criticality",  # largest criticality of another job on this machine if this one goes first
    "push_over_best",  # the same minus its least value among the candidates, / mean duration
    "machine_criticality_after",  # machine bound if this one goes first, / horizon
    "arrivals",  # log(1 + jobs that arrive at the machine during this operation)
    "arrival_push",  # largest criticality of such an arrival if it must wait for this one
    "lookahead",  # one-machine schedule bound if this goes first (longest tail first), / horizon
    "lookahead_over_best",  # the same minus its least value among the candidates, / mean duration
    "pilot",  # makespan bound after the first pilot's look / horizon
    "pilot_jobs_over_best",  # mean job bound after it minus the least among the candidates
    "pilot_over_best_1",  # bound after each pilot's look minus the least, / mean duration
    "pilot_machines_over_best_1",  # mean machine bound after it, likewise
    "pilot_over_best_2",
    "pilot_machines_over_best_2",
    "pilot_over_best_3",
    "pilot_machines_over_best_3",
    "bounds",  # largest one-machine bound of any machine if this goes first, / horizon
    "bounds_mean",  # their mean over machines
    "bounds_power",  # their power mean of degree 16
    "bounds_over_best",  # the same three minus their least among the candidates, / mean duration
    "bounds_mean_over_best",
    "bounds_power_over_best",
    *(f"{way}_{word}" for way in ("forward", "backward") for word in OPINIONS),
    "backward_behind",  # how much later than others it starts where backward rules place it freely
)
RESOURCE = features(
    "ready",  # machine ready - now, / mean duration, clipped
    "load",  # unscheduled work / horizon
    "criticality",  # (ready + load + least tail - now) / horizon
    "queue",  # log(1 + jobs whose next operation is here)
    "queued_work",  # log(1 + their work / mean duration)
    "arrived",  # fraction of the queue that is ready now
    "least_tail",  # / horizon
    "focus",  # 1 for the machine to decide on
)
CONTEXT = features(
    "candidates",  # log
    "window",  # earliest completion - earliest start, / mean duration
    "horizon",  # log(1 + horizon / mean duration)
    "progress",  # fraction of operations scheduled
    "jobs_left",  # fraction of jobs unfinished
    "machine_criticality",  # of the focus machine
    "machine_load",  # unscheduled work of the focus machine / horizon
    "mean_machine_criticality",
    "mean_job_criticality",
    "jobs_per_machine",  # log ratio
    "machines",  # log / 4
)
OPERATION = features(
    "duration",  # / mean duration
    "head",  # time before it, here and below / longest job or most loaded machine
    "tail",  # time after it
    "position",  # operations of the job before it, as a fraction
    "machine_share",  # duration / the machine's load * jobs
    "job_share",  # duration / the job's work * its operations
)
MACHINE = features("load", "visits", "least_head", "least_tail")
JOB = features("work", "operations")
CAND, RES, CTX = columns(CANDIDATE), columns(RESOURCE), columns(CONTEXT)
OP, MACH, JOBS = columns(OPERATION), columns(MACHINE), columns(JOB)
SCHEMA = GraphSchema(
    nodes=(NodeType("operation", OPERATION), NodeType("machine", MACHINE), NodeType("job", JOB)),
    edges=(
        EdgeType("precedes", "operation", "operation"),
        EdgeType("follows", "operation", "operation"),
        EdgeType("runs_on", "operation", "machine"),
        EdgeType("hosts", "machine", "operation"),
        EdgeType("part_of", "operation", "job"),
        EdgeType("has", "job", "operation"),
    ),
    candidate=CANDIDATE,
    candidate_nodes=("operation",),
    resource=RESOURCE,
    resource_node="machine",
    candidate_resources=("machine", "next_machine"),
    context=CONTEXT,
    kinds=("dispatch",),
)


def static_graph(instance: JobShopInstance) -> StaticGraph:
    """The instance as a graph of operations, machines and jobs; times / longest job or machine."""
    size, job, machine = instance.num_operations, instance.job, instance.machine
    duration = instance.duration.astype(np.float64)
    running = np.cumsum(duration)
    total = np.add.reduceat(duration, instance.job_ptr[:-1])
    head = running - duration - (np.cumsum(total) - total)[job]
    tail = total[job] - head - duration
    load = np.bincount(machine, duration, instance.num_machines)
    visits = np.bincount(machine, minlength=instance.num_machines)
    scale = max(float(total.max()), float(load.max()), 1e-9)
    lengths = np.diff(instance.job_ptr)
    position = np.arange(size) - instance.job_ptr[job]
    least_head = np.full(instance.num_machines, scale)
    least_tail = np.full(instance.num_machines, scale)
    np.minimum.at(least_head, machine, head)
    np.minimum.at(least_tail, machine, tail)
    operations = np.empty((size, len(OPERATION)), np.float32)
    operations[:, OP.duration] = duration / max(float(duration.mean()), 1e-9)
    operations[:, OP.head] = head / scale
    operations[:, OP.tail] = tail / scale
    operations[:, OP.position] = position / lengths[job]
    share = duration / np.maximum(load[machine], 1e-9)
    operations[:, OP.machine_share] = share * instance.num_jobs
    operations[:, OP.job_share] = duration / np.maximum(total[job], 1e-9) * lengths[job]
    machines = np.empty((instance.num_machines, len(MACHINE)), np.float32)
    machines[:, MACH.load] = load / scale
    machines[:, MACH.visits] = visits / instance.num_jobs
    machines[:, MACH.least_head] = least_head / scale
    machines[:, MACH.least_tail] = least_tail / scale
    jobs = np.empty((instance.num_jobs, len(JOB)), np.float32)
    jobs[:, JOBS.work] = total / scale
    jobs[:, JOBS.operations] = lengths / max(int(lengths.max()), 1)
    operation = np.arange(size)
    inner = operation[position > 0]
    return StaticGraph(
        nodes={"operation": operations, "machine": machines, "job": jobs},
        edges={
            "precedes": np.stack([inner - 1, inner]),
            "follows": np.stack([inner, inner - 1]),
            "runs_on": np.stack([operation, machine]),
            "hosts": np.stack([machine, operation]),
            "part_of": np.stack([operation, job]),
            "has": np.stack([job, operation]),
        },
    )
