"""The arrays of all simulator slots, and the view of one slot that kernels work on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.memory.physics.arena import Arena
from graphsched.envs.memory.physics.orders import LISTS
from graphsched.envs.memory.physics.program import Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

IDLE, WAITING, DONE = range(3)
SLOW, STAY, COPY = range(3)  # choices for an access
NUM_INSTRUCTIONS, NUM_STORAGES, NUM_ACCESSES = range(3)  # of `State.extent`
NUM_LISTS = len(LISTS)
BEST_LIST = LISTS.index("best")
MOST_CANDIDATES = max(NUM_LISTS, 3)


class State(NamedTuple):
    """B slots; T instructions, G storages, A accesses, R = A + 1 residencies, K lists."""

    # the program, see Problem
    compute: NDArray[np.float64]  # (B, T)
    cap: NDArray[np.float64]  # (B, T)
    slow_all: NDArray[np.float64]  # (B, T)
    access_ptr: NDArray[np.int64]  # (B, G + 1)
    access_time: NDArray[np.int64]  # (B, A)
    access_storage: NDArray[np.int64]  # (B, A)
    access_bytes: NDArray[np.float64]  # (B, A)
    access_writes: NDArray[np.bool_]  # (B, A)
    program_order: NDArray[np.int64]  # (B, A)
    size: NDArray[np.int64]  # (B, G)
    copy_bytes: NDArray[np.float64]  # (B, G)
    live_in: NDArray[np.bool_]  # (B, G)
    live_out: NDArray[np.bool_]  # (B, G)
    capacity: NDArray[np.int64]  # (B,)
    slow_us: NDArray[np.float64]  # (B,)
    fast_us: NDArray[np.float64]  # (B,)
    extent: NDArray[np.int64]  # (B, 3) T, G, A of the slot's program
    # the guide, see Guide
    lists: NDArray[np.int64]  # (B, K, G), -1 after the end
    benefit: NDArray[np.float64]  # (B, G)
    price_sum: NDArray[np.float64]  # (B, T + 1)
    margin: NDArray[np.float64]  # (B, G)
    profit_share: NDArray[np.float64]  # (B, G)
    worth: NDArray[np.int64]  # (B,) storages in each list
    pressure: NDArray[np.float64]  # (B,) their bytes / capacity
    first_latency: NDArray[np.float64]  # (B,) all in slow memory
    least_latency: NDArray[np.float64]  # (B,) all in fast memory
    # the mapping, see Arena
    slow: NDArray[np.float64]  # (B, T)
    fast: NDArray[np.float64]  # (B, T)
    used: NDArray[np.float64]  # (B, T)
    load: NDArray[np.int64]  # (B, T)
    hit: NDArray[np.bool_]  # (B, A)
    start: NDArray[np.int64]  # (B, R)
    end: NDArray[np.int64]  # (B, R)
    offset: NDArray[np.int64]  # (B, R)
    owner: NDArray[np.int64]  # (B, R)
    whole: NDArray[np.int64]  # (B, 2)
    real: NDArray[np.float64]  # (B, 1)
    # the episode
    status: NDArray[np.int64]  # (B,)
    settled: NDArray[np.bool_]  # (B, G) storages that were chosen or passed over
    heads: NDArray[np.int64]  # (B, K) places in the lists
    placed: NDArray[np.int64]  # (B, G) storages in the order of their placement
    num_placed: NDArray[np.int64]  # (B,)
    decisions: NDArray[np.int64]  # (B,)
    candidate: NDArray[np.int64]  # (B, C) storage to place, or choice for the access
    num_candidates: NDArray[np.int64]  # (B,)
    outcome: NDArray[np.float64]  # (B, C, 4) what `place` would report
    cursor: NDArray[np.int64]  # (B,) place in program_order of the access to decide on
    forced: NDArray[np.bool_]  # (B, A) accesses that must be slow, found at dead ends
    chosen: NDArray[np.int64]  # (B, A) choices made so far
    stale: NDArray[np.bool_]  # (B, G) slow memory doesn't have the storage's contents
    lasts: NDArray[np.int64]  # (B, G) last instruction of the residency it is in, or -1


_WIDTHS: dict[str, str] = {
    **dict.fromkeys(
        ("compute", "cap", "slow_all", "slow", "fast", "used", "load"),
        "T",
    ),
    **dict.fromkeys(
        (
            "access_time",
            "access_storage",
            "access_bytes",
            "access_writes",
            "program_order",
            "hit",
            "forced",
            "chosen",
        ),
        "A",
    ),
    **dict.fromkeys(
        (
            "size",
            "copy_bytes",
            "live_in",
            "live_out",
            "benefit",
            "margin",
            "profit_share",
            "settled",
            "placed",
            "stale",
            "lasts",
        ),
        "G",
    ),
    **dict.fromkeys(("start", "end", "offset", "owner"), "R"),
    "access_ptr": "g",
    "price_sum": "t",
    "extent": "3",
    "lists": "KG",
    "heads": "K",
    "whole": "2",
    "real": "1",
    "candidate": "C",
    "outcome": "C4",
}
_FLOATS = {
    *("compute", "cap", "slow_all", "access_bytes", "copy_bytes", "slow_us", "fast_us", "benefit"),
    *("price_sum", "margin", "profit_share", "pressure", "first_latency", "least_latency"),
    *("slow", "fast", "used", "real", "outcome"),
}
_BOOLS = {"access_writes", "live_in", "live_out", "hit", "settled", "forced", "stale"}


def empty_state(slots: int, instructions: int, storages: int, accesses: int) -> State:
    """Zeroed arrays with room for programs up to the given sizes."""
    widths = {"T": instructions, "t": instructions + 1, "G": storages, "g": storages + 1}
    widths |= {"A": accesses, "R": accesses + 1, "K": NUM_LISTS, "C": MOST_CANDIDATES}
    widths |= {"1": 1, "2": 2, "3": 3, "4": 4}
    arrays: dict[str, Any] = {}
    for name in State._fields:
        kind: type = np.bool_ if name in _BOOLS else np.float64 if name in _FLOATS else np.int64
        shape = (slots, *(widths[letter] for letter in _WIDTHS.get(name, "")))
        arrays[name] = np.zeros(shape, kind)
    return State(**arrays)


def grow_state(state: State, instructions: int, storages: int, accesses: int) -> State:
    """The same state with room for larger programs; itself where there already is."""
    slots, have_t = state.compute.shape
    have = (have_t, state.size.shape[1], state.hit.shape[1])
    need = (instructions, storages, accesses)
    if all(h >= n for h, n in zip(have, need, strict=True)):
        return state
    t, g, a = (max(h, n) for h, n in zip(have, need, strict=True))
    larger = empty_state(slots, t, g, a)
    for old, new in zip(state, larger, strict=True):
        new[tuple(slice(0, n) for n in old.shape)] = old
    return larger


@kernel(entry=False)
def problem_at(s: State, b: int) -> Problem:
    """The program of a slot, as views."""
    t, g = s.extent[b, NUM_INSTRUCTIONS], s.extent[b, NUM_STORAGES]
    a = s.extent[b, NUM_ACCESSES]
    return Problem(
        s.compute[b, :t],
        s.cap[b, :t],
        s.access_ptr[b, : g + 1],
        s.access_time[b, :a],
        s.access_storage[b, :a],
        s.access_bytes[b, :a],
        s.access_writes[b, :a],
        s.program_order[b, :a],
        s.size[b, :g],
        s.copy_bytes[b, :g],
        s.live_in[b, :g],
        s.live_out[b, :g],
        s.slow_all[b, :t],
        s.capacity[b],
        s.slow_us[b],
        s.fast_us[b],
    )


@kernel(entry=False)
def arena_at(s: State, b: int) -> Arena:
    """The mapping of a slot, as views."""
    return Arena(
        s.slow[b],
        s.fast[b],
        s.used[b],
        s.load[b],
        s.hit[b],
        s.start[b],
        s.end[b],
        s.offset[b],
        s.owner[b],
        s.whole[b],
        s.real[b],
    )
