"""What a log says of each request, put in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.batching.checking.visits import (
    ENTERS,
    LEAVES,
    Elsewhere,
    events_of,
    transfers_of,
    visits_of,
)
from graphsched.envs.batching.solution import (
    ARRIVED,
    FAILS,
    FROM_HOST,
    LINKS_OUT,
    OVER_LINK,
    SWAPS_OUT,
)
from graphsched.envs.core.domain import Violation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.batching.checking.visits import Transfer, Visit
    from graphsched.envs.batching.instance import BatchingInstance
    from graphsched.envs.batching.solution import BatchingSolution

    Floats = NDArray[np.float64]

BLOCK, TOLERANCE = 16, 1e-6


class Run(NamedTuple):
    """Iterations in each of which a request computes as many tokens."""

    request: int
    replica: int
    iteration: int  # the first
    length: int
    tokens: int  # in each
    before: int  # computed before the first
    decode: int  # whether they are decodes
    stay: int  # number of the request's stay


class Stay(NamedTuple):
    """A request in the batch of its replica."""

    request: int
    replica: int
    begin: int  # iteration of entry
    end: int  # the one after the last to whose end it holds its blocks
    found: int  # tokens there on entry, found in the cache or come from elsewhere
    brought: int  # whether they have come from elsewhere
    most: int  # tokens that it had computed there before
    kept: int  # blocks that did not move to the host when it left by swapping, else -1


class Swap(NamedTuple):
    """Blocks of a request that go to the host's memory or come back, in an iteration."""

    request: int
    replica: int
    iteration: int
    blocks: int


@dataclass
class Story:
    """What the log says of a request.

    Attributes:
        runs, stays, swaps: in order.
        first_s, last_s: when its first token came out, and its latest.
        made: tokens that came out.
        failed: whether it was given up.
        transfers: in order.
        replicas: one after the other; of each but the first, the iteration that it enters.
        lefts: tokens that it had when it left each but the last, and when nothing of it was under
            way any more, s.
    """

    runs: list[Run] = field(default_factory=list)
    stays: list[Stay] = field(default_factory=list)
    swaps: list[Swap] = field(default_factory=list)
    first_s: float = np.inf
    last_s: float = np.inf
    made: int = 0
    failed: bool = False
    transfers: list[Transfer] = field(default_factory=list)
    replicas: list[tuple[int, int]] = field(default_factory=list)
    lefts: list[tuple[int, float]] = field(default_factory=list)


class Wrong(Exception):
    """A story that can't be; args: kind of violation, what is wrong."""


class Clock(NamedTuple):
    """(L,) times of iterations by replica, s."""

    begins: list[Floats]
    ends: list[Floats]


def clock_of(instance: BatchingInstance, solution: BatchingSolution) -> Clock:
    """When the iterations of each replica begin and end."""
    mine = [solution.replica == r for r in range(len(instance.replicas))]
    return Clock([solution.begin_s[m] for m in mine], [solution.end_s[m] for m in mine])


def tell_all(
    instance: BatchingInstance, solution: BatchingSolution
) -> tuple[list[Violation], list[Story]]:
    """The stories of all requests, and what is wrong with them."""
    out: list[Violation] = []
    stories = []
    moves, clock = transfers_of(solution), clock_of(instance, solution)
    for i, events in enumerate(events_of(solution)):
        teller = _Teller(instance, clock, i, moves.get(i, []))
        try:
            teller.tell(visits_of(int(solution.home[i]), events, moves.get(i, [])))
        except Elsewhere:
            out.append(Violation("place", f"request {i} takes part where it is not"))
        except Wrong as wrong:
            kind, problem = wrong.args
            out.append(Violation(kind, f"request {i}: {problem}"))
        stories.append(teller.story)
    return out, stories


