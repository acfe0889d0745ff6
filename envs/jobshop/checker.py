"""Independent judgement of job shop schedules.

Every rule is checked from the instance and the schedule alone; no code is shared with whatever
built the schedule. Intervals are half-open, so an operation may start when another ends. An
operation without duration takes no time of its machine and may lie anywhere, inside another
operation's interval as well; its job's order binds it all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.domain import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphsched.envs.jobshop.instance import JobShopInstance
    from graphsched.envs.jobshop.solution import JobShopSolution


def check(instance: JobShopInstance, solution: JobShopSolution) -> list[Violation]:
    """Every rule that a schedule breaks; an empty list means that it is feasible and its cost true.

    Kinds: ``shape`` (then nothing else is checked), ``machine``, ``duration``,
    ``negative_start``, ``release``, ``precedence``, ``overlap``, ``makespan``. An operation that
    overlaps several earlier ones is named once, with the one that ends last.
    """
    wrong = list(_shape(instance, solution))
    if wrong:
        return wrong
    rules = (_assignment, _starts, _precedence, _overlap, _makespan)
    return [violation for rule in rules for violation in rule(instance, solution)]


def _shape(instance: JobShopInstance, solution: JobShopSolution) -> Iterator[Violation]:
    for field in ("start", "end", "machine"):
        array = np.asarray(getattr(solution, field))
        if array.shape != (instance.num_operations,) or array.dtype.kind not in "iu":
            expected = f"expected {instance.num_operations} integers"
            found = f"found {array.dtype} of shape {array.shape}"
            yield Violation("shape", f"{field}: {expected}, {found}")


def _name(instance: JobShopInstance, i: int) -> str:
    job = int(instance.job[i])
    return f"job {job} operation {i - int(instance.job_ptr[job])}"


def _span(solution: JobShopSolution, i: int) -> str:
    return f"[{solution.start[i]}, {solution.end[i]})"


def _assignment(instance: JobShopInstance, solution: JobShopSolution) -> Iterator[Violation]:
    for i in np.flatnonzero(solution.machine != instance.machine).tolist():
        problem = f"runs on machine {solution.machine[i]}, expected machine {instance.machine[i]}"
        yield Violation("machine", f"{_name(instance, i)} {problem}")
    took = solution.end - solution.start
    for i in np.flatnonzero(took != instance.duration).tolist():
        problem = f"takes {took[i]} in {_span(solution, i)}, expected {instance.duration[i]}"
        yield Violation("duration", f"{_name(instance, i)} {problem}")


def _starts(instance: JobShopInstance, solution: JobShopSolution) -> Iterator[Violation]:
    for i in np.flatnonzero(solution.start < 0).tolist():
        problem = f"starts at {solution.start[i]}, before time 0"
        yield Violation("negative_start", f"{_name(instance, i)} {problem}")
    assert instance.release_time is not None
    for job, release in enumerate(instance.release_time.tolist()):
        i = int(instance.job_ptr[job])
        if release > 0 and solution.start[i] < release:
            problem = f"starts at {solution.start[i]}, before its job's release at {release}"
            yield Violation("release", f"{_name(instance, i)} {problem}")


def _precedence(instance: JobShopInstance, solution: JobShopSolution) -> Iterator[Violation]:
    follows = instance.job[1:] == instance.job[:-1]
    early = solution.start[1:] < solution.end[:-1]
    for i in (np.flatnonzero(follows & early) + 1).tolist():
        problem = f"starts at {solution.start[i]}, before operation"
        before = f"{i - 1 - int(instance.job_ptr[instance.job[i]])} ends at {solution.end[i - 1]}"
        yield Violation("precedence", f"{_name(instance, i)} {problem} {before}")


def _overlap(instance: JobShopInstance, solution: JobShopSolution) -> Iterator[Violation]:
    busy = np.flatnonzero(solution.end > solution.start)
    order = busy[np.lexsort((solution.start[busy], solution.machine[busy]))].tolist()
    last = -1  # the operation that ends last of those seen on this machine
    for i in order:
        if last < 0 or solution.machine[i] != solution.machine[last]:
            last = i
            continue
        if solution.start[i] < solution.end[last]:
            here = f"{_name(instance, i)} {_span(solution, i)} on machine {solution.machine[i]}"
            there = f"{_name(instance, last)} {_span(solution, last)}"
            yield Violation("overlap", f"{here} overlaps {there}")
        if solution.end[i] > solution.end[last]:
            last = i


def _makespan(instance: JobShopInstance, solution: JobShopSolution) -> Iterator[Violation]:
    latest = int(np.argmax(solution.end))
    true = int(solution.end[latest])
    if solution.makespan != true:
        problem = f"claimed {solution.makespan}, but {_name(instance, latest)} ends at {true}"
        yield Violation("makespan", problem)
