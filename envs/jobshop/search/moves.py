"""Moves of operations within critical blocks, and what they are expected to cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.jobshop.search.shop import (
    AFTER,
    BEFORE,
    DURATION,
    END,
    FOLLOWING,
    PREVIOUS,
    TAIL,
)

if TYPE_CHECKING:
    from graphsched.envs.jobshop.search.shop import Flags, Ints, Rows, Shop

MASK = 2**32 - 1


@kernel(entry=False)
def draw(random: Ints, below: int) -> int:
    """A number in [0, below); moves on the (1,) state of Marsaglia's xorshift, 32 bits, not 0."""
    x = random[0]
    x ^= (x << 13) & MASK
    x ^= x >> 17
    x ^= (x << 5) & MASK
    random[0] = x
    return int((x * below) >> 32)


@kernel(entry=False)
def critical_path(shop: Shop, latest: int, random: Ints, path: Rows) -> int:
    """Fill a random critical path, from its end back to its start; returns its length."""
    times, links = shop.times, shop.links
    none, seen, x = 4 * len(path), 0, shop.last[0]
    for o in shop.last:
        if times[o + END] == latest:
            seen += 1
            if seen == 1 or draw(random, seen) == 0:
                x = o
    length = 0
    while x < none:
        path[length] = x
        length += 1
        start = times[x + END] - times[x + DURATION]
        b, p = links[x + BEFORE], links[x + PREVIOUS]
        by_job = b < none and times[b + END] == start
        by_machine = p < none and times[p + END] == start
        if by_machine and not (by_job and draw(random, 2) == 0):
            x = p
        elif by_job:
            x = b
        else:
            break
    return length


@kernel(entry=False)
def _note(moves: Rows, count: int, u: int, v: int, forward: bool, allowed: bool) -> int:
    """Write a move down, to be overwritten if it's not allowed; returns how many there are."""
    moves[count, 0], moves[count, 1], moves[count, 2] = u, v, forward
    return count + int(allowed)


@kernel(entry=False)
def _split(links: Rows, fixed: Flags, path: Rows, length: int, bounds: Ints) -> int:
    """Fill where in a critical path its blocks begin, and its length; returns their number.

    A fixed operation is a block of its own, in which there is nothing to move.
    """
    blocks = 0
    for i in range(length):
        if i == 0 or links[path[i - 1] + PREVIOUS] != path[i] or fixed[path[i] >> 2]:
            bounds[blocks] = i
            blocks += 1
    bounds[blocks] = length
    return blocks


@kernel(entry=False)
def _towards_end(
    times: Ints, links: Rows, job: Ints, path: Rows, bounds: Ints, blocks: int, moves: Rows
) -> int:
    """List moves right behind the last of a block, and of the last inside; returns their number.

    At the very end of a schedule nothing is gained behind the last.
    """
    count = 0
    for k in range(1, blocks):
        low, high = bounds[k], bounds[k + 1]
        last, own = path[low], job[path[low] >> 2]
        tail, end = times[last + TAIL], times[links[last + BEFORE] + END]
        for i in range(low + 1, high):
            allowed = tail >= times[links[path[i] + AFTER] + TAIL] and job[path[i] >> 2] != own
            count = _note(moves, count, path[i], last, True, allowed)
        for i in range(low + 2, high - 1):
            allowed = times[path[i] + END] >= end and job[path[i] >> 2] != own
            count = _note(moves, count, last, path[i], False, allowed)
    return count


