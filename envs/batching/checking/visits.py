"""Which replicas a request is at one after the other, and what happens to it there."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.batching.solution import ARRIVED, LINKS_OUT, OVER_LINK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphsched.envs.batching.solution import BatchingSolution

LEAVES, ENTERS, COMPUTES = range(3)  # of a request at an iteration, in this order
Event = tuple[int, ...]  # iteration, what happens, and what is said of it


class Visit(NamedTuple):
    """A replica, and events there in order."""

    replica: int
    events: list[Event]


class Transfer(NamedTuple):
    """A row of `transfer` with its times, s."""

    request: int
    source: int
    target: int
    blocks: int
    outcome: int
    begin: float
    end: float


class Elsewhere(Exception):
    """Something happens where the request is not."""


def transfers_of(solution: BatchingSolution) -> dict[int, list[Transfer]]:
    """By request, in order of their beginnings."""
    out: dict[int, list[Transfer]] = {}
    order = np.lexsort((solution.sent_s[:, 1], solution.sent_s[:, 0]))
    rows, times = solution.transfer[order].tolist(), solution.sent_s[order].tolist()
    for (i, source, target, blocks, outcome), (begin, end) in zip(rows, times, strict=True):
        each = Transfer(i, source, target, blocks, outcome, begin, end)
        out.setdefault(i, []).append(each)
    return out


def events_of(solution: BatchingSolution) -> list[list[tuple[int, Event]]]:
    """Of each request: replica and event, in any order."""
    out: list[list[tuple[int, Event]]] = [[] for _ in range(len(solution.home))]
    for what, rows in (
        (LEAVES, solution.leave),
        (ENTERS, solution.entry),
        (COMPUTES, solution.span),
    ):
        for i, r, k, *rest in rows.tolist():
            out[i].append((r, (k, what, *rest)))
    return out


def _over_link(event: Event) -> bool:
    _, what, *rest = event
    leaves, enters = what == LEAVES and rest[0] == LINKS_OUT, what == ENTERS
    return leaves or (enters and rest[1] == OVER_LINK)


def _in_order(events: list[Event]) -> list[Event]:
    """At a replica; before an iteration requests come and go over links, perhaps several times."""
    out: list[Event] = []
    for _, group in groupby(sorted(events), key=lambda event: event[0]):
        rest = list(group)
        while any(map(_over_link, rest)):
            inside = bool(out) and out[-1][1] != LEAVES
            fits = (e for e in rest if _over_link(e) and (e[1] == LEAVES) == inside)
            if (chosen := next(fits, None)) is None:
                break
            rest.remove(chosen)
            out.append(chosen)
        out += rest
    return out


def visits_of(
    home: int, events: Iterable[tuple[int, Event]], transfers: Iterable[Transfer]
) -> list[Visit]:
    """A request's replicas in order; raises `Elsewhere` where events don't fit them."""
    targets = [each.target for each in transfers if each.outcome == ARRIVED]
    there: dict[int, list[Event]] = {}
    for r, event in events:
        there.setdefault(r, []).append(event)
    pieces: dict[int, list[list[Event]]] = {}
    for r, each in there.items():
        mine = pieces.setdefault(r, [[]])
        for event in _in_order(each):
            mine[-1].append(event)
            if event[1] == LEAVES and event[2] == LINKS_OUT:
                mine.append([])
    out = []
    for k, replica in enumerate([home, *targets]):
        mine = pieces.get(replica, [])
        events_there = mine.pop(0) if mine else []
        last = events_there[-1] if events_there else (0, COMPUTES, 0)
        if (last[1] == LEAVES and last[2] == LINKS_OUT) != (k < len(targets)):
            raise Elsewhere
        out.append(Visit(replica, events_there))
    if any(piece for mine in pieces.values() for piece in mine):
        raise Elsewhere
    return out
