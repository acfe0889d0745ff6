"""Checks logs against their instance, independently of the simulator."""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.batching.hardware.iteration_time import (
    STEP,
    TABLE,
    coefficients,
    linear_table,
    swap_block_s,
)
from graphsched.envs.batching.solution import MOVED, SPAN
from graphsched.envs.core.domain import Violation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.batching.instance import BatchingInstance
    from graphsched.envs.batching.solution import BatchingSolution

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

TOLERANCE = 1e-6
BLOCK = 16
SWAPPED_OUT, FAILED = 1, 2
LEAVES, ENTERS, COMPUTES = range(3)  # of a request at an iteration, in this order


class Step(NamedTuple):
    """What a request has computed in an iteration: tokens, after how many, whether a decode."""

    iteration: int
    tokens: int
    before: int
    decode: int


class Stay(NamedTuple):
    """From the iteration of entry to the one after the last, and the tokens there on entry."""

    begin: int
    end: int
    found: int  # in the prefix
    kv: int


class Times(NamedTuple):
    """(N,) each: when a request could be routed, its first and its last token; inf if never."""

    visible: Floats
    first: Floats
    last: Floats


@dataclass
class Story:
    """What the log says of a request, put in order.

    Attributes:
        steps: in order.
        token_at: iterations at whose end a token comes out.
        stays: in order.
        swaps: iterations in which its blocks move.
        failed: whether it was given up.
    """

    steps: list[Step] = field(default_factory=list)
    token_at: list[int] = field(default_factory=list)
    stays: list[Stay] = field(default_factory=list)
    swaps: list[int] = field(default_factory=list)
    failed: bool = False


def _close(a: float, b: float) -> bool:
    return abs(a - b) <= TOLERANCE * max(1.0, abs(a), abs(b))


def check(instance: BatchingInstance, solution: BatchingSolution) -> list[Violation]:
    """Every rule that a log breaks; empty if it is feasible and its cost is right."""
    out = _check_iterations(instance, solution)
    out += _check_homes(instance, solution)
    if out:
        return out  # the rest would only repeat it
    stories: list[Story] = []
    for i in range(len(instance.requests)):
        found, story = _tell(instance, solution, i)
        out += found
        stories.append(story)
    if out:
        return out
    times = _times(instance, solution, stories)
    out += _check_served(instance, solution, stories)
    out += _check_starts(instance, solution, stories, times)
    out += _check_prefixes(instance, solution, stories)
    for r in range(len(instance.replicas)):
        out += _check_durations(instance, solution, stories, r)
        out += _check_memory(instance, solution, stories, r)
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
    """Everything of a request happens at its replica, in iterations that there are."""
    out = []
    counts = np.bincount(solution.replica, minlength=len(instance.replicas))
    for name in ("span", "entry", "leave"):
        rows = getattr(solution, name)
        request, replica, first = rows[:, : SPAN.iteration + 1].T  # alike in all three
        last = first + (rows[:, SPAN.length] - 1 if name == "span" else 0)
        beyond = counts[replica] + (name == "leave")  # may leave when nothing else goes on
        wrong = (solution.home[request] != replica) | (first < 0) | (last >= beyond)
        if name == "span":
            wrong |= (rows[:, SPAN.length] < 1) | (rows[:, SPAN.tokens] < 1)
        for row in rows[wrong][:3].tolist():
            out.append(Violation("place", f"{name} {row}: not at the request's replica, or empty"))
    return out


