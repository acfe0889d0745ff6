"""A check of placements, by every pair of buffers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.eval.allocation.instance import Allocation

    Ints = NDArray[np.int64]


def check_placement(problem: Allocation, offset: Ints) -> list[str]:
    """What is wrong with offsets, one line each; none if they are valid.

    Compares every pair of buffers, and shares no code with the allocators. The capacity is not part
    of it: whether a height fits is for the caller to say.
    """
    if offset.shape != (problem.num_buffers,) or offset.dtype.kind not in "iu":
        return [
            f"expected {problem.num_buffers} integer offsets, found {offset.dtype} {offset.shape}"
        ]
    found = [
        f"buffer {problem.ids[i]!r}: offset {offset[i]} is negative"
        for i in np.flatnonzero(offset < 0)
    ]
    for i in range(problem.num_buffers):
        for j in range(i):
            together = problem.lower[i] < problem.upper[j] and problem.lower[j] < problem.upper[i]
            apart = (
                offset[i] + problem.size[i] <= offset[j] or offset[j] + problem.size[j] <= offset[i]
            )
            if together and not apart and problem.size[i] and problem.size[j]:
                found.append(f"buffers {problem.ids[j]!r} and {problem.ids[i]!r} overlap")
    return found
