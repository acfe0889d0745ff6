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
    JOB,
    PREVIOUS,
    TAIL,
)

if TYPE_CHECKING:
    from graphsched.envs.jobshop.search.shop import Ints

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
def critical_path(table: Ints, last: Ints, latest: int, random: Ints, path: Ints) -> int:
    """Fill a random critical path, from its end back to its start; returns its length."""
    n, seen, x = len(path), 0, last[0]
    for o in last:
        if table[o, END] == latest:
            seen += 1
            if seen == 1 or draw(random, seen) == 0:
                x = o
    length = 0
    while x < n:
        path[length] = x
        length += 1
        start = table[x, END] - table[x, DURATION]
        b, p = table[x, BEFORE], table[x, PREVIOUS]
        by_job = b < n and table[b, END] == start
        by_machine = p < n and table[p, END] == start
        if by_machine and not (by_job and draw(random, 2) == 0):
            x = p
        elif by_job:
            x = b
        else:
            break
    return length


@kernel(entry=False)
def _propose(table: Ints, u: int, v: int, forward: bool, moves: Ints, count: int) -> int:
    """Add a move if surely no cycle comes of it; returns how many there are.

    Balas & Vazacopoulos (1998): u may go right behind v if no way leads from its job successor to
    v, and right before v if none leads from v to its job predecessor; tails and heads tell. The
    release of a job ends before any operation does that is followed by one of the job.
    """
    if forward:
        allowed = table[v, TAIL] >= table[table[u, AFTER], TAIL]
    else:
        b = table[u, BEFORE]
        allowed = b >= len(moves) >> 2 or table[v, END] >= table[b, END]
    if allowed and table[u, JOB] != table[v, JOB]:
        moves[count, 0], moves[count, 1], moves[count, 2] = u, v, forward
        return count + 1
    return count


@kernel(entry=False)
def _block_moves(
    table: Ints, block: Ints, opens: bool, closes: bool, moves: Ints, count: int
) -> int:
    """Moves within one block, last operation first in the array; returns how many there are.

    Neighbourhood N7 of Zhang et al. (2007): operations go right behind the block's last or right
    before its first, and these two go inside. At the very start of a schedule nothing is gained
    before the first, nor behind the last at its very end.
    """
    size = len(block)
    first, last = block[size - 1], block[0]
    if not closes:
        for i in range(1, size):
            count = _propose(table, block[i], last, True, moves, count)
        for i in range(2, size - 1):
            count = _propose(table, last, block[i], False, moves, count)
    if not opens:
        for i in range(size - 1):
            if i > 0 or size > 2 or closes:
                count = _propose(table, block[i], first, False, moves, count)
        for i in range(1, size - 2):
            count = _propose(table, first, block[i], True, moves, count)
    return count


@kernel
def list_moves(table: Ints, path: Ints, moves: Ints) -> int:
    """Moves within the blocks of a critical path; returns how many there are.

    Args:
        table: of the schedule.
        path: (L,) from the last operation to the first.
        moves: (4 N, 3) filled with rows (u, v, forward).
    """
    count, high, length = 0, 0, len(path)
    while high < length:
        low = high
        while high + 1 < length and table[path[high], PREVIOUS] == path[high + 1]:
            high += 1
        high += 1
        if high - low > 1:
            first = path[high - 1]
            opens, closes = table[first, END] == table[first, DURATION], low == 0
            count = _block_moves(table, path[low:high], opens, closes, moves, count)
    return count


@kernel
def estimate_behind(table: Ints, u: int, v: int, ends: Ints, enough: int) -> int:
    """Longest path through an operation from u to v once u is right behind v, about.

    Taillard's estimate (1994): heads and tails anew along the operations moved, all others as
    they are. For neighbours it is exact.

    Args:
        table: of the schedule.
        u: operation to move.
        v: later operation on the same machine.
        ends: (N,) scratch.
        enough: more than this is not told any better.
    """
    end = table[table[u, PREVIOUS], END]
    x, k = u, 0
    while x != v:
        x = table[x, FOLLOWING]
        end = max(end, table[table[x, BEFORE], END]) + table[x, DURATION]
        ends[k] = end
        k += 1
    tail = max(table[table[u, AFTER], TAIL], table[table[v, FOLLOWING], TAIL])
    tail += table[u, DURATION]
    longest = max(end, table[table[u, BEFORE], END]) + tail
    while x != u and longest <= enough:
        k -= 1
        tail = max(tail, table[table[x, AFTER], TAIL])
        longest = max(longest, ends[k] + tail)
        tail += table[x, DURATION]
        x = table[x, PREVIOUS]
    return int(longest)


@kernel
def estimate_before(table: Ints, u: int, v: int, tails: Ints, enough: int) -> int:
    """The same once u, later on its machine than v, is right before it."""
    tail = table[table[u, FOLLOWING], TAIL]
    x, k = u, 0
    while x != v:
        x = table[x, PREVIOUS]
        tail = max(tail, table[table[x, AFTER], TAIL]) + table[x, DURATION]
        tails[k] = tail
        k += 1
    end = max(table[table[u, BEFORE], END], table[table[v, PREVIOUS], END])
    end += table[u, DURATION]
    longest = end + max(tail, table[table[u, AFTER], TAIL])
    while x != u and longest <= enough:
        k -= 1
        end = max(end, table[table[x, BEFORE], END])
        longest = max(longest, end + tails[k])
        end += table[x, DURATION]
        x = table[x, FOLLOWING]
    return int(longest)
