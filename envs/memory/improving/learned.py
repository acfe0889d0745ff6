"""``learned-search``: moves ranked by two small networks; ``move-search``, the same at random.

The first part of the time goes to moves of one storage in the order of placing, the rest to runs of
accesses that come into the mapping itself over others.
"""

from __future__ import annotations

import json
from functools import lru_cache, partial
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphsched.envs.core.clock import cpu_s, fitting
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
from graphsched.envs.memory.improving.episode import MOVE, ORDER_SHARE, RUN
from graphsched.envs.memory.improving.mapping import load
from graphsched.envs.memory.improving.orders import ORDER_MOVE
from graphsched.envs.memory.improving.scorer import Scorer, indifferent
from graphsched.envs.memory.improving.searching import (
    OFFERED,
    begin_search,
    search_orders,
    search_runs,
    settle,
)
from graphsched.envs.memory.physics.arena import LATENCY
from graphsched.envs.memory.physics.mapping import best_order, solution_of
from graphsched.envs.memory.physics.orders import order_of, scores
from graphsched.envs.memory.physics.program import problem_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from graphsched.envs.core.domain import SolverOptions
    from graphsched.envs.memory.improving.searching import Search
    from graphsched.envs.memory.instance import MemoryInstance
    from graphsched.envs.memory.physics.program import Problem
    from graphsched.envs.memory.solution import MemorySolution

    Ints = NDArray[np.int64]

PARTS = ("order_moves", "runs")


class Ranking(NamedTuple):
    """What ranks the moves of both parts, and how many are on offer."""

    order_moves: Scorer
    runs: Scorer
    offered: tuple[int, int]


RANDOM = Ranking(indifferent(len(ORDER_MOVE)), indifferent(len(EJECTION)), (1, 1))


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


NO_ORDERS = np.zeros((0, len(ORDER_MOVE)), np.float32)
NO_RUNS = np.zeros((0, len(EJECTION)), np.float32)
UNHEARD = np.zeros(0, np.float32)


def _order_part(
    p: Problem, s: Search, ranking: Ranking, cost: float, seconds: float, seed: int
) -> float:
    """Moves in the order, for so long."""
    began, done = cpu_s(), 0
    while (spent := cpu_s() - began) < seconds and len(s.order) > 1:
        tries = fitting(done, spent, seconds) if done else 1  # what one takes isn't known yet
        word = seed if done == 0 else -1
        offered = ranking.offered[0]
        cost = search_orders(
            p, s, ranking.order_moves, cost, tries, offered, word, NO_ORDERS, UNHEARD
        )
        done += tries
    return cost


def _run_part(
    p: Problem, s: Search, ranking: Ranking, cost: float, seconds: float, seed: int
) -> float:
    """Runs over others, for so long; or until nothing that is slow could be faster."""
    began, done = cpu_s(), 0
    while (spent := cpu_s() - began) < seconds:
        tries = fitting(done, spent, seconds) if done else 1  # what one takes isn't known yet
        offered = ranking.offered[1]
        cost = search_runs(p, s, ranking.runs, cost, tries, offered, seed, NO_RUNS, UNHEARD)
        seed = -1
        done += tries
        if s.ejection.opened[0] == 0:
            break
    return cost


def improve_mappings(
    ranking: Callable[[], Ranking],
    instance: MemoryInstance,
    starts: Sequence[MemorySolution],
    seconds: float,
    seed: int,
) -> MemorySolution:
    """The best mapping met from the best of given ones; see `Improver`."""
    began = cpu_s()
    p, best = problem_of(instance), min(starts, key=lambda s: s.cost)
    orders = [order for start in starts for order in orders_of(p, start)]
    return _improved(instance, p, ranking(), orders, best, seconds, seed, began)


def _improved(
    instance: MemoryInstance,
    p: Problem,
    ranking: Ranking,
    orders: Sequence[Ints],
    given: MemorySolution | None,
    seconds: float,
    seed: int,
    began: float,
) -> MemorySolution:
    """Both parts from the best of some orders, the second one from a given mapping if it is better."""
    s = begin_search(p, best_order(p, orders))
    words = np.random.SeedSequence(seed).generate_state(2).tolist()
    left = ORDER_SHARE * seconds - (cpu_s() - began)
    cost = _order_part(p, s, ranking, settle(p, s), left, words[0])
    order: Ints | None = s.order.copy()
    if given is not None and given.cost < cost:
        table = np.stack([given.storage, given.start, given.end, given.offset]).astype(np.int64)
        if not load(p, s.best, s.ejection.copies, table):
            return given
        cost, order = float(s.best.real[LATENCY]), given.order
    after = _run_part(p, s, ranking, cost, seconds - (cpu_s() - began), words[1])
    found = solution_of(s.best, order if after == cost else None)
    return found if given is None or found.cost <= given.cost else given


def _search(
    ranking: Callable[[], Ranking], options: SolverOptions
) -> Callable[[MemoryInstance], MemorySolution]:
    """From the best of the fixed orders, until the time limit."""

    def solve(instance: MemoryInstance) -> MemorySolution:
        began = cpu_s()
        p = problem_of(instance)
        orders = [order_of(row) for row in scores(p)]
        limit = options.time_limit_s
        return _improved(instance, p, ranking(), orders, None, limit, options.seed, began)

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
