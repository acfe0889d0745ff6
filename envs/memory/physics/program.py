"""A program as arrays, storage by storage, for kernels."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.memory.instance import MemoryInstance

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

MICRO = 1e6  # all times are in microseconds


class Problem(NamedTuple):
    """T instructions, G storages, A accesses. Accesses are sorted by storage, then by time.

    An access to a storage larger than fast memory is there too; it can't be fast.
    """

    compute: Floats  # (T,) time of the arithmetic, us
    cap: Floats  # (T,) bytes that copies can move during an instruction at the very most
    access_ptr: Ints  # (G + 1,) accesses of storage g: [ptr[g], ptr[g + 1])
    access_time: Ints  # (A,) instruction
    access_storage: Ints  # (A,)
    access_bytes: Floats  # (A,) read and written
    access_writes: Bools  # (A,)
    program_order: Ints  # (A,) accesses by instruction, in the order the program names them
    size: Ints  # (G,) bytes, a multiple of the alignment
    copy_bytes: Floats  # (G,) bytes that a copy moves
    live_in: Bools  # (G,)
    live_out: Bools  # (G,)
    slow_all: Floats  # (T,) bytes touched
    capacity: int  # bytes
    alignment: int  # of offsets, bytes
    slow_us: float  # per byte
    fast_us: float  # per byte


@lru_cache(maxsize=4096)
def problem_of(instance: MemoryInstance) -> Problem:
    """The arrays of an instance, shared by all who ask: nobody writes to them.

    They are not marked read-only, since to numba that is another type: every kernel would be
    compiled for these and again for the simulator's own.
    """
    machine = instance.machine
    instruction, storage, read, written = instance.accesses
    order = np.lexsort((instruction, storage))
    touched = (read + written).astype(np.float64)
    slow_all = np.asarray(np.bincount(instruction, touched, instance.num_instructions), np.float64)
    compute = MICRO * instance.flops / machine.flops_per_s
    fast_us = MICRO / machine.fast_bandwidth
    least = np.maximum(compute, slow_all * fast_us)
    counts = np.bincount(storage, minlength=instance.num_storages)
    size = -(-instance.size // machine.alignment) * machine.alignment
    return Problem(
        compute=compute,
        cap=least * machine.copy_bandwidth / MICRO,
        access_ptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        access_time=instruction[order],
        access_storage=storage[order],
        access_bytes=touched[order],
        access_writes=(written > 0)[order],
        program_order=np.argsort(order),
        size=size,
        copy_bytes=instance.size.astype(np.float64),
        live_in=instance.live_in.copy(),
        live_out=instance.live_out.copy(),
        slow_all=slow_all,
        capacity=machine.fast_capacity,
        alignment=machine.alignment,
        slow_us=MICRO / machine.slow_bandwidth,
        fast_us=fast_us,
    )
