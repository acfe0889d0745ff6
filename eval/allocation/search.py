"""Depth-first search for an allocation within a capacity, guided by where memory is contended.

In the spirit of minimalloc (Moffitt, ASPLOS 2023), written anew. Every allocation can be pushed down
until each buffer rests on the ground or on another one, and can then be built bottom up, buffers in
order of their offsets. So each node of the search puts one more buffer onto the highest of what is
already below it, and nothing ever needs to be placed under it again: the state is one height for
each section of time. The search is complete: if it ends by itself, no allocation fits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.clock import wall_s
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.eval.allocation.instance import Allocation

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

FOUND, IMPOSSIBLE, OUT_OF_NODES = 1, 0, -1
FIRST_NODES = 2_000  # of a round; each round has twice as many as the one before


class Columns(NamedTuple):
    """What a search knows of its buffers; each is (num_buffers,)."""

    rank: Ints  # buffers in the order in which they are tried
    position: Ints  # of each buffer in that order
    first: Ints  # section
    after: Ints  # section behind the last one
    size: Ints  # bytes, > 0


@kernel(entry=False)
def _dead(c: Columns, used: Bools, floor: Ints, last: int, rest: Ints, goal: int) -> bool:
    """Whether some section can't hold what is still to be placed there.

    The lowest of a section's buffers begins no lower than `last` and than what is under it, and all
    others of the section are above it.
    """
    sections = len(rest)
    lowest = np.full(sections, goal + 1, np.int64)
    for b in range(len(c.rank)):
        if used[b]:
            continue
        begin = max(floor[b], last)
        if begin + c.size[b] > goal:
            return True
        for s in range(c.first[b], c.after[b]):
            lowest[s] = min(lowest[s], begin)
    for s in range(sections):  # noqa: SIM110 - the compiler knows no generators
        if rest[s] and lowest[s] + rest[s] > goal:
            return True
    return False


@kernel(entry=False)
def _choices(c: Columns, out: Ints, used: Bools, floor: Ints, last: int, before: int) -> int:
    """Write the buffers that may come next to `out`, lowest first, ties by rank; returns how many.

    None that begins below the last one, which would have come before it; none under which another
    buffer fits as a whole, which would come first. `last` is where the last one begins, `before`
    its rank.
    """
    ceiling = np.int64(2**62)
    for b in c.rank:
        if not used[b]:
            ceiling = min(ceiling, max(floor[b], last) + c.size[b])
    count = 0
    for b in c.rank:
        if used[b] or floor[b] >= ceiling or floor[b] < last:
            continue
        if floor[b] == last and c.position[b] < before:
            continue  # at equal offsets, buffers come by rank
        k = count
        while k > 0 and floor[out[k - 1]] > floor[b]:
            out[k] = out[k - 1]
            k -= 1
        out[k] = b
        count += 1
    return count


@kernel(entry=False)
def _raise(c: Columns, b: int, top: int, used: Bools, floor: Ints) -> None:
    """Lift all that lives with `b` onto its top."""
    for other in range(len(floor)):
        if not used[other] and c.first[other] < c.after[b] and c.first[b] < c.after[other]:
            floor[other] = max(floor[other], top)


@kernel(entry=False)
def _move(c: Columns, b: int, into: bool, used: Bools, rest: Ints) -> None:
    """Put a buffer into the allocation, or take it out again."""
    used[b] = into
    for s in range(c.first[b], c.after[b]):
        rest[s] += -c.size[b] if into else c.size[b]


@kernel
def _descend(c: Columns, goal: int, nodes: int, offset: Ints) -> int:
    """Search up to so many nodes; returns the status and writes `offset`, (num_buffers,)."""
    n = len(c.rank)
    rest = np.zeros(c.after.max(), np.int64)  # bytes to be placed in each section
    used = np.ones(n, np.bool_)
    for b in range(n):
        _move(c, b, False, used, rest)
    floors = np.zeros((n + 1, n), np.int64)  # of each depth: where a buffer begins at least
    choices = np.empty((n + 1, n), np.int64)
    counts, tried = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
    chosen = np.zeros(n + 1, np.int64)
    if _dead(c, used, floors[0], 0, rest, goal):
        return IMPOSSIBLE
    counts[0] = _choices(c, choices[0], used, floors[0], 0, -1)
    depth = 0
    while depth < n:
        if tried[depth] == counts[depth]:
            if depth == 0:
                return IMPOSSIBLE
            depth -= 1
            _move(c, chosen[depth], False, used, rest)
            continue
        if nodes == 0:
            return OUT_OF_NODES
        nodes -= 1
        b = choices[depth, tried[depth]]
        tried[depth] += 1
        low = floors[depth, b]
        _move(c, b, True, used, rest)
        floors[depth + 1] = floors[depth]
        _raise(c, b, low + c.size[b], used, floors[depth + 1])
        if _dead(c, used, floors[depth + 1], low, rest, goal):
            _move(c, b, False, used, rest)
            continue
        offset[b], chosen[depth] = low, b
        depth += 1
        tried[depth] = 0
        counts[depth] = _choices(c, choices[depth], used, floors[depth], low, c.position[b])
    return FOUND


def _ranks(problem: Allocation, which: Ints, load: Ints) -> list[Ints]:
    """Orders in which to try buffers: the busiest first, then the longest, largest or both."""
    first, after = (ends[which] for ends in problem.sections)
    size = problem.size[which]
    length = problem.upper[which] - problem.lower[which]
    busy = np.array([load[a:b].max() for a, b in zip(first, after, strict=True)])
    keys = (
        (-length, -size, -busy),
        (-size, -length, -busy),
        (-busy, -length * size),
        (-busy, -size, -length),
        (-busy, -length, -size),
    )
    return [np.lexsort(key).astype(np.int64) for key in keys]


def _groups(problem: Allocation) -> list[Ints]:
    """Buffers in groups that share no time, so that each is a search of its own."""
    first, after = problem.sections
    groups: list[list[int]] = []
    end = -1
    for b in np.lexsort((after, first)).tolist():
        if first[b] >= end:
            groups.append([])
        groups[-1].append(b)
        end = max(end, int(after[b]))
    return [np.array(group, np.int64) for group in groups]


def _one_group(
    problem: Allocation, which: Ints, goal: int, until: float, rng: np.random.Generator
) -> tuple[Ints | None, bool]:
    """Offsets of a group, or None and whether there are none."""
    ends = np.unique(np.concatenate([ends[which] for ends in problem.sections]))
    first, after = (np.searchsorted(ends, e[which]) for e in problem.sections)
    size = problem.size[which]
    ranks = _ranks(problem, which, problem.load)
    nodes, turn = FIRST_NODES, 0
    while True:
        base = ranks[turn % len(ranks)]
        rank = base
        if turn >= len(ranks):  # the same orders again, with neighbours exchanged at random
            noise = rng.normal(0.0, 0.05 * len(base), len(base))
            rank = base[np.argsort(np.arange(len(base)) + noise, kind="stable")]
        offset = np.zeros(len(which), np.int64)
        columns = Columns(rank, np.argsort(rank), first, after, size)
        status = _descend(columns, goal, nodes, offset)
        if status == FOUND:
            return offset, False
        if status == IMPOSSIBLE:
            return None, True
        if wall_s() > until:
            return None, False
        turn += 1
        if turn % len(ranks) == 0:
            nodes *= 2


def search(
    problem: Allocation, goal: int, time_limit_s: float, seed: int = 0
) -> tuple[Ints | None, bool]:
    """Offsets (num_buffers,) whose height is at most `goal`, or None.

    Args:
        problem: what to allocate.
        goal: bytes.
        time_limit_s: seconds, checked between rounds: a round may end a little later.
        seed: of the orders.

    Returns:
        The offsets; and, where there are none, whether that is proven.
    """
    until = wall_s() + time_limit_s
    rng = np.random.default_rng(seed)
    out = np.zeros(problem.num_buffers, np.int64)
    for which in _groups(problem):
        solid = which[problem.size[which] > 0]  # empty buffers are anywhere
        if not len(solid):
            continue
        offset, proven = _one_group(problem, solid, goal, until, rng)
        if offset is None:
            return None, proven
        out[solid] = offset
    return out, False
