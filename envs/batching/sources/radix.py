"""Prompts' prefixes from hashes of their blocks: a radix tree, in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.batching.instance import NO_GROUP, Prefixes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Place(NamedTuple):
    """Where a prompt ends in the tree."""

    segment: int
    common: int  # first blocks that it shares with an earlier one


class RadixTree:
    """Segments, each with the blocks that are its own; what differs inside one branches off there.

    A last block that a prompt does not fill is a segment by itself: the next turn of a conversation
    has another block in its place, and would else branch off the turn before, and so on.
    """

    def __init__(self) -> None:
        """An empty tree."""
        self._parent: list[int] = []
        self._start: list[int] = []  # blocks before a segment
        self._own: list[list[int]] = []  # hashes of a segment
        self._closed: list[bool] = []  # whether it ends with a block that is not full
        self._branches: dict[tuple[int, int, int], int] = {}  # by segment, block, and its hash

    def add(self, hashes: Sequence[int], full: int) -> Place:
        """Put a prompt's hashes in, one at least; linear in their number.

        full: hashes of whole blocks; one may follow.
        """
        segment, common = self._walk(hashes)
        if common < full:
            segment = self._grow(segment, common, hashes[:full], closed=False)
        if max(common, full) < len(hashes):
            segment = self._grow(segment, max(common, full), hashes, closed=True)
        return Place(segment, common)

    def _walk(self, hashes: Sequence[int]) -> tuple[int, int]:
        """The segment in which what is known of a prompt ends, and its blocks up to there."""
        segment, k = NO_GROUP, 0
        while k < len(hashes) and (segment, k, hashes[k]) in self._branches:
            segment = self._branches[segment, k, hashes[k]]
            start, own = self._start[segment], self._own[segment]
            while k < len(hashes) and k - start < len(own) and own[k - start] == hashes[k]:
                k += 1
        return segment, k

    def _grow(self, segment: int, k: int, hashes: Sequence[int], *, closed: bool) -> int:
        """Hashes from k on go on where a segment ends, or branch off; returns where they are."""
        if segment != NO_GROUP and not closed and not self._closed[segment]:
            own = self._own[segment]
            if k - self._start[segment] == len(own):
                own.extend(hashes[k:])
                return segment
        self._branches[segment, k, hashes[k]] = len(self._own)
        self._parent.append(segment)
        self._start.append(k)
        self._own.append(list(hashes[k:]))
        self._closed.append(closed)
        return len(self._own) - 1

    def prefixes(self, block: int) -> Prefixes:
        """The tree of an instance; block: tokens of one."""
        start = np.array(self._start, np.int64) * block
        return Prefixes(np.array(self._parent, np.int64), start)


def places(prompts: Iterable[tuple[Sequence[int], int]]) -> tuple[list[Place], RadixTree]:
    """Of all prompts in order, hashes and how many are of whole blocks; some have no hashes."""
    tree = RadixTree()
    found = [tree.add(*prompt) if prompt[0] else Place(NO_GROUP, 0) for prompt in prompts]
    return found, tree
