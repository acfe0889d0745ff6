"""The arrays of all simulator slots, and the view of one slot that kernels work on."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from graphsched.envs.core.arrays import Bools, Floats, Ints
from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.memory.physics.arena import Arena
from graphsched.envs.memory.physics.orders import LISTS
from graphsched.envs.memory.physics.program import Problem
from graphsched.envs.memory.physics.search_state import SearchState

SLOW, STAY, COPY = range(3)  # choices for an access
NUM_INSTRUCTIONS, NUM_STORAGES, NUM_ACCESSES = range(3)  # of `State.extent`
NUM_LISTS = len(LISTS)
BEST_LIST = LISTS.index("best")
MOST_CANDIDATES = max(NUM_LISTS, 3)


class KnownState(NamedTuple):
    """What placing each storage would give, see `known`. B slots; G storages, A accesses."""

    outcome: Annotated[Floats, "B", "G", 4]  # what `place` would report
    at: Annotated[Ints, "B", "G"]  # number of changes by which that is so, -1 if it isn't known
    reads: Annotated[Ints, "B", "G", 2]  # instructions that it depends on
    change: Annotated[Ints, "B", "A", 2]  # instructions that changed, in the order of placing
    changes: Annotated[Ints, "B"]


class UndoState(NamedTuple):
    """What decisions of the step-wise game changed, see `undo`. B slots; A accesses, N notes.

    Of an access: as it was before the decision on it, if not said otherwise.
    """

    stale: Annotated[Bools, "B", "A"]  # of its storage, as in `State`
    lasts: Annotated[Ints, "B", "A"]  # of its storage, as in `State`
    latency: Annotated[Floats, "B", "A"]  # us
    noted: Annotated[Ints, "B", "A"]  # notes
    end: Annotated[Ints, "B", "A"]  # of the residency that it made or made longer; -1: of none
    is_new: Annotated[Bools, "B", "A"]  # whether it made that
    instruction: Annotated[Ints, "B", "N"]  # of each note
    used: Annotated[Floats, "B", "N"]  # bytes of its spare bandwidth that copies took
    notes: Annotated[Ints, "B"]  # how many there are now


class State(NamedTuple):
    """B slots; T instructions, G storages, A accesses, R = A + 1 residencies, K lists."""

    # the program, see Problem
    compute: Annotated[Floats, "B", "T"]
    cap: Annotated[Floats, "B", "T"]
    slow_all: Annotated[Floats, "B", "T"]
    access_ptr: Annotated[Ints, "B", "G+1"]
    access_time: Annotated[Ints, "B", "A"]
    access_storage: Annotated[Ints, "B", "A"]
    access_bytes: Annotated[Floats, "B", "A"]
    access_writes: Annotated[Bools, "B", "A"]
    program_order: Annotated[Ints, "B", "A"]
    size: Annotated[Ints, "B", "G"]
    copy_bytes: Annotated[Floats, "B", "G"]
    live_in: Annotated[Bools, "B", "G"]
    live_out: Annotated[Bools, "B", "G"]
    capacity: Annotated[Ints, "B"]
    alignment: Annotated[Ints, "B"]
    slow_us: Annotated[Floats, "B"]
    fast_us: Annotated[Floats, "B"]
    extent: Annotated[Ints, "B", 3]  # T, G, A of the slot's program
    # the guide, see Guide
    lists: Annotated[Ints, "B", NUM_LISTS, "G"]  # -1 after the end
    benefit: Annotated[Floats, "B", "G"]
    price_sum: Annotated[Floats, "B", "T+1"]
    margin: Annotated[Floats, "B", "G"]
    profit_share: Annotated[Floats, "B", "G"]
    worth: Annotated[Ints, "B"]  # storages in each list
    pressure: Annotated[Floats, "B"]  # their bytes / capacity
    first_latency: Annotated[Floats, "B"]  # all in slow memory
    least_latency: Annotated[Floats, "B"]  # all in fast memory
    # the mapping, see Arena
    slow: Annotated[Floats, "B", "T"]
    fast: Annotated[Floats, "B", "T"]
    used: Annotated[Floats, "B", "T"]
    load: Annotated[Ints, "B", "T"]
    hit: Annotated[Bools, "B", "A"]
    start: Annotated[Ints, "B", "A+1"]
    end: Annotated[Ints, "B", "A+1"]
    offset: Annotated[Ints, "B", "A+1"]
    owner: Annotated[Ints, "B", "A+1"]
    whole: Annotated[Ints, "B", 2]
    real: Annotated[Floats, "B", 1]
    # the episode
    status: Annotated[Ints, "B"]
    settled: Annotated[Bools, "B", "G"]  # storages that were chosen or passed over
    heads: Annotated[Ints, "B", NUM_LISTS]  # places in the lists
    placed: Annotated[Ints, "B", "G"]  # storages in the order of their placement
    num_placed: Annotated[Ints, "B"]
    decisions: Annotated[Ints, "B"]
    candidate: Annotated[Ints, "B", MOST_CANDIDATES]  # storage to place, or choice for the access
    num_candidates: Annotated[Ints, "B"]
    cursor: Annotated[Ints, "B"]  # place in program_order of the access to decide on
    forced: Annotated[Bools, "B", "A"]  # accesses that must be slow, found at dead ends
    chosen: Annotated[Ints, "B", "A"]  # choices made so far
    stale: Annotated[Bools, "B", "G"]  # slow memory doesn't have the storage's contents
    lasts: Annotated[Ints, "B", "G"]  # end of the residency it is in, or -1
    fast_stay: Annotated[Ints, "B", 3]  # start, end and offset, if the access becomes fast
    known: KnownState
    search: SearchState
    undo: UndoState


@kernel(entry=False, allocates=True)
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
        s.alignment[b],
        s.slow_us[b],
        s.fast_us[b],
    )


@kernel(entry=False, allocates=True)
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
