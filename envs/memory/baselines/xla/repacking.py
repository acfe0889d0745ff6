"""Repacking: residencies keep their times and get new offsets, against fragmentation.

XLA's ``best_fit_repacker`` does so by its best-fit heap, the longest first, then the largest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.memory.physics.arena import RESIDENCIES, Arena, fit, insert

if TYPE_CHECKING:
    from graphsched.envs.memory.physics.program import Problem


@kernel(entry=False)
def repack(p: Problem, a: Arena, old: Arena) -> bool:
    """Place all residencies anew; all stays as it is, and the answer is no, if they don't fit.

    Args:
        p: the program.
        a: the mapping so far.
        old: a copy of it.
    """
    n = a.whole[RESIDENCIES]
    sizes, lengths = np.empty(n, np.int64), np.empty(n, np.int64)
    for r in range(n):
        sizes[r], lengths[r] = p.size[old.owner[r]], old.end[r] - old.start[r]
    by_size = np.argsort(-sizes, kind="mergesort")
    order = by_size[np.argsort(-lengths[by_size], kind="mergesort")]
    a.whole[RESIDENCIES] = 0
    a.load[:] = 0
    for r in order:
        g, start, end = old.owner[r], old.start[r], old.end[r]
        offset = fit(p, a, start, end, p.size[g])
        if offset < 0:
            a.whole[RESIDENCIES] = n
            a.load[:] = old.load
            a.start[:n], a.end[:n] = old.start[:n], old.end[:n]
            a.offset[:n], a.owner[:n] = old.offset[:n], old.owner[:n]
            return False
        insert(p, a, g, start, end, offset)
    return True
