"""Settings of a baseline's knobs, tried on validation instances until the time is up.

Successive halving (Jamieson and Talwalkar 2016): all settings are judged on a few instances, the best
third on twice as many, and so on. Whatever is left has been judged on the same instances, so that
differences are paired; the defaults stay to the end, to tell what tuning gained.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.clock import wall_s
from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.core.errors import InputError
from graphsched.training.paired import Estimate, Kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from graphsched.envs.core.domain import Domain
    from graphsched.envs.core.knobs import Settings

    Floats = NDArray[np.float64]

KEPT = 3  # one of so many goes on
FEWEST = 8  # settings that all go on: the table at the end
ROUNDS = 4  # numbers of instances after which settings are dropped, each twice the one before
TIMED = 8  # settings that tell how long one takes
LEAST = 2  # instances, or nothing is told
TINY = 1e-9


@dataclass(frozen=True)
class Row:
    """A setting that was judged to the end.

    Attributes:
        settings: of all knobs.
        mean_cost: weighted mean over kinds of instances, in the objective's unit.
        to_best: its difference to the best setting, instance by instance: in percent of the
            defaults' cost, or in the objective's unit where ratios say nothing; and its error.
        to_default: the same to the defaults.
    """

    settings: Settings
    mean_cost: float
    to_best: Estimate
    to_default: Estimate


@dataclass(frozen=True)
class Sweep:
    """What was found.

    Attributes:
        rows: settings that are left, the best first.
        grid: settings that there are.
        tried: settings that were judged at all.
        judged: instances that each row was judged on.
        minutes: by the clock on the wall.
    """

    rows: list[Row]
    grid: int
    tried: int
    judged: int
    minutes: float


@dataclass
class _Race:
    """Costs so far.

    Attributes:
        domain: of the instances.
        baseline: name.
        settings: S of them, the defaults first.
        instances: I of them, the kinds in turn.
        kinds: of the instances.
        until: when the time is up, by `wall_s`.
        costs: (S, I) float64, NaN where a setting was not judged.
    """

    domain: Domain[Any, Any]
    baseline: str
    settings: Sequence[Settings]
    instances: Sequence[Any]
    kinds: Kinds
    until: float
    costs: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.costs = np.full((len(self.settings), len(self.instances)), np.nan)

    def judge(self, s: int, i: int) -> None:
        """One setting on one instance."""
        options = SolverOptions(settings=self.settings[s])
        instance = self.instances[i]
        solution = self.domain.baseline(self.baseline, options)(instance)
        self.costs[s, i] = self.domain.cost(instance, solution)

    def judge_all(self, alive: Sequence[int], i: int) -> bool:
        """Settings on an instance, unless the time is up before the last of them."""
        for s in alive:
            if np.isnan(self.costs[s, i]):
                if wall_s() > self.until:
                    return False
                self.judge(s, i)
        return True

    def scores(self, s: int, n: int) -> Floats:
        """(n,) what a setting is judged by on the first instances."""
        if not self.domain.cost_ratios:
            return self.costs[s, :n]
        return 100.0 * self.costs[s, :n] / np.maximum(self.costs[0, :n], TINY)

    def kinds_of(self, n: int) -> Kinds:
        """Of the first n instances."""
        return Kinds(self.kinds.labels[:n], self.kinds.weights)

    def ranked(self, alive: Sequence[int], n: int) -> list[int]:
        """The settings, the best on the first n instances first."""
        shares = self.kinds_of(n).shares
        return sorted(alive, key=lambda s: float(shares @ self.scores(s, n)))


def in_turn(groups: Sequence[Sequence[Any]], weights: Sequence[float]) -> tuple[list[Any], Kinds]:
    """Instances of all kinds, a kind after the other, and which is of which.

    Args:
        groups: instances of each kind.
        weights: of the kinds.
    """
    places = [(i, k) for k, group in enumerate(groups) for i in range(len(group))]
    places.sort()
    shares = np.array(weights, np.float64)
    labels = np.array([k for _, k in places], np.int64)
    return [groups[k][i] for i, k in places], Kinds(labels, shares / shares.sum())


def sweep(
    domain: Domain[Any, Any],
    baseline: str,
    settings: Sequence[Settings],
    instances: Sequence[Any],
    kinds: Kinds,
    minutes: float,
    seed: int = 0,
    watch: Callable[[str], None] = lambda line: None,
) -> Sweep:
    """Judge settings until one is found or the time is up.

    Args:
        domain: of the baseline.
        baseline: its name.
        settings: all that there are, the defaults first; if the time isn't enough for them, as many
            as it is enough for are drawn at random.
        instances: to judge them on, the kinds in turn, see `in_turn`.
        kinds: of the instances.
        minutes: by the clock on the wall.
        seed: of the draws.
        watch: told of what is done.

    Raises:
        InputError: the time is up before two settings were judged on two instances.
    """
    began = wall_s()
    until = began + 60.0 * minutes
    kinds_count = len(kinds.weights)
    first = max(LEAST, kinds_count, len(instances) // 2 ** (ROUNDS - 1))
    sample = [settings[k] for k in np.linspace(0, len(settings) - 1, TIMED).astype(int)]
    pace = _pace(_Race(domain, baseline, sample, instances, kinds, until))
    chosen = _drawn(settings, _affordable((until - wall_s()) / pace, first, len(instances)), seed)
    if len(chosen) < 2:
        raise InputError("--minutes", _too_short(minutes, len(settings)))
    watch(f"{len(settings)} settings, {len(chosen)} tried, {1e3 * pace:.0f} ms each")
    race = _Race(domain, baseline, chosen, instances, kinds, until)
    alive, judged = _run(race, first, watch)
    if judged < max(LEAST, kinds_count) or len(alive) < 2:
        raise InputError("--minutes", _too_short(minutes, len(settings)))
    rows = _rows(race, alive, judged)
    return Sweep(rows, len(settings), len(chosen), judged, (wall_s() - began) / 60.0)


def _too_short(minutes: float, settings: int) -> str:
    remedy = "give more, or sweep fewer values with --knob"
    return f"{minutes:g} are not enough to compare {settings} settings; {remedy}"


def _pace(race: _Race) -> float:
    """Seconds that a setting takes for an instance, on average over some of them.

    The defaults are judged twice: the first time may load what is needed.
    """
    race.judge(0, 0)
    spent = []
    for s in range(len(race.settings)):
        began = wall_s()
        race.judge(s, 0)
        spent.append(wall_s() - began)
        if wall_s() > race.until:
            break
    return max(float(np.mean(spent)), TINY)


def _affordable(judgements: float, first: int, instances: int) -> int:
    """Settings that there is time for: about two judgements of each of the first instances."""
    rest = max(judgements - FEWEST * instances, 0.5 * judgements)
    return int(rest / (2 * first))


def _drawn(settings: Sequence[Settings], number: int, seed: int) -> list[Settings]:
    """The defaults and others at random, in the order of the grid; all if there is time."""
    if number >= len(settings):
        return list(settings)
    rng = np.random.default_rng([seed, 0x73776570])
    others = rng.choice(
        np.arange(1, len(settings)), max(min(number - 1, len(settings) - 1), 0), False
    )
    return [settings[0], *(settings[int(k)] for k in np.sort(others))]


def _run(race: _Race, first: int, watch: Callable[[str], None]) -> tuple[list[int], int]:
    """Settings that are left, and the number of instances that all of them were judged on."""
    alive, cut = list(range(len(race.settings))), first
    for i in range(len(race.instances)):
        if not race.judge_all(alive, i):
            watch(f"the time is up after {i} of {len(race.instances)} instances")
            return alive, i
        if i + 1 == cut < len(race.instances):
            cut *= 2
            kept = race.ranked(alive, i + 1)[: max(FEWEST, len(alive) // KEPT)]
            alive = sorted({0, *kept})
            watch(f"{i + 1} instances: {len(alive)} settings go on")
    return alive, len(race.instances)


def _rows(race: _Race, alive: Sequence[int], judged: int) -> list[Row]:
    kinds = race.kinds_of(judged)
    ranked = race.ranked(alive, judged)
    best, default = race.scores(ranked[0], judged), race.scores(0, judged)
    return [
        Row(
            race.settings[s],
            kinds.estimate(race.costs[s, :judged]).mean,
            kinds.estimate(race.scores(s, judged) - best),
            kinds.estimate(race.scores(s, judged) - default),
        )
        for s in ranked
    ]


def document(
    domain: Domain[Any, Any],
    baseline: str,
    found: Sweep,
    instances: Mapping[str, float],
    count: int,
    seed: int,
) -> dict[str, Any]:
    """What a file of settings says, see `envs.core.knobs.read_settings`."""
    table = [
        {
            "settings": dict(row.settings),
            "mean_cost": round(row.mean_cost, 6),
            "to_best": round(row.to_best.mean, 6),
            "to_best_se": None if row.to_best.se is None else round(row.to_best.se, 6),
        }
        for row in found.rows
    ]
    return {
        "schema": 1,
        "domain": domain.name,
        "baseline": baseline,
        "settings": dict(found.rows[0].settings),
        "method": "successive halving on validation instances (graphsched tune)",
        "instances": dict(instances),
        "count": count,
        "seed": seed,
        "minutes": round(found.minutes, 4),
        "grid": found.grid,
        "tried": found.tried,
        "judged": found.judged,
        "objective": domain.objective,
        "mean_cost": table[0]["mean_cost"],
        "table": table,
    }
