"""Moves of operations within critical blocks, and what they are expected to cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.envs.core.jit import kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from graphsched.envs.jobshop.search.shop import Schedule, Shop

    Ints = NDArray[np.int64]

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
def critical_path(shop: Shop, s: Schedule, latest: int, path: Ints, random: Ints) -> int:
    """A random critical path, from its end back to its start; returns its length."""
    n, seen = len(shop.job), 0
    x = n
    for o in shop.last:
        if s.end[o] == latest:
            seen += 1
            if draw(random, seen) == 0:
                x = o
    length = 0
    while x < n:
        path[length] = x
        length += 1
        start = s.end[x] - shop.duration[x]
        b, p = shop.before[x], s.previous[x]
        by_job = b < n and s.end[b] == start
        by_machine = p < n and s.end[p] == start
        if by_job and by_machine:
            x = b if draw(random, 2) == 0 else p
        elif by_job:
            x = b
        elif by_machine:
            x = p
        else:
            break
    return length


@kernel(entry=False)
def can_go_behind(shop: Shop, s: Schedule, u: int, v: int) -> bool:
    """Whether u may go right behind v, later on its machine: surely no cycle.

    Balas & Vazacopoulos (1998), proposition 2.2: no way leads from u's job successor to v.
    """
    return bool(shop.job[u] != shop.job[v] and s.tail[v] >= s.tail[shop.after[u]])


@kernel(entry=False)
def can_go_before(shop: Shop, s: Schedule, u: int, v: int) -> bool:
    """Whether u may go right before v, earlier on its machine: surely no cycle."""
    b = shop.before[u]
    return bool(shop.job[u] != shop.job[v] and (b > len(shop.job) or s.end[v] >= s.end[b]))


@kernel(entry=False)
def estimate_behind(shop: Shop, s: Schedule, u: int, v: int, ends: Ints) -> int:
    """Longest path through an operation from u to v once u is right behind v, about.

    Taillard's estimate (1994): heads and tails anew along the operations moved, all others as
    they are. For neighbours it is exact.

    Args:
        shop: the instance.
        s: the schedule.
        u: operation to move.
        v: later one on its machine.
        ends: (N,) scratch.
    """
    duration, before, after = shop.duration, shop.before, shop.after
    end = s.end[s.previous[u]]
    x, k = u, 0
    while x != v:
        x = s.following[x]
        end = max(end, s.end[before[x]]) + duration[x]
        ends[k] = end
        k += 1
    end = max(end, s.end[before[u]]) + duration[u]
    tail = max(s.tail[after[u]], s.tail[s.following[v]])
    longest = end + tail
    tail += duration[u]
    while x != u:
        k -= 1
        tail = max(tail, s.tail[after[x]])
        longest = max(longest, ends[k] + tail)
        tail += duration[x]
        x = s.previous[x]
    return int(longest)


@kernel(entry=False)
def estimate_before(shop: Shop, s: Schedule, u: int, v: int, tails: Ints) -> int:
    """The same once u, later on its machine than v, is right before it."""
    duration, before, after = shop.duration, shop.before, shop.after
    tail = s.tail[s.following[u]]
    x, k = u, 0
    while x != v:
        x = s.previous[x]
        tail = max(tail, s.tail[after[x]]) + duration[x]
        tails[k] = tail
        k += 1
    tail = max(tail, s.tail[after[u]]) + duration[u]
    end = max(s.end[before[u]], s.end[s.previous[v]])
    longest = end + tail
    end += duration[u]
    while x != u:
        k -= 1
        end = max(end, s.end[before[x]])
        longest = max(longest, end + tails[k])
        end += duration[x]
        x = s.following[x]
    return int(longest)
