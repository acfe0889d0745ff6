"""What a log says of each request, put in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from graphsched.envs.core.domain import Violation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphsched.envs.batching.instance import BatchingInstance
    from graphsched.envs.batching.solution import BatchingSolution

BLOCK = 16
SWAPPED_OUT, FAILED = 1, 2
LEAVES, ENTERS, COMPUTES = range(3)  # of a request at an iteration, in this order


class Run(NamedTuple):
    """Iterations in each of which a request computes as many tokens."""

    request: int
    iteration: int  # the first
    length: int
    tokens: int  # in each
    before: int  # computed before the first
    decode: int  # whether they are decodes
    stay: int  # number of the request's stay


class Stay(NamedTuple):
    """A request in the batch of its replica."""

    request: int
    begin: int  # iteration of entry
    end: int  # the one after the last
    found: int  # tokens there on entry, found in the cache or come back from the host
    swapped: int  # whether they have come back
    most: int  # tokens that it had computed there before
    kept: int  # blocks that did not move to the host when it left by swapping, else -1


class Swap(NamedTuple):
    """Blocks of a request that go to the host's memory or come back, in an iteration."""

    request: int
    iteration: int
    blocks: int


@dataclass
class Story:
    """What the log says of a request.

    Attributes:
        runs, stays, swaps: in order.
        first, last: iterations at whose end its first token came out, and its latest.
        made: tokens that came out.
        failed: whether it was given up.
    """

    runs: list[Run] = field(default_factory=list)
    stays: list[Stay] = field(default_factory=list)
    swaps: list[Swap] = field(default_factory=list)
    first: int = -1
    last: int = -1
    made: int = 0
    failed: bool = False


class Wrong(Exception):
    """A story that can't be; args: kind of violation, what is wrong."""


def tell_all(
    instance: BatchingInstance, solution: BatchingSolution
) -> tuple[list[Violation], list[Story]]:
    """The stories of all requests, and what is wrong with them."""
    out: list[Violation] = []
    stories = []
    for i, events in enumerate(_events(len(instance.requests), solution)):
        teller = _Teller(instance, i)
        try:
            teller.tell(events)
        except Wrong as wrong:
            kind, problem = wrong.args
            out.append(Violation(kind, f"request {i}: {problem}"))
        stories.append(teller.story)
    return out, stories


def _events(size: int, solution: BatchingSolution) -> Iterable[list[tuple[int, ...]]]:
    """Of each request in order: iteration, what happens, and what is said of it."""
    out: list[list[tuple[int, ...]]] = [[] for _ in range(size)]
    for what, rows in (
        (LEAVES, solution.leave),
        (ENTERS, solution.entry),
        (COMPUTES, solution.span),
    ):
        for i, _, k, *rest in rows.tolist():
            out[i].append((k, what, *rest))
    return (sorted(events) for events in out)


class _Teller:
    """Follows a request through its events."""

    def __init__(self, instance: BatchingInstance, i: int) -> None:
        requests = instance.requests
        self.story, self.i = Story(), i
        self.prompt, self.output = int(requests.prompt[i]), int(requests.output[i])
        self.shareable = int(requests.extends[i]) // BLOCK if requests.group[i] >= 0 else 0
        self.kv, self.after, self.most = 0, 0, 0
        self.begun = -1  # iteration of entry, -1 while it is not in the batch
        self.entry = (0, 0, 0)  # tokens found, whether swapped in, tokens computed there before
        self.base = 0  # blocks in the cache that it relies on at least
        self.away = -1  # blocks in the host's memory, -1 if it is not there

    def tell(self, events: list[tuple[int, ...]]) -> None:
        """Follow it; raises `Wrong`."""
        for k, what, *rest in events:
            if what == ENTERS:
                self._enter(k, *rest)
                continue
            if self.begun < 0 or k < self.after:
                raise Wrong("entry", f"takes part in iteration {k} without being admitted")
            if what == LEAVES:
                self._leave(k, *rest)
            else:
                self._compute(k, *rest)
        if self.begun >= 0:
            self._end(self.after, -1)

    def _enter(self, k: int, found: int, swapped: int, blocks: int) -> None:
        story, out = self.story, self.away >= 0
        over = self.begun >= 0 or story.made == self.output or story.failed
        if over or (swapped and (not out or found != self.kv)):
            raise Wrong("entry", f"admitted by iteration {k} although it can't be")
        expected = self.away if swapped else 0
        if blocks != expected:
            raise Wrong("swap", f"iteration {k} gets {blocks} blocks back, expected {expected}")
        if swapped:
            story.swaps.append(Swap(self.i, k, blocks))
        else:
            self.base = found // BLOCK
        self.entry = (found, swapped, self.most)
        self.kv, self.begun, self.away, self.after = found, k, -1, max(self.after, k)

    def _leave(self, k: int, why: int, blocks: int) -> None:
        kept = -1
        if why == SWAPPED_OUT:
            whole = -(-self.kv // BLOCK)
            least = whole - max(min(self.shareable, self.kv // BLOCK), self.base)
            if not least <= blocks <= whole - self.base:
                expected = f"expected {least} to {whole - self.base}"
                raise Wrong("swap", f"iteration {k} takes {blocks} blocks away, {expected}")
            self.story.swaps.append(Swap(self.i, k, blocks))
            self.away = blocks
            self.base = kept = whole - blocks
        elif blocks:
            raise Wrong("swap", f"iteration {k} takes {blocks} blocks away without swapping")
        self.story.failed = why == FAILED
        self._end(k, kept)
        self.kv = self.kv if why == SWAPPED_OUT else 0

    def _end(self, k: int, kept: int) -> None:
        self.story.stays.append(Stay(self.i, self.begun, k, *self.entry, kept))
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
            story.runs.append(Run(self.i, k, length, tokens, self.kv, int(decode), stay))
            self.kv += length * tokens
            if full:
                story.made += length if decode else 1
                story.first = story.first if story.first >= 0 else k + length - 1
                story.last = k + length - 1
            count, k = count - length, k + length
        self.most = max(self.most, self.kv)