def _tell(
    instance: BatchingInstance, solution: BatchingSolution, i: int
) -> tuple[list[Violation], Story]:
    """Follow a request through the log."""
    story = Story()
    events = [(k, LEAVES, why, 0) for _, _, k, why in _rows(solution.leave, i)]
    events += [(k, ENTERS, found, swapped) for _, _, k, found, swapped in _rows(solution.entry, i)]
    events += [(k, COMPUTES, count, tokens) for _, _, k, count, tokens in _rows(solution.span, i)]
    prompt, output = int(instance.requests.prompt[i]), int(instance.requests.output[i])
    kv, made, begun, found, waits, after, there = 0, 0, -1, 0, False, 0, 0

    def wrong(kind: str, problem: str) -> tuple[list[Violation], Story]:
        return [Violation(kind, f"request {i}: {problem}")], story

    for k, what, a, b in sorted(events):
        if what == ENTERS:
            over = begun >= 0 or made == output or story.failed
            if over or (b and (not waits or a != kv)):
                return wrong("entry", f"admitted by iteration {k} although it can't be")
            kv, begun, found, there = a, k, found if b else a, a
            if b:
                story.swaps.append(k)
        elif begun < 0 or k < after:
            return wrong("entry", f"takes part in iteration {k} without being admitted")
        elif what == LEAVES:
            story.stays.append(Stay(begun, k, found, there))
            story.failed = a == FAILED
            waits, begun, after = a == SWAPPED_OUT, -1, k
            kv = kv if waits else 0
            if waits:
                story.swaps.append(k)
        else:
            for j in range(k, k + a):
                decode = made > 0 and kv == prompt + made - 1 and b == 1
                story.steps.append(Step(j, b, kv, int(decode)))
                kv += b
                if kv > prompt + made or made == output:
                    return wrong("tokens", f"iteration {j} computes more tokens than there are")
                if kv == prompt + made:
                    made += 1
                    story.token_at.append(j)
            after = k + a
    if begun >= 0:
        story.stays.append(Stay(begun, after, found, there))
    return [], story


def _rows(rows: Ints, i: int) -> list[list[int]]:
    out: list[list[int]] = rows[rows[:, SPAN.request] == i].tolist()
    return out


def _times(instance: BatchingInstance, solution: BatchingSolution, stories: list[Story]) -> Times:
    requests = instance.requests
    ends = [solution.end_s[solution.replica == r] for r in range(len(instance.replicas))]
    first, last = np.full(len(requests), np.inf), np.full(len(requests), np.inf)
    for i, story in enumerate(stories):
        if story.token_at:
            first[i] = ends[solution.home[i]][story.token_at[0]]
        if len(story.token_at) == requests.output[i]:
            last[i] = ends[solution.home[i]][story.token_at[-1]]
    visible = np.array(requests.arrival_s)
    for z in np.unique(instance.precedes[1]).tolist():
        visible[z] = last[instance.precedes[0][instance.precedes[1] == z]].max()
    return Times(visible, first, last)


def _check_served(
    instance: BatchingInstance, solution: BatchingSolution, stories: list[Story]
) -> list[Violation]:
    """All requests are served, but those that can't be."""
    requests, out = instance.requests, []
    lost = np.zeros(len(requests), bool)
    for i, story in enumerate(stories):
        before = instance.precedes[0][instance.precedes[1] == i]
        most = max(replica.kv_blocks for replica in instance.replicas)
        hopeless = int(requests.prompt[i]) + 1 > BLOCK * most or bool(lost[before].any())
        lost[i] = len(story.token_at) < requests.output[i]
        if not lost[i]:
            continue
        if solution.home[i] < 0 and hopeless:
            continue
        home = instance.replicas[int(solution.home[i])]
        held = int(requests.prompt[i]) + len(story.token_at)
        if not (solution.home[i] >= 0 and story.failed and held > BLOCK * home.kv_blocks):
            problem = f"request {i} has {len(story.token_at)} of {requests.output[i]} tokens"
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


def _check_prefixes(
    instance: BatchingInstance, solution: BatchingSolution, stories: list[Story]
) -> list[Violation]:
    """Tokens that need no computing belong to the prefix, and were computed there before."""
    requests, out = instance.requests, []
    for i, story in enumerate(stories):
        for k, _, found, _ in story.stays:
            if found == 0:
                continue
            if found < 0 or found % BLOCK or found > requests.shared[i] or requests.group[i] < 0:
                out.append(Violation("prefix", f"request {i} finds {found} tokens, not its prefix"))
                continue
            peers = np.flatnonzero(
                (requests.group == requests.group[i])
                & (solution.home == solution.home[i])
                & (requests.extends >= found)
            )
            known = any(
                step.iteration < k and step.before + step.tokens >= found
                for j in peers.tolist()
                for step in stories[j].steps
            )
            if not known:
                problem = f"request {i} finds {found} tokens that nobody has computed"
                out.append(Violation("prefix", problem))
    return out


