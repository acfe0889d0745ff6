"""KV blocks that a log needs, and whether what is found in the cache can have been there.

A block of a path that a request finds was computed there, and kept from the last iteration in which
somebody had it. So it counts in between, too, and a hit on what must have been evicted shows as too
many blocks. Blocks of a path that several requests have count once, even where a replica might hold
them twice.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.batching.checking.stories import BLOCK, Run, Stay
from graphsched.envs.core.domain import Violation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.batching.checking.stories import Story
    from graphsched.envs.batching.instance import BatchingInstance

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

FAR = 1 << 21  # more blocks than any path has


class Spells(NamedTuple):
    """Blocks by when they are somebody's, (Q,) each: from iteration ``begin`` to before ``end``."""

    request: Ints
    block: Ints  # of the request's path, from 0
    begin: Ints
    end: Ints
    hit: Bools  # whether it was found in the cache


class Tables(NamedTuple):
    """Stays and runs of a replica's requests as arrays."""

    stay: Ints  # (S, 8) columns of `Stay`
    run: Ints  # (Q, 8) columns of `Run`
    stay_of: Ints  # (Q,) row of each run's stay
    away: Ints  # (A, 4): request, kept blocks, first iteration in the host's memory, the one of return


def check_finds(instance: BatchingInstance, stories: list[Story]) -> list[Violation]:
    """What is found belongs to the path that it may be found on, and is made of whole blocks."""
    requests, out = instance.requests, []
    for i, story in enumerate(stories):
        shared = int(requests.shared[i]) if requests.group[i] >= 0 else 0
        for stay in story.stays:
            most = max(shared, stay.most)
            if not stay.brought and (stay.found % BLOCK or stay.found > most):
                problem = f"request {i} finds {stay.found} tokens, not its prefix"
                out.append(Violation("prefix", problem))
    return out


