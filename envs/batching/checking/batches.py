"""How long iterations take by what is in them, and what they move between GPU and host."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.batching.checking.stories import Run, Swap
from graphsched.envs.batching.hardware.iteration_time import (
    STEP,
    TABLE,
    coefficients,
    linear_table,
    swap_block_s,
)
from graphsched.envs.batching.solution import MOVED
from graphsched.envs.core.domain import Violation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.batching.checking.stories import Story
    from graphsched.envs.batching.instance import BatchingInstance, Replica
    from graphsched.envs.batching.solution import BatchingSolution

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

TOLERANCE = 1e-6


class Batch(NamedTuple):
    """(L,) each, of the iterations of a replica."""

    tokens: Ints
    decodes: Ints
    reads: Ints  # KV tokens that decodes read
    prompts: Ints  # tokens of prompts
    products: Floats  # (query, key) pairs of prompts


def check_batches(
    instance: BatchingInstance, solution: BatchingSolution, stories: list[Story], r: int
) -> list[Violation]:
    """Every iteration takes as long as its batch does, is not empty, and moves what is swapped.

    Tables and coefficients are the simulator's; what is made of them is summed up here once more,
    so that an error in `batch_s` shows.
    """
    mine = solution.replica == r
    batch, moved = _batches(stories, int(mine.sum()), r), solution.moved[mine]
    replica = instance.replicas[r]
    expected = _times(replica, batch)
    expected += moved[:, MOVED.blocks] * swap_block_s(replica.gpu, replica.model, replica.tp)
    found = (solution.end_s - solution.begin_s)[mine]
    out = []
    for j in np.flatnonzero(np.abs(found - expected) > TOLERANCE * np.maximum(1, expected))[:3]:
        problem = f"iteration {j} of replica {r} takes {found[j]}, expected {expected[j]}"
        out.append(Violation("duration", problem))
    if (batch.tokens == 0).any():
        j = int(np.argmin(batch.tokens))
        out.append(Violation("empty", f"iteration {j} of replica {r} is empty"))
    return out + _check_moves(stories, moved, r)


def _batches(stories: list[Story], length: int, r: int) -> Batch:
    runs = [run for story in stories for run in story.runs if run.replica == r]
    rows = np.array(runs, np.int64).reshape(-1, len(Run._fields))
    _, _, first, count, tokens, before, decode, _ = rows.T
    each, prompt = decode > 0, decode == 0
    k, c, b = first[each], count[each], before[each]
    # A decode that begins in iteration k with b tokens there reads b - k + j of them in iteration j.
    decodes = _covered(k, c, np.ones_like(k), length)
    reads = _covered(k, c, b - k, length) + np.arange(length) * decodes
    k, c, n, b = (column[prompt] for column in (first, count, tokens, before))
    row = np.repeat(np.arange(len(k)), c)
    place = np.arange(len(row)) - np.repeat(np.cumsum(c) - c, c)
    pairs = n[row] * (b[row] + place * n[row] + 0.5 * n[row])
    products = np.bincount(k[row] + place, pairs, length).astype(np.float64)
    prompts = _covered(k, c, n, length)
    return Batch(decodes + prompts, decodes, reads, prompts, products)


def _covered(first: Ints, count: Ints, value: Ints, length: int) -> Ints:
    """(length,) sums of values over ``count`` places from ``first`` on."""
    change = np.zeros(length + 1, np.int64)
    np.add.at(change, first, value)
    np.add.at(change, first + count, -value)
    return np.cumsum(change[:length])


def _times(replica: Replica, batch: Batch) -> Floats:
    """(L,) s, without swapping."""
    table = linear_table(replica.gpu, replica.model, replica.tp, float(replica.imbalance))
    launch, row, read, prompt_launch, prompt_row, product = coefficients(
        replica.gpu, replica.model, replica.tp
    ).tolist()
    entry = -(-batch.tokens // STEP)
    slope = (table[-1] - table[TABLE // 2]) / (TABLE // 2)
    out = table[np.minimum(entry, TABLE - 1)] + slope * np.maximum(entry - TABLE + 1, 0)
    decodes, prompts = batch.decodes, batch.prompts
    out += np.where(decodes > 0, launch + row * decodes + read * batch.reads, 0.0)
    own = prompt_launch + prompt_row * prompts + product * batch.products
    return np.asarray(out + np.where(prompts > 0, own, 0.0))


def _check_moves(stories: list[Story], moved: Ints, r: int) -> list[Violation]:
    """Blocks and copies of each iteration are those of the requests that are swapped in it."""
    swaps = [
        swap
        for story in stories
        for swap in story.swaps
        if swap.replica == r and swap.iteration < len(moved)
    ]
    _, _, at, blocks = np.array(swaps, np.int64).reshape(-1, len(Swap._fields)).T
    out = []
    for column, expected, what in (
        (MOVED.copies, np.bincount(at, minlength=len(moved)), "copies {} times"),
        (MOVED.blocks, _covered(at, np.ones_like(at), blocks, len(moved)), "moves {} blocks"),
    ):
        if (wrong := np.flatnonzero(moved[:, column] != expected)).size:
            j = int(wrong[0])
            problem = f"iteration {j} of replica {r} {what.format(moved[j, column])}"
            out.append(Violation("swap", f"{problem}, expected {expected[j]}"))
    return out
