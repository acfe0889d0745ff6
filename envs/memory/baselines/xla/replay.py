"""Mappings as XLA's stored solutions: the order in which its greedy heap takes up the buffers.

Facts from openxla/xla: a module's configuration has ``memory_space_assignment_config``
(``HloModuleConfigProto``), whole numbers, as many as there are buffers; the assignment sorts the
buffers by its own criterion and then takes the one of rank ``config[i]`` as the i-th
(``CustomizeSortedBufferInterval`` in ``memory_space_assignment/tuning_utils.cc``). So a stored
solution is a permutation of ranks: no time, no offset and no choice among copying and staying.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.documents import check_head, integer_row, read_integer, read_names
from graphsched.envs.memory.baselines.search import orders_of
from graphsched.envs.memory.baselines.xla.solver import ranking
from graphsched.envs.memory.physics.mapping import solve_order
from graphsched.envs.memory.physics.program import problem_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from graphsched.envs.memory.instance import MemoryInstance
    from graphsched.envs.memory.solution import MemorySolution

    Ints = NDArray[np.int64]

CONFIG = "memory_space_assignment_config"


def _names(instance: MemoryInstance) -> list[str]:
    """Of each storage in XLA's own order: that of the first of its buffers."""
    chosen = instance.representative[ranking(problem_of(instance))]
    return [instance.buffers[b].name for b in chosen.tolist()]


def order_for(instance: MemoryInstance, solution: MemorySolution) -> Ints:
    """The order from which a mapping came, or of those made of it the one that leads to the best."""
    orders = orders_of(problem_of(instance), solution)
    return min(orders, key=lambda order: solve_order(instance, order).cost)


def replay_of(instance: MemoryInstance, order: Ints) -> dict[str, Any]:
    """The document of an order; `order_in` reads it back.

    Storages that the order lacks follow it in XLA's own order, as its permutation has to be of all.
    """
    ranked = ranking(problem_of(instance))
    rank = np.empty(len(ranked), np.int64)
    rank[ranked] = np.arange(len(ranked))
    rest = ranked[~np.isin(ranked, order)]
    return {
        "schema": 1,
        "domain": "memory",
        "program": instance.name,
        "buffers": _names(instance),
        CONFIG: rank[np.concatenate([order, rest]).astype(np.int64)].tolist(),
        "placed": len(order),
    }


def order_in(instance: MemoryInstance, document: Mapping[str, Any]) -> Ints:
    """The order that a document holds; raises InputError for one of another program."""
    check_head(document, "memory", ("buffers", CONFIG, "placed"), ("program",), what="replay")
    names = _names(instance)
    if list(read_names(document["buffers"], "buffers")) != names:
        problem = f"expected the {len(names)} buffers of {instance.name!r:.40} in XLA's order"
        raise InputError("buffers", problem)
    config = integer_row(document[CONFIG], CONFIG, 0)
    if sorted(config) != list(range(len(names))):
        raise InputError(CONFIG, f"expected each of {len(names)} ranks once")
    placed = read_integer(document["placed"], "placed", 0, len(names))
    return ranking(problem_of(instance))[config[:placed]]