@kernel(entry=False)
def _towards_start(
    times: Ints,
    links: Rows,
    job: Ints,
    path: Rows,
    bounds: Ints,
    blocks: int,
    moves: Rows,
    count: int,
) -> int:
    """List moves right before the first of a block, and of the first inside.

    At the very start of a schedule nothing is gained before the first. The swap of a block of two
    is listed already unless the block is at the very end.
    """
    for k in range(blocks):
        low, high = bounds[k], bounds[k + 1]
        first, own = path[high - 1], job[path[high - 1] >> 2]
        end, tail = times[first + END], times[links[first + AFTER] + TAIL]
        if end == times[first + DURATION] or (k > 0 and high - low == 2):
            continue
        for i in range(low, high - 1):
            allowed = end >= times[links[path[i] + BEFORE] + END] and job[path[i] >> 2] != own
            count = _note(moves, count, path[i], first, False, allowed)
        for i in range(low + 1, high - 2):
            allowed = times[path[i] + TAIL] >= tail and job[path[i] >> 2] != own
            count = _note(moves, count, first, path[i], True, allowed)
    return count


@kernel
def list_moves(
    times: Ints,
    links: Rows,
    job: Ints,
    fixed: Flags,
    path: Rows,
    length: int,
    bounds: Ints,
    moves: Rows,
) -> int:
    """Moves within the blocks of a critical path; returns how many there are.

    Neighbourhood N7 of Zhang et al. (2007): operations go right behind a block's last or right
    before its first, and these two go inside.

    Surely no cycle comes of them (Balas & Vazacopoulos 1998): u may go right behind v if no way
    leads from its job successor to v, and right before v if none leads from v to its job
    predecessor; tails and heads tell. Operations of one job are never swapped.

    Args:
        times: of the schedule.
        links: of the schedule.
        job: (N,) every operation's.
        fixed: (N,) operations to leave where they are.
        path: (N,) from the last operation to the first.
        length: of the path.
        bounds: (N + 1,) scratch.
        moves: (4 N, 3) filled with rows (u, v, forward).
    """
    blocks = _split(links, fixed, path, length, bounds)
    count = _towards_end(times, links, job, path, bounds, blocks, moves)
    return _towards_start(times, links, job, path, bounds, blocks, moves, count)


@kernel
def estimate_behind(times: Ints, links: Rows, u: int, v: int, ends: Ints, enough: int) -> int:
    """Longest path through an operation from u to v once u is right behind v, about.

    Taillard's estimate (1994): heads and tails anew along the operations moved, all others as
    they are. For neighbours it is exact.

    Args:
        times: of the schedule.
        links: of the schedule.
        u: row of the operation to move.
        v: row of a later operation on the same machine.
        ends: (N,) scratch.
        enough: more than this is not told any better.
    """
    end = times[links[u + PREVIOUS] + END]
    x, k = u, 0
    while x != v:
        x = links[x + FOLLOWING]
        end = max(end, times[links[x + BEFORE] + END]) + times[x + DURATION]
        ends[k] = end
        k += 1
    tail = max(times[links[u + AFTER] + TAIL], times[links[v + FOLLOWING] + TAIL])
    tail += times[u + DURATION]
    longest = max(end, times[links[u + BEFORE] + END]) + tail
    while x != u and longest <= enough:
        k -= 1
        tail = max(tail, times[links[x + AFTER] + TAIL])
        longest = max(longest, ends[k] + tail)
        tail += times[x + DURATION]
        x = links[x + PREVIOUS]
    return int(longest)


@kernel
def estimate_before(times: Ints, links: Rows, u: int, v: int, tails: Ints, enough: int) -> int:
    """The same once u, later on its machine than v, is right before it."""
    tail = times[links[u + FOLLOWING] + TAIL]
    x, k = u, 0
    while x != v:
        x = links[x + PREVIOUS]
        tail = max(tail, times[links[x + AFTER] + TAIL]) + times[x + DURATION]
        tails[k] = tail
        k += 1
    end = max(times[links[u + BEFORE] + END], times[links[v + PREVIOUS] + END])
    end += times[u + DURATION]
    longest = end + max(tail, times[links[u + AFTER] + TAIL])
    while x != u and longest <= enough:
        k -= 1
        end = max(end, times[links[x + BEFORE] + END])
        longest = max(longest, end + tails[k])
        end += times[x + DURATION]
        x = links[x + FOLLOWING]
    return int(longest)
