"""Moves of operations within critical blocks, and what they are expected to cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.envs.core.jit import kernel
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
    from graphsched.envs.jobshop.search.shop import Ints, Rows, Shop

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
def _note(moves: Rows, count: int, u: int, v: int, forward: bool) -> int:
    """Add a move; returns how many there are."""
    moves[count, 0], moves[count, 1], moves[count, 2] = u, v, forward
    return count + 1


@kernel(entry=False)
def _block_moves(block: Rows, opens: bool, closes: bool, moves: Rows, count: int) -> int:
    """Moves within one block, last operation first in the array; returns how many there are.

    Neighbourhood N7 of Zhang et al. (2007): operations go right behind the block's last or right
    before its first, and these two go inside. At the very start of a schedule nothing is gained
    before the first, nor behind the last at its very end.
    """
    size = len(block)
    first, last = block[size - 1], block[0]
    if not closes:
        for i in range(1, size):
            count = _note(moves, count, block[i], last, True)
        for i in range(2, size - 1):
            count = _note(moves, count, last, block[i], False)
    if not opens:
        for i in range(size - 1):
            if i > 0 or size > 2 or closes:
                count = _note(moves, count, block[i], first, False)
        for i in range(1, size - 2):
            count = _note(moves, count, first, block[i], True)
    return count


@kernel(entry=False)
def _only_acyclic(times: Ints, links: Rows, job: Ints, moves: Rows, count: int) -> int:
    """Keep the moves of which surely no cycle comes; returns how many there are.

    Balas & Vazacopoulos (1998): u may go right behind v if no way leads from its job successor to
    v, and right before v if none leads from v to its job predecessor; tails and heads tell. The
    release of a job ends before any operation does that is followed by one of the job.
    """
    kept = 0
    for i in range(count):
        u, v, forward = moves[i, 0], moves[i, 1], moves[i, 2]
        if forward == 1:
            allowed = times[v + TAIL] >= times[links[u + AFTER] + TAIL]
        else:
            b = links[u + BEFORE]
            allowed = b >= len(moves) or times[v + END] >= times[b + END]
        if allowed and job[u >> 2] != job[v >> 2]:
            moves[kept, 0], moves[kept, 1], moves[kept, 2] = u, v, forward
            kept += 1
    return kept


@kernel
def list_moves(times: Ints, links: Rows, job: Ints, path: Rows, moves: Rows) -> int:
    """Moves within the blocks of a critical path; returns how many there are.

    Args:
        times: of the schedule.
        links: of the schedule.
        job: (N,) every operation's.
        path: (L,) from the last operation to the first.
        moves: (4 N, 3) filled with rows (u, v, forward).
    """
    count, high, length = 0, 0, len(path)
    while high < length:
        low = high
        while high + 1 < length and links[path[high] + PREVIOUS] == path[high + 1]:
            high += 1
        high += 1
        if high - low > 1:
            first = path[high - 1]
            opens, closes = times[first + END] == times[first + DURATION], low == 0
            count = _block_moves(path[low:high], opens, closes, moves, count)
    return _only_acyclic(times, links, job, moves, count)


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
