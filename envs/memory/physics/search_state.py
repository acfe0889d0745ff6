"""The arrays of slots whose episodes improve a mapping; in other forms they hold next to nothing."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from graphsched.envs.core.arrays import Bools, Floats, Ints


class Mappings(NamedTuple):
    """C mappings in each of B slots; T instructions, A accesses. See `Arena`."""

    slow: Annotated[Floats, "B", "C", "T"]
    fast: Annotated[Floats, "B", "C", "T"]
    used: Annotated[Floats, "B", "C", "T"]
    load: Annotated[Ints, "B", "C", "T"]
    hit: Annotated[Bools, "B", "C", "A"]
    start: Annotated[Ints, "B", "C", "A+1"]
    end: Annotated[Ints, "B", "C", "A+1"]
    offset: Annotated[Ints, "B", "C", "A+1"]
    owner: Annotated[Ints, "B", "C", "A+1"]
    whole: Annotated[Ints, "B", "C", 2]
    real: Annotated[Floats, "B", "C", 1]


class SearchState(NamedTuple):
    """B slots; T instructions, G storages, A accesses, K proposals, C checkpoints.

    The order is `State.placed`, the best mapping the slot's own.
    """

    kept: Mappings  # the best order's, at its checkpoints
    after: Annotated[Ints, "B", "C"]
    # see Notes
    unmet: Annotated[Floats, "B", "G"]
    gained: Annotated[Floats, "B", "G"]
    served: Annotated[Floats, "B", "G"]
    peak: Annotated[Floats, "B", "G"]
    mean: Annotated[Floats, "B", "G"]
    sums: Annotated[Floats, "B", 5, "G+1"]
    tries: Annotated[Ints, "B", "G"]
    last: Annotated[Ints, "B", "G"]
    # see Ejection
    open: Annotated[Ints, "B", "A+1"]
    opened: Annotated[Ints, "B", 1]
    run: Annotated[Ints, "B", "K", 6]
    run_tries: Annotated[Ints, "B", "G"]
    # see Worths
    run_worth: Annotated[Floats, "B", "A+1"]
    run_copies: Annotated[Ints, "B", "A+1"]
    whole_worth: Annotated[Floats, "B", "G"]
    load_sum: Annotated[Floats, "B", "T+1"]
    # see Search
    moves: Annotated[Ints, "B", "K", 2]
    tally: Annotated[Ints, "B", 2]
    stream: Annotated[Ints, "B", 1]
    # the episode
    made: Annotated[Ints, "B"]  # moves and runs so far, those without a choice included
    kind: Annotated[Ints, "B"]  # of the pending decision, a number of `GraphSchema.kinds`
    idle: Annotated[Bools, "B"]  # nothing can be done: the pending decision is none
    is_placed: Annotated[Bools, "B"]  # the mapping is still that of the order
