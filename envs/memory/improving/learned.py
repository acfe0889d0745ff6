"""``learned-search``: moves ranked by two small networks; ``move-search``, the same at random.

The rounds in which they are made are in `rounds`.
"""

from __future__ import annotations

import json
from functools import lru_cache, partial
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.clock import cpu_s
from graphsched.envs.core.domain import Baseline, Improver
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.documents import (
    check_head,
    check_names,
    number_row,
    read_integer,
    read_number,
)
from graphsched.envs.core.parts.hidden import HiddenRule
from graphsched.envs.core.parts.reading import parse_json, read_text, within
from graphsched.envs.memory.baselines.search import orders_of
from graphsched.envs.memory.features import CANDIDATE, FIRST_MOVE, FIRST_RUN
from graphsched.envs.memory.improving.ejections import EJECTION
from graphsched.envs.memory.improving.episode import MOVE, RUN
from graphsched.envs.memory.improving.orders import ORDER_MOVE
from graphsched.envs.memory.improving.rounds import RANDOM, Ranking, search_rounds
from graphsched.envs.memory.improving.scorer import Scorer
from graphsched.envs.memory.improving.searching import OFFERED
from graphsched.envs.memory.physics.orders import fixed_orders
from graphsched.envs.memory.physics.program import problem_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from graphsched.envs.core.domain import SolverOptions
    from graphsched.envs.memory.instance import MemoryInstance
    from graphsched.envs.memory.solution import MemorySolution

    Ints = NDArray[np.int64]

PARTS = ("order_moves", "runs")


@lru_cache(maxsize=8)
def shipped() -> Ranking:
    """The ranking of ``graphsched moves memory`` that ships."""
    with as_file(files("graphsched.envs.memory.data") / "moves.json") as path:
        return load_ranking(path)


def load_ranking(path: Path) -> Ranking:
    """A ranking from its file; raises InputError naming file and field."""
    document = parse_json(read_text(path), path)
    return within(path, lambda: _ranking(document))


def _ranking(document: Any) -> Ranking:
    check_head(document, "memory", (*PARTS, "noise"), ("method", "facts"), what="ranking")
    noise = read_number(document["noise"], "noise", 0.0)
    scorers, offered = [], []
    for part, columns in zip(PARTS, (ORDER_MOVE, EJECTION), strict=True):
        row = document[part]
        check_names(row, ("columns", "offered", "inner", "bias", "outer"), (), f"{part}.")
        names = [feature.name for feature in columns]
        if row["columns"] != names:
            raise InputError(f"{part}.columns", f"expected {names!r:.60}, found others")
        offered.append(read_integer(row["offered"], f"{part}.offered", 1, OFFERED))
        bias = number_row(row["bias"], f"{part}.bias")
        outer = number_row(row["outer"], f"{part}.outer")
        inner = [number_row(r, f"{part}.inner[{i}]") for i, r in enumerate(row["inner"])]
        if len(outer) != len(bias) or [len(r) for r in inner] != [len(bias)] * len(names):
            raise InputError(part, f"expected {len(names)} rows of {len(bias)} and as many outer")
        scorers.append(
            Scorer(
                np.array(inner, np.float32).reshape(len(names), len(bias)),
                np.array(bias, np.float32),
                np.array(outer, np.float32),
                noise,
            )
        )
    return Ranking(scorers[0], scorers[1], (offered[0], offered[1]))


def hidden_rules(path: Path) -> dict[int, HiddenRule]:
    """What a policy of moves may set out from: a ranking over all columns; see `load_ranking`."""
    ranking = load_ranking(path)
    rules = {}
    for kind, first, scorer in zip((MOVE, RUN), (FIRST_MOVE, FIRST_RUN), ranking[:2], strict=True):
        inner = np.zeros((len(CANDIDATE), len(scorer.bias)), np.float32)
        inner[first : first + len(scorer.inner)] = scorer.inner
        rules[kind] = HiddenRule(inner, scorer.bias, scorer.outer)
    return rules


def save_ranking(ranking: Ranking, facts: dict[str, Any]) -> str:
    """JSON text of a ranking, with the facts of its training."""
    document: dict[str, Any] = {"schema": 1, "domain": "memory", "noise": ranking.runs.noise}
    document["facts"] = facts
    parts = zip(PARTS, (ORDER_MOVE, EJECTION), ranking[:2], ranking.offered, strict=True)
    for part, columns, scorer, offered in parts:
        document[part] = {
            "columns": [feature.name for feature in columns],
            "offered": offered,
            **{k: getattr(scorer, k).round(5).tolist() for k in ("inner", "bias", "outer")},
        }
    return json.dumps(document) + "\n"


def improve_mappings(
    ranking: Callable[[], Ranking],
    instance: MemoryInstance,
    starts: Sequence[MemorySolution],
    seconds: float,
    seed: int,
) -> MemorySolution:
    """The best mapping met from the best of given ones; see `Improver`."""
    deadline_s = cpu_s() + seconds
    p, best = problem_of(instance), min(starts, key=lambda s: s.cost)
    orders = [order for start in starts for order in orders_of(p, start)]
    return search_rounds(p, ranking(), orders, best, deadline_s, seed)


def _search(
    ranking: Callable[[], Ranking], options: SolverOptions
) -> Callable[[MemoryInstance], MemorySolution]:
    """From the best of the fixed orders, until the time limit."""

    def solve(instance: MemoryInstance) -> MemorySolution:
        deadline_s = cpu_s() + options.time_limit_s
        p = problem_of(instance)
        orders = fixed_orders(p)
        return search_rounds(p, ranking(), orders, None, deadline_s, options.seed)

    return solve


SUMMARIES = {
    "learned-search": "moves in the order and in the mapping, ranked by what learned from such moves",
    "move-search": "the same moves at random",
}
_RANKINGS: dict[str, Callable[[], Ranking]] = {
    "learned-search": shipped,
    "move-search": lambda: RANDOM,
}
BASELINES = {
    name: Baseline(make=partial(_search, ranking), summary=SUMMARIES[name], is_anytime=True)
    for name, ranking in _RANKINGS.items()
}
IMPROVERS: dict[str, Improver[MemoryInstance, MemorySolution]] = {
    name: Improver(search=partial(improve_mappings, ranking), summary=SUMMARIES[name])
    for name, ranking in _RANKINGS.items()
}
