"""What a replayed episode writes down: iterations, and spans of equal steps of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

ITERATIONS, SPANS, ENTRIES, LEAVES = range(4)


class Log(NamedTuple):
    """Room for a log; what does not fit is counted all the same."""

    counts: Ints  # (4,) iterations, spans, entries, leaves
    replica: Ints  # (L,) of each iteration
    begin: Floats  # (L,) s
    end: Floats  # (L,) s
    moved: Ints  # (L, 2) blocks swapped, copies
    span: Ints  # (S, 5) request, replica, its first iteration there, iterations, tokens in each
    last: Ints  # (N,) last span of each request, -1 for none
    entry: Ints  # (A, 5) request, replica, iteration, tokens found, whether it was swapped out
    leave: Ints  # (P, 4) request, replica, iteration, why


def empty_log(iterations: int, spans: int, requests: int) -> Log:
    """Room for that many; sizes of 0 log nothing."""
    return Log(
        np.zeros(4, np.int64),
        np.zeros(iterations, np.int64),
        np.zeros(iterations),
        np.zeros(iterations),
        np.zeros((iterations, 2), np.int64),
        np.zeros((spans, 5), np.int64),
        np.full(requests, -1),
        np.zeros((spans, 5), np.int64),
        np.zeros((spans, 4), np.int64),
    )


@kernel(entry=False)
def log_iteration(
    log: Log, replica: int, begin: float, end: float, blocks: int, calls: int
) -> None:
    """An iteration that begins."""
    k = log.counts[ITERATIONS]
    if k < len(log.begin):
        log.replica[k], log.begin[k], log.end[k] = replica, begin, end
        log.moved[k, 0], log.moved[k, 1] = blocks, calls
    log.counts[ITERATIONS] = k + 1


@kernel(entry=False)
def log_tokens(log: Log, request: int, replica: int, iteration: int, tokens: int) -> None:
    """Tokens of a request in an iteration; joins the request's last span where it goes on."""
    if len(log.last) == 0:
        return
    k = log.last[request]
    if (
        k >= 0
        and log.span[k, 1] == replica
        and log.span[k, 4] == tokens
        and log.span[k, 2] + log.span[k, 3] == iteration
    ):
        log.span[k, 3] += 1
        return
    k = log.counts[SPANS]
    log.last[request] = -1
    if k < len(log.span):
        log.last[request] = k
        log.span[k, 0], log.span[k, 1], log.span[k, 2] = request, replica, iteration
        log.span[k, 3], log.span[k, 4] = 1, tokens
    log.counts[SPANS] = k + 1


@kernel(entry=False)
def log_decodes(log: Log, request: int, replica: int, iteration: int, count: int) -> None:
    """One token in each of several iterations."""
    if count > 0 and len(log.last) > 0:
        log_tokens(log, request, replica, iteration, 1)
        k = log.last[request]
        if log.counts[SPANS] <= len(log.span):
            log.span[k, 3] += count - 1


@kernel(entry=False)
def log_entry(
    log: Log, request: int, replica: int, iteration: int, found: int, swapped: int
) -> None:
    """A request that is admitted to a replica's batch."""
    if len(log.last) > 0:
        log.last[request] = -1  # a span never goes on across an absence
    k = log.counts[ENTRIES]
    if k < len(log.entry):
        log.entry[k, 0], log.entry[k, 1], log.entry[k, 2] = request, replica, iteration
        log.entry[k, 3], log.entry[k, 4] = found, swapped
    log.counts[ENTRIES] = k + 1


@kernel(entry=False)
def log_leave(log: Log, request: int, replica: int, iteration: int, why: int) -> None:
    """A request that leaves a replica's batch before it is served."""
    k = log.counts[LEAVES]
    if k < len(log.leave):
        log.leave[k, 0], log.leave[k, 1] = request, replica
        log.leave[k, 2], log.leave[k, 3] = iteration, why
    log.counts[LEAVES] = k + 1