def _check_durations(
    instance: BatchingInstance, solution: BatchingSolution, stories: list[Story], r: int
) -> list[Violation]:
    """Every iteration takes as long as its batch does, and is not empty.

    Tables and coefficients are the simulator's; what is made of them is summed up here once more,
    so that an error in `batch_s` shows.
    """
    replica = instance.replicas[r]
    table = linear_table(replica.gpu, replica.model, replica.tp, float(replica.imbalance))
    launch, row, read, prompt_launch, prompt_row, product = coefficients(
        replica.gpu, replica.model, replica.tp
    ).tolist()
    mine = solution.replica == r
    length = int(mine.sum())
    steps = [s for i, story in enumerate(stories) if solution.home[i] == r for s in story.steps]
    rows = np.array(steps, np.int64).reshape(-1, 4)
    k, tokens, kv, decode = rows.T
    total = np.bincount(k, tokens, length)
    decodes = np.bincount(k, decode, length)
    reads = np.bincount(k, decode * kv, length)
    prompts = np.bincount(k, (1 - decode) * tokens, length)
    products = np.bincount(k, (1 - decode) * tokens * (kv + 0.5 * tokens), length)
    entry = np.ceil(total / STEP).astype(np.int64)
    slope = (table[-1] - table[TABLE // 2]) / (TABLE // 2)
    expected = table[np.minimum(entry, TABLE - 1)] + slope * np.maximum(entry - TABLE + 1, 0)
    expected += np.where(decodes > 0, launch + row * decodes + read * reads, 0.0)
    expected += np.where(
        prompts > 0, prompt_launch + prompt_row * prompts + product * products, 0.0
    )
    moved = solution.moved[mine]
    expected += moved[:, MOVED.blocks] * swap_block_s(replica.gpu, replica.model, replica.tp)
    found = (solution.end_s - solution.begin_s)[mine]
    out = []
    for j in np.flatnonzero(np.abs(found - expected) > TOLERANCE * np.maximum(1, expected))[:3]:
        problem = f"iteration {j} of replica {r} takes {found[j]}, expected {expected[j]}"
        out.append(Violation("duration", problem))
    if (total == 0).any():
        out.append(Violation("empty", f"iteration {int(np.argmin(total))} of replica {r} is empty"))
    homes = [story.swaps for i, story in enumerate(stories) if solution.home[i] == r]
    calls = np.bincount(
        np.array(functools.reduce(operator.iadd, homes, []), np.int64), minlength=length
    )[:length]
    copies = moved[:, MOVED.copies]
    if (copies != calls).any():
        j = int(np.flatnonzero(copies != calls)[0])
        problem = f"iteration {j} of replica {r} copies {copies[j]} times, expected {calls[j]}"
        out.append(Violation("swap", problem))
    return out


def _check_memory(
    instance: BatchingInstance, solution: BatchingSolution, stories: list[Story], r: int
) -> list[Violation]:
    """Running requests' own blocks and their groups' prefixes fit.

    What is in a prefix counts once, even where a replica might hold it twice.
    """
    length = int((solution.replica == r).sum())
    own = np.zeros(length, np.int64)
    shared: dict[int, Ints] = {}
    for i, story in enumerate(stories):
        if solution.home[i] != r:
            continue
        kv = np.zeros(length + 1, np.int64)
        for k, tokens, before, _ in story.steps:
            kv[k] = before + tokens
        group, extends = int(instance.requests.group[i]), int(instance.requests.extends[i])
        for begin, end, found, there in story.stays:
            kv[begin] = max(kv[begin], there)
            held = np.maximum.accumulate(kv[begin:end])
            common = np.minimum(extends, held) // BLOCK if group >= 0 else np.zeros_like(held)
            common = np.maximum(common, found // BLOCK)
            own[begin:end] += np.maximum(-(-held // BLOCK) - common, 0)
            most = shared.setdefault(group, np.zeros(length, np.int64))
            most[begin:end] = np.maximum(most[begin:end], common)
    for most in shared.values():
        own += most
    if (over := np.flatnonzero(own > instance.replicas[r].kv_blocks)).size:
        j, blocks = int(over[0]), instance.replicas[r].kv_blocks
        problem = f"iteration {j} of replica {r} holds {own[j]} KV blocks of {blocks}"
        return [Violation("memory", problem)]
    return []


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
