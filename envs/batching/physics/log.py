"""What a replayed episode writes down: iterations, and spans of equal steps of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.batching.solution import ENTRY, LEAVE, MOVED, SPAN, TRANSFER
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Times = tuple[float, float]

ITERATIONS, SPANS, ENTRIES, LEAVES, TRANSFERS = range(5)


class Log(NamedTuple):
    """Room for a log; what does not fit is counted all the same."""

    counts: Ints  # (5,) iterations, spans, entries, leaves, transfers
    replica: Ints  # (L,) of each iteration
    begin: Floats  # (L,) s
    end: Floats  # (L,) s
    moved: Ints  # (L, 2) columns: `MOVED`
    span: Ints  # (S, 5) columns: `SPAN`
    last: Ints  # (N,) last span of each request, -1 for none
    entry: Ints  # (A, 6) columns: `ENTRY`
    leave: Ints  # (P, 5) columns: `LEAVE`
    transfer: Ints  # (T, 5) columns: `TRANSFER`
    sent: Floats  # (T, 2) begin and end, s


def empty_log(iterations: int, spans: int, requests: int) -> Log:
    """Room for that many; sizes of 0 log nothing."""
    return Log(
        np.zeros(5, np.int64),
        np.zeros(iterations, np.int64),
        np.zeros(iterations),
        np.zeros(iterations),
        np.zeros((iterations, len(MOVED)), np.int64),
        np.zeros((spans, len(SPAN)), np.int64),
        np.full(requests, -1),
        np.zeros((spans, len(ENTRY)), np.int64),
        np.zeros((spans, len(LEAVE)), np.int64),
        np.zeros((spans, len(TRANSFER)), np.int64),
        np.zeros((spans, 2)),
    )


@kernel(entry=False)
def log_iteration(
    log: Log, replica: int, begin: float, end: float, blocks: int, calls: int
) -> None:
    """An iteration that begins."""
    k = log.counts[ITERATIONS]
    if k < len(log.begin):
        log.replica[k], log.begin[k], log.end[k] = replica, begin, end
        log.moved[k, MOVED.blocks], log.moved[k, MOVED.copies] = blocks, calls
    log.counts[ITERATIONS] = k + 1


@kernel(entry=False)
def log_tokens(log: Log, request: int, replica: int, iteration: int, tokens: int) -> None:
    """Tokens of a request in an iteration; joins the request's last span where it goes on."""
    if len(log.last) == 0:
        return
    k = log.last[request]
    if (
        k >= 0
        and log.span[k, SPAN.replica] == replica
        and log.span[k, SPAN.tokens] == tokens
        and log.span[k, SPAN.iteration] + log.span[k, SPAN.length] == iteration
    ):
        log.span[k, SPAN.length] += 1
        return
    k = log.counts[SPANS]
    log.last[request] = -1
    if k < len(log.span):
        log.last[request] = k
        log.span[k, SPAN.request], log.span[k, SPAN.replica] = request, replica
        log.span[k, SPAN.iteration], log.span[k, SPAN.length] = iteration, 1
        log.span[k, SPAN.tokens] = tokens
    log.counts[SPANS] = k + 1


@kernel(entry=False)
def log_decodes(log: Log, request: int, replica: int, iteration: int, count: int) -> None:
    """One token in each of several iterations."""
    if count > 0 and len(log.last) > 0:
        log_tokens(log, request, replica, iteration, 1)
        k = log.last[request]
        if log.counts[SPANS] <= len(log.span):
            log.span[k, SPAN.length] += count - 1


@kernel(entry=False)
def log_entry(
    log: Log, request: int, replica: int, iteration: int, found: int, how: int, blocks: int
) -> None:
    """A request that is admitted to a replica's batch."""
    if len(log.last) > 0:
        log.last[request] = -1  # a span never goes on across an absence
    k = log.counts[ENTRIES]
    if k < len(log.entry):
        log.entry[k, ENTRY.request], log.entry[k, ENTRY.replica] = request, replica
        log.entry[k, ENTRY.iteration], log.entry[k, ENTRY.found] = iteration, found
        log.entry[k, ENTRY.how], log.entry[k, ENTRY.blocks] = how, blocks
    log.counts[ENTRIES] = k + 1


@kernel(entry=False)
def log_leave(log: Log, request: int, replica: int, iteration: int, why: int, blocks: int) -> None:
    """A request that leaves a replica's batch before it is served."""
    k = log.counts[LEAVES]
    if k < len(log.leave):
        log.leave[k, LEAVE.request], log.leave[k, LEAVE.replica] = request, replica
        log.leave[k, LEAVE.iteration], log.leave[k, LEAVE.why] = iteration, why
        log.leave[k, LEAVE.blocks] = blocks
    log.counts[LEAVES] = k + 1


@kernel(entry=False)
def log_transfer(
    log: Log, request: int, source: int, target: int, blocks: int, outcome: int, times: Times
) -> None:
    """What went over a link; times: begin and end, s."""
    k = log.counts[TRANSFERS]
    if k < len(log.transfer):
        log.transfer[k, TRANSFER.request] = request
        log.transfer[k, TRANSFER.source], log.transfer[k, TRANSFER.target] = source, target
        log.transfer[k, TRANSFER.blocks], log.transfer[k, TRANSFER.outcome] = blocks, outcome
        log.sent[k, 0], log.sent[k, 1] = times
    log.counts[TRANSFERS] = k + 1
