"""Checks logs against their instance, independently of the simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.batching.checking.batches import TOLERANCE, check_batches
from graphsched.envs.batching.checking.memory import check_finds, check_memory
from graphsched.envs.batching.checking.stories import BLOCK, clock_of, tell_all
from graphsched.envs.batching.checking.transfers import check_transfers, reserved_blocks
from graphsched.envs.batching.solution import ENTRY, OVER_LINK, SPAN, TRANSFER
from graphsched.envs.core.domain import Violation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.batching.checking.stories import Story
    from graphsched.envs.batching.instance import BatchingInstance, Replica
    from graphsched.envs.batching.solution import BatchingSolution

    Floats = NDArray[np.float64]


class Times(NamedTuple):
    """(N,) each: when a request could be routed, its first and its last token; inf if never."""

    visible: Floats
    first: Floats
    last: Floats


def _close(a: float, b: float) -> bool:
    return abs(a - b) <= TOLERANCE * max(1.0, abs(a), abs(b))


def check(instance: BatchingInstance, solution: BatchingSolution) -> list[Violation]:
    """Every rule that a log breaks; empty if it is feasible and its cost is right."""
    out = _check_iterations(instance, solution)
    out += _check_homes(instance, solution)
    if out:
        return out  # the rest would only repeat it
    out, stories = tell_all(instance, solution)
    if out:
        return out
    times = _times(instance, stories)
    out += _check_served(instance, solution, stories)
    out += _check_starts(instance, solution, stories, times)
    clock = clock_of(instance, solution)
    moves, reserved = check_transfers(instance, stories, clock)
    finds = check_finds(instance, stories)
    out += moves + finds
    for r in range(len(instance.replicas)):
        out += check_batches(instance, solution, stories, r)
        if not finds:
            out += check_memory(instance, stories, reserved_blocks(reserved, clock, r), r)
    derived = _cost(instance, times)
    if not _close(derived, solution.cost):
        out.append(Violation("cost", f"claimed {solution.cost}, found {derived}"))
    return out


def _check_iterations(instance: BatchingInstance, solution: BatchingSolution) -> list[Violation]:
    """Iterations of a replica follow each other."""
    out = []
    for r in range(len(instance.replicas)):
        mine = solution.replica == r
        begin, end = solution.begin_s[mine], solution.end_s[mine]
        early = np.flatnonzero(begin[1:] < end[:-1] - TOLERANCE)
        if len(early):
            k = int(early[0]) + 1
            problem = f"iteration {k} of replica {r} begins at {begin[k]}, before {end[k - 1]}"
            out.append(Violation("overlap", problem))
        if len(begin) and (begin[0] < 0 or (end < begin).any()):
            out.append(Violation("time", f"an iteration of replica {r} runs back in time"))
    return out


def _check_homes(instance: BatchingInstance, solution: BatchingSolution) -> list[Violation]:
    """Everything of a request happens where it may be, in iterations that there are."""
    out = []
    counts = np.bincount(solution.replica, minlength=len(instance.replicas))
    moved = np.zeros(len(instance.requests), bool)
    moved[solution.transfer[:, TRANSFER.request]] = True
    for name in ("span", "entry", "leave"):
        rows = getattr(solution, name)
        request, replica, first = rows[:, : SPAN.iteration + 1].T  # alike in all three
        last = first + (rows[:, SPAN.length] - 1 if name == "span" else 0)
        beyond = counts[replica] + (name == "leave")  # may leave when nothing else goes on
        if name == "entry":  # and be elsewhere before anything does
            beyond += rows[:, ENTRY.how] == OVER_LINK
        wrong = (solution.home[request] != replica) & ~moved[request]
        wrong |= (first < 0) | (last >= beyond)
        if name == "span":
            wrong |= (rows[:, SPAN.length] < 1) | (rows[:, SPAN.tokens] < 1)
        for row in rows[wrong][:3].tolist():
            out.append(Violation("place", f"{name} {row}: not at the request's replica, or empty"))
    return out


def _times(instance: BatchingInstance, stories: list[Story]) -> Times:
    requests = instance.requests
    first = np.array([story.first_s for story in stories])
    last = np.full(len(requests), np.inf)
    for i, story in enumerate(stories):
        if story.made == requests.output[i]:
            last[i] = story.last_s
    visible = np.array(requests.arrival_s)
    before, after = instance.precedes
    visible[after] = -np.inf
    np.maximum.at(visible, after, last[before])
    return Times(visible, first, last)


def _reach(instance: BatchingInstance, replica: Replica) -> int:
    """KV blocks that a prompt may take for a replica to compute it and somebody to go on with it."""
    if replica.role != "prefill":
        return replica.kv_blocks if replica.role == "both" else 0
    others = [o for o in instance.replicas if o.model == replica.model and o.role != "prefill"]
    return min(replica.kv_blocks, max(other.kv_blocks for other in others))


def _check_served(
    instance: BatchingInstance, solution: BatchingSolution, stories: list[Story]
) -> list[Violation]:
    """All requests are served, but those that can't be."""
    requests, out = instance.requests, []
    lost = np.zeros(len(requests), bool)
    most = max(_reach(instance, replica) for replica in instance.replicas)
    before: dict[int, list[int]] = {}
    for a, z in instance.precedes.T.tolist():
        before.setdefault(z, []).append(a)
    for i, story in enumerate(stories):
        hopeless = int(requests.prompt[i]) + 1 > BLOCK * most
        hopeless |= any(lost[a] for a in before.get(i, ()))
        lost[i] = story.made < requests.output[i]
        if not lost[i]:
            continue
        if solution.home[i] < 0 and hopeless:
            continue
        home = instance.replicas[story.replicas[-1][0]]
        held = int(requests.prompt[i]) + story.made
        if not (solution.home[i] >= 0 and story.failed and held > BLOCK * home.kv_blocks):
            problem = f"request {i} has {story.made} of {requests.output[i]} tokens"
            out.append(Violation("lost", problem))
    return out


def _check_starts(
    instance: BatchingInstance,
    solution: BatchingSolution,
    stories: list[Story],
    times: Times,
) -> list[Violation]:
    """Nothing is admitted before it is there."""
    begins = [solution.begin_s[solution.replica == r] for r in range(len(instance.replicas))]
    out = []
    for i, story in enumerate(stories):
        if story.stays:
            start = float(begins[solution.home[i]][story.stays[0].begin])
            if start < times.visible[i] - TOLERANCE * max(1.0, start):
                problem = f"request {i} is admitted at {start}, it comes at {times.visible[i]}"
                out.append(Violation("early", problem))
    return out


def _cost(instance: BatchingInstance, times: Times) -> float:
    """Penalties as `slo` has them, written down once more."""
    requests, total = instance.requests, 0.0
    visible, first, last = times
    for i in range(len(requests)):
        if not (np.isfinite(last[i]) and np.isfinite(visible[i])):
            total += 100.0 * requests.weight[i]
            continue
        waited = first[i] - visible[i]
        pace = (last[i] - first[i]) / max(requests.output[i] - 1, 1)
        worst = max(waited / requests.ttft_s[i], pace / requests.tpot_s[i])
        worst = max(worst, (last[i] - requests.arrival_s[i]) / requests.deadline_s[i])
        missed, starved = worst > 1 + 1e-9, waited > instance.starvation_s * (1 + 1e-9)
        penalty = 70.0 * missed + 10.0 * worst / (1.0 + worst) + 20.0 * starved
        total += requests.weight[i] * penalty
    return float(total / requests.weight.sum())