class _Teller:
    """Follows a request through its events."""

    def __init__(
        self, instance: BatchingInstance, clock: Clock, i: int, moves: list[Transfer]
    ) -> None:
        requests = instance.requests
        self.story, self.i, self.clock = Story(transfers=moves), i, clock
        self.arrivals = [each.end for each in moves if each.outcome == ARRIVED]
        self.prompt, self.output = int(requests.prompt[i]), int(requests.output[i])
        self.shareable = int(requests.extends[i]) // BLOCK if requests.group[i] >= 0 else 0
        self.replica, self.kv, self.after, self.most = -1, 0, 0, 0
        self.begun = -1  # iteration of entry, -1 while it is not in the batch
        self.entry = (0, 0, 0)  # tokens found, whether brought, tokens computed there before
        self.base = 0  # blocks in the cache that it relies on at least
        self.away = -1  # blocks in the host's memory, -1 if it is not there
        self.busy_s = 0.0  # up to when something of it is under way
        self.linked = False  # whether its blocks go over a link

    def tell(self, visits: list[Visit]) -> None:
        """Follow it; raises `Wrong`."""
        for replica, events in visits:
            self.replica, self.after, self.most = replica, 0, 0
            enters = events[0][0] if events else 0
            self.story.replicas.append((replica, enters))
            for event in events:
                self._take(*event)
            if self.begun >= 0:
                self._end(self.after, self.after, -1)

    def _take(self, k: int, what: int, *rest: int) -> None:
        if what == ENTERS:
            self._enter(k, *rest)
            return
        if self.begun < 0 or k < self.after:
            raise Wrong("entry", f"takes part in iteration {k} without being admitted")
        if what == LEAVES:
            self._leave(k, *rest)
        else:
            self._compute(k, *rest)

    def _enter(self, k: int, found: int, how: int, blocks: int) -> None:
        story, out = self.story, self.away >= 0
        over = self.begun >= 0 or story.made == self.output or story.failed
        back, over_link = how == FROM_HOST, how == OVER_LINK
        if over or over_link != self.linked or (back and not out):
            raise Wrong("entry", f"admitted by iteration {k} although it can't be")
        if how and found != self.kv:
            raise Wrong("entry", f"comes to iteration {k} with {found} tokens of {self.kv}")
        expected = self.away if back else 0
        if blocks != expected:
            raise Wrong("swap", f"iteration {k} gets {blocks} blocks back, expected {expected}")
        if back:
            story.swaps.append(Swap(self.i, self.replica, k, blocks))
        else:
            self.base = 0 if over_link else found // BLOCK
        self.entry = (found, int(how > 0), self.most)
        self.most = max(self.most, found if how else 0)
        self.kv, self.begun, self.away, self.after = found, k, -1, max(self.after, k)
        self.linked = False

    def _leave(self, k: int, why: int, blocks: int) -> None:
        kept, end = -1, k
        if why == SWAPS_OUT:
            whole = -(-self.kv // BLOCK)
            least = whole - max(min(self.shareable, self.kv // BLOCK), self.base)
            if not least <= blocks <= whole - self.base:
                expected = f"expected {least} to {whole - self.base}"
                raise Wrong("swap", f"iteration {k} takes {blocks} blocks away, {expected}")
            self.story.swaps.append(Swap(self.i, self.replica, k, blocks))
            self.away = blocks
            self.base = kept = whole - blocks
        elif blocks:
            raise Wrong("swap", f"iteration {k} takes {blocks} blocks away without swapping")
        if why == LINKS_OUT:  # its blocks are there until they have arrived elsewhere
            arrival = self.arrivals[len(self.story.lefts)]
            ends = self.clock.ends[self.replica]
            end = max(k, int(np.searchsorted(ends, arrival + TOLERANCE)))
            if k > self.begun:
                self.busy_s = max(self.busy_s, float(ends[k - 1]))
            self.story.lefts.append((self.kv, self.busy_s))
            self.busy_s = arrival
            self.linked = True
        self.story.failed = why == FAILS
        self._end(k, end, kept)
        self.kv = self.kv if why in (SWAPS_OUT, LINKS_OUT) else 0

    def _end(self, k: int, end: int, kept: int) -> None:
        self.story.stays.append(Stay(self.i, self.replica, self.begun, end, *self.entry, kept))
        self.begun, self.after = -1, k

    def _compute(self, k: int, count: int, tokens: int) -> None:
        """A span: iterations up to a token, or decodes to its end."""
        story = self.story
        self.after = k + count
        while count > 0:
            missing = self.prompt + story.made - self.kv
            decode = story.made > 0 and missing == 1 and tokens == 1
            length = count if decode else min(count, -(-missing // tokens))
            full = self.kv + length * tokens >= self.prompt + story.made
            over = not decode and full and missing != length * tokens
            if over or story.made + (length if decode else full) > self.output:
                problem = f"iterations from {k} compute more tokens than there are"
                raise Wrong("tokens", problem)
            stay = len(story.stays)
            row = (k, length, tokens, self.kv, int(decode), stay)
            story.runs.append(Run(self.i, self.replica, *row))
            self.kv += length * tokens
            self.busy_s = float(self.clock.ends[self.replica][k + length - 1])
            if full:
                story.made += length if decode else 1
                ends = self.clock.ends[self.replica]
                if story.first_s == np.inf:
                    story.first_s = float(ends[k + length - 1])
                story.last_s = float(ends[k + length - 1])
            count, k = count - length, k + length
        self.most = max(self.most, self.kv)
