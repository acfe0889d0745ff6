"""Where buffers are put."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from graphsched.eval.allocation.instance import Allocation

    Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Placement:
    """Where the buffers of an allocation are.

    Attributes:
        offset: (num_buffers,) first byte of each buffer.
        height: bytes of memory that are used, the largest offset + size.
        bound: proven lower bound on any height.
    """

    offset: Ints
    height: int
    bound: int


def placement(problem: Allocation, offset: Ints, bound: int = 0) -> Placement:
    """Offsets with their height; `bound` is a proven one, the maximum load is taken anyway."""
    height = int((offset + problem.size).max())
    return Placement(offset, height, max(bound, problem.max_load))
