"""Struct-of-arrays states: what follows from their declaration, and what growing and copying keep."""

from __future__ import annotations

from types import GenericAlias
from typing import Annotated, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphsched.envs.core.arrays import (
    Bools,
    Floats,
    Ints,
    Records,
    _scalar,
    arrays_of,
    copy_slots,
    empty,
    from_plain,
    grown,
    plain_arrays,
    sizes_of,
    write,
)

ROW = np.dtype([("count", np.int64), ("time", np.float64)])


class State(NamedTuple):
    """B slots, J jobs, M machines."""

    status: Annotated[Ints, "B"]
    ptr: Annotated[Ints, "B", "J+1"]
    busy: Annotated[Bools, "B", "M", 2]
    time: Annotated[Floats, "B", "J", "M"]
    row: Annotated[Records, ROW, "B", "J"]


SIZES = st.fixed_dictionaries({letter: st.integers(1, 4) for letter in "BJM"})


def filled(sizes: dict[str, int]) -> State:
    """A state in which every number tells its place."""
    state = empty(State, sizes)
    for array in (state.status, state.ptr, state.time, state.row["count"], state.row["time"]):
        array[...] = 1 + np.arange(array.size).reshape(array.shape)
    state.busy[:, ::2] = True
    return state


@given(SIZES)
def test_dtypes_and_shapes_are_those_declared(sizes):
    state = empty(State, sizes)
    b, j, m = sizes["B"], sizes["J"], sizes["M"]
    assert [a.shape for a in state] == [(b,), (b, j + 1), (b, m, 2), (b, j, m), (b, j)]
    assert [a.dtype for a in state] == [np.int64, np.int64, np.bool_, np.float64, ROW]
    assert all(not array.astype(bool).any() for array in state[:4])
    assert sizes_of(state) == sizes


@given(SIZES, SIZES)
def test_growing_keeps_what_was_there_and_adds_zeros(sizes, need):
    state = filled(sizes)
    larger = grown(state, need)
    assert sizes_of(larger) == {k: max(size, need[k]) for k, size in sizes.items()}
    for old, new in zip(state, larger, strict=True):
        inside = tuple(slice(0, n) for n in old.shape)
        assert np.array_equal(new[inside], old)
        outside = new.copy()
        outside[inside] = np.zeros((), outside.dtype)
        assert outside.tobytes() == bytes(outside.nbytes)


def test_a_state_with_room_is_not_copied():
    state = filled({"B": 2, "J": 3, "M": 2})
    assert grown(state, {"J": 3}) is state
    assert grown(state, {"J": 4}) is not state


@given(SIZES)
def test_plain_arrays_hold_all_bits_and_share_none(sizes):
    state = filled(sizes)
    plain = plain_arrays(state)
    assert all(array.dtype.names is None for array in plain.values())
    back = from_plain(State, plain)
    for one, other in zip(state, back, strict=True):
        assert one.dtype == other.dtype
        assert one.tobytes() == other.tobytes()
    plain["status"][...] = -1
    back.time[...] = -1.0
    assert (state.status > 0).all()
    assert (state.time > 0).all()


def test_slots_can_be_swapped():
    state = filled({"B": 3, "J": 2, "M": 1})
    before = [array.copy() for array in state]
    copy_slots(state, [0, 2], [2, 0])
    for old, new in zip(before, state, strict=True):
        assert np.array_equal(new[[2, 1, 0]], old)


def test_writing_fills_first_places_by_arrays_and_all_places_by_single_values():
    state = empty(State, {"B": 2, "J": 3, "M": 2})
    write(state, 1, {"ptr": [5, 6], "time": np.full((1, 2), 2.0), "status": 7, "busy": True})
    assert state.ptr.tolist() == [[0, 0, 0, 0], [5, 6, 0, 0]]
    assert state.time[1].tolist() == [[2, 2], [0, 0], [0, 0]]
    assert state.status.tolist() == [0, 7]
    assert state.busy[1].all()
    assert not state.busy[0].any()


def test_too_much_to_write_is_refused():
    state = empty(State, {"B": 1, "J": 1, "M": 1})
    with pytest.raises(ValueError, match="broadcast"):
        write(state, 0, {"ptr": [1, 2, 3]})


class Whole(NamedTuple):
    """A state of two parts."""

    near: State
    far: State


@given(SIZES, SIZES, SIZES)
def test_parts_have_sizes_of_their_own(near, far, need):
    state = Whole(filled(near), filled(far))
    assert sizes_of(state) == {"near": near, "far": far}
    larger = grown(state, {"far": need})
    assert sizes_of(larger) == {"near": near, "far": {k: max(n, need[k]) for k, n in far.items()}}
    assert all(np.array_equal(a, b) for a, b in zip(larger.near, state.near, strict=True))
    back = from_plain(Whole, plain_arrays(state))
    for one, other in zip(arrays_of(state), arrays_of(back), strict=True):
        assert one.tobytes() == other.tobytes()


def test_scalars_of_arrays_are_found_in_the_aliases_of_every_numpy() -> None:
    """Up to NumPy 2.4 ``NDArray`` stands for a tuple and a dtype, then for the scalar alone."""
    assert _scalar(Ints) == np.int64
    assert (
        _scalar(GenericAlias(np.ndarray, (tuple, GenericAlias(np.dtype, (np.bool_,))))) == np.bool_
    )
    assert _scalar(GenericAlias(np.ndarray, (np.float64,))) == np.float64