def check_memory(
    instance: BatchingInstance, stories: list[Story], reserved: Ints, r: int
) -> list[Violation]:
    """What is found was computed before, and what is held, kept and reserved fits.

    Args:
        instance: of the log.
        stories: of all requests.
        reserved: (L,) blocks for requests that are on their way to replica r, by iteration.
        r: the replica.
    """
    length = len(reserved)
    tables = _tables(stories, r)
    requests = instance.requests
    common = np.where(requests.group >= 0, requests.extends // BLOCK, 0)
    private = _returns(tables, common)
    limit = np.where(private, FAR, common)  # first blocks of a request that count by the path
    own, spells = _held(tables, limit, length)
    kept, unknown = _union(spells, _names(instance, spells, common), length)
    out = [
        Violation("prefix", f"request {i} finds block {m} of its path, which nobody has computed")
        for i, m in unknown
    ]
    total = own + kept + reserved
    if (over := np.flatnonzero(total > instance.replicas[r].kv_blocks)).size:
        j, blocks = int(over[0]), instance.replicas[r].kv_blocks
        problem = f"iteration {j} of replica {r} holds {total[j]} KV blocks of {blocks}"
        out.append(Violation("memory", problem))
    return out


def _tables(stories: list[Story], r: int) -> Tables:
    stays: list[Stay] = []
    runs: list[Run] = []
    rows: list[int] = []
    away: list[tuple[int, int, int, int]] = []
    for story in stories:
        place = {}
        for k, stay in enumerate(story.stays):
            if stay.replica == r:
                place[k] = len(stays)
                stays.append(stay)
        for run in story.runs:
            if run.replica == r:
                runs.append(run)
                rows.append(place[run.stay])
        away += [
            (old.request, old.kept, old.end, new.begin)
            for old, new in pairwise(story.stays)
            if old.replica == r and old.kept >= 0 and new.brought
        ]
    return Tables(
        np.array(stays, np.int64).reshape(-1, len(Stay._fields)),
        np.array(runs, np.int64).reshape(-1, len(Run._fields)),
        np.array(rows, np.int64),
        np.array(away, np.int64).reshape(-1, 4),
    )


def _returns(tables: Tables, common: Ints) -> Bools:
    """(N,) whether a request finds more than its path, which only it can have computed."""
    request, _, _, _, found, brought, *_ = tables.stay.T
    out = np.zeros(len(common), bool)
    out[request[(brought == 0) & (found // BLOCK > common[request])]] = True
    return out


def _spread(counts: Ints) -> tuple[Ints, Ints]:
    """(sum,) row that each of so many belongs to, and its number there."""
    row = np.repeat(np.arange(len(counts)), counts)
    return row, np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)


def _held(tables: Tables, limit: Ints, length: int) -> tuple[Ints, Spells]:
    """(length,) blocks that count for their requests alone, and those of paths.

    A block is its request's own from the iteration in which it gets its first token; one of the
    path it becomes when it is full, and on entry.
    """
    request, _, begin, end, found, brought, *_ = tables.stay.T
    who, _, first, count, tokens, before, *_ = tables.run.T
    after = before + count * tokens
    ends = end[tables.stay_of]
    own = np.zeros(length + 1, np.int64)
    row, m = _spread(-(-after // BLOCK) - -(-before // BLOCK))
    m += -(-before // BLOCK)[row]
    _add(own, first[row] + (BLOCK * m - before[row]) // tokens[row], ends[row], 1)
    row, m = _spread(after // BLOCK - before // BLOCK)
    m += (before // BLOCK)[row]
    full = first[row] + -(-(BLOCK * (m + 1) - before[row]) // tokens[row]) - 1
    computed = _Part(who[row], m, full, ends[row])
    _add(own, begin, end, brought * -(-found // BLOCK))
    row, m = _spread(found // BLOCK)
    entered = _Part(request[row], m, begin[row], end[row])
    back = brought[row] > 0
    path = computed.block < limit[computed.request]
    _add(own, computed.begin[path], computed.end[path], -1)
    returned = back & (m < limit[entered.request])
    _add(own, entered.begin[returned], entered.end[returned], -1)
    row, m = _spread(tables.away[:, 1])
    stayed = _Part(tables.away[row, 0], m, tables.away[row, 2], tables.away[row, 3])
    parts = (computed.where(path), entered.where(returned), stayed, entered.where(~back))
    whole = _Part(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    hit = np.arange(len(whole.block)) >= sum(len(part.block) for part in parts[:3])
    return np.cumsum(own[:length]), Spells(*whole, hit)


class _Part(NamedTuple):
    """Some spells, (Q,) each."""

    request: Ints
    block: Ints
    begin: Ints
    end: Ints

    def where(self, mask: Bools) -> _Part:
        return _Part(*(column[mask] for column in self))


def _add(own: Ints, begin: Ints, end: Ints, blocks: Ints | int) -> None:
    """So many blocks more from ``begin`` to before ``end``."""
    np.add.at(own, begin, blocks)
    np.add.at(own, end, -blocks)


def _names(instance: BatchingInstance, spells: Spells, common: Ints) -> Ints:
    """(Q,) one number for each block of the tree, whoever has it; a request's own beyond its path."""
    tree = instance.prefixes
    segment = instance.requests.group[spells.request]
    alone = spells.block >= common[spells.request]
    while True:
        start = tree.start[segment] if len(tree) else np.zeros_like(segment)
        above = np.flatnonzero(~alone & (start > BLOCK * spells.block))
        if not len(above):
            break
        segment[above] = tree.parent[segment[above]]
    segment = np.where(alone, len(tree) + spells.request, segment)
    return segment * FAR + spells.block


def _union(spells: Spells, names: Ints, length: int) -> tuple[Ints, list[tuple[int, int]]]:
    """(length,) different blocks that are held or kept to be found; finds of what was never there."""
    if not len(names):
        return np.zeros(length, np.int64), []
    order = np.lexsort((~spells.hit, spells.begin, names))
    begin, end = spells.begin[order], spells.end[order]
    hit, name = spells.hit[order], names[order]
    fresh = np.append(True, name[1:] != name[:-1])
    group = np.cumsum(fresh) - 1
    reach = np.maximum.accumulate(group * (length + 1) + end) - group * (length + 1)
    before = np.where(fresh, begin, np.append(0, reach[:-1]))
    since = np.where(hit, before, np.maximum(begin, before))
    new = end > since
    change = np.bincount(since[new], minlength=length + 1)
    change = change - np.bincount(end[new], minlength=length + 1)
    wrong = order[hit & fresh][:3]
    unknown = list(zip(spells.request[wrong].tolist(), spells.block[wrong].tolist(), strict=True))
    return np.cumsum(change[:length]), unknown
