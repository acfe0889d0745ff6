"""Checks of baselines, symmetries and pictures."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.testing.data import assert_refused
from graphsched.envs.core.testing.play import TOLERANCE, Player, play
from graphsched.envs.core.testing.simulation import assert_solution

if TYPE_CHECKING:
    from typing import Any

    from graphsched.envs.core.domain import Instance
    from graphsched.envs.core.testing.play import Cases

SAMPLES = 64
FEW = 8  # instances, where all would take long
TIME_LIMIT_S = 0.3
_FETCHES = re.compile(r"""(?:src|href)\s*=\s*["']?\s*(?:https?:)?//""", re.IGNORECASE)


def check_toy_optimum(cases: Cases) -> None:
    """Every baseline solves the toy instance, none below its optimum, and something reaches it."""
    domain, toy = cases.domain, cases.instances[0]
    optimum = domain.toy_optimum
    bound = domain.lower_bound(toy)
    assert bound <= optimum + TOLERANCE, f"toy: lower bound {bound} > optimum {optimum}"
    found = {"random play": min(_random_costs(cases, toy))}
    missing = []
    for name, baseline in domain.baselines.items():
        for samples in (1, SAMPLES):
            options = SolverOptions(seed=cases.seed, samples=samples, time_limit_s=TIME_LIMIT_S)
            try:
                solve = baseline.make(options)
            except InputError:
                missing.append(name)  # an extra that is not installed
                continue
            solution = solve(toy)
            cost = domain.cost(toy, solution)
            assert_solution(cases, toy, solution, cost)
            found[name] = min(cost, found.get(name, cost))
    below = {name: cost for name, cost in found.items() if cost < optimum - TOLERANCE}
    assert not below, f"toy: {below} below the documented optimum {optimum}"
    reached = min(found.values()) <= optimum + TOLERANCE
    assert reached or missing, f"toy: nothing reaches the documented optimum {optimum}: {found}"
    assert_refused(lambda: domain.baseline("no such baseline"), "an unknown baseline")


def _random_costs(cases: Cases, instance: Instance) -> list[float]:
    sim = cases.simulator(SAMPLES)
    sim.reset(range(SAMPLES), [instance] * SAMPLES, [cases.seed] * SAMPLES)
    episodes = play(cases, sim, Player(range(SAMPLES), cases.seed), keep_blocks=False)
    return [episode.cost for episode in episodes.values()]


def _finished(cases: Cases, instance: Instance, seed: int | None = None) -> tuple[Any, float]:
    sim = cases.simulator(1)
    sim.reset([0], [instance], [cases.seed])
    player = Player([0], cases.seed if seed is None else seed)
    episode = play(cases, sim, player, keep_blocks=False)[0]
    return episode.solution, episode.cost


def check_knobs(cases: Cases) -> None:
    """Defaults are what holds where nothing is said; every value of a knob gives a solution."""
    domain, told = cases.domain, SolverOptions(seed=cases.seed, time_limit_s=TIME_LIMIT_S)
    for name, baseline in domain.baselines.items():
        refused = replace(told, settings={"no such knob": 0})
        assert_refused(partial(domain.baseline, name, refused), f"an unknown knob of {name}")
        if not baseline.knobs:
            continue
        defaults = replace(told, settings={n: k.default for n, k in baseline.knobs.items()})
        for instance in cases.instances[:FEW]:
            plain, same = (domain.baseline(name, t)(instance).to_json() for t in (told, defaults))
            problem = f"{name}: the defaults of its knobs are not what holds without settings"
            assert plain == same or baseline.is_anytime, problem
        for settings in ({n: v} for n, k in baseline.knobs.items() for v in k.values):
            instance = cases.instances[-1]
            solution = domain.baseline(name, replace(told, settings=settings))(instance)
            assert_solution(cases, instance, solution, domain.cost(instance, solution))


def check_improvers(cases: Cases) -> None:
    """Never worse than the best start, feasible, with any number of starts and hardly any time."""
    domain = cases.domain
    for name, improver in domain.improvers.items():
        served = [i for i in cases.instances if improver.serves is None or improver.serves(i)]
        assert served, f"improver {name!r} serves none of the instances drawn"
        for instance in served:
            starts = [_finished(cases, instance, seed) for seed in (cases.seed, cases.seed + 1)]
            for given in (starts[:1], starts):
                for seconds in (1e-6, 0.02):
                    solutions = [solution for solution, _ in given]
                    found = domain.improve(name, instance, solutions, seconds, cases.seed)
                    assert_solution(cases, instance, found, domain.cost(instance, found))
        for instance in cases.instances:
            if instance not in served:
                start, _ = _finished(cases, instance)
                improve = partial(domain.improve, name, instance, [start], 0.01)
                assert_refused(improve, f"improver {name!r} on {instance.name!r}")
    assert_refused(lambda: domain.improver("no such improver"), "an unknown improver")


def check_symmetries(cases: Cases) -> None:
    """A solution of an equivalent instance becomes a feasible one of the original, no dearer."""
    for name, symmetry in cases.domain.symmetries.items():
        for instance in cases.instances:
            try:
                equivalent = symmetry.apply(instance)
            except InputError:
                continue  # this instance does not have the symmetry
            solution, cost = _finished(cases, equivalent)
            restored = symmetry.restore(instance, solution)
            derived = cases.domain.cost(instance, restored)
            assert_solution(cases, instance, restored, derived)
            dearer = derived > cost + TOLERANCE * max(1, abs(cost))
            assert not dearer, f"symmetry {name!r}, {instance.name}: {cost} becomes {derived}"


def check_pictures(cases: Cases) -> None:
    """Text, RGB and a page that fetches nothing."""
    domain, instance = cases.domain, cases.instances[0]
    solution, _ = _finished(cases, instance)
    assert domain.render_text(instance, solution).strip(), "render_text is empty"
    picture = domain.render_rgb(instance, solution)
    assert picture.dtype == np.uint8, f"render_rgb is {picture.dtype}, expected uint8"
    good = picture.ndim == 3 and picture.shape[2] == 3 and picture.size
    assert good, f"render_rgb has shape {picture.shape}, expected (height, width, 3)"
    page = domain.render_html(instance, solution)
    assert "<!doctype html" in page[:200].lower(), f"render_html begins with {page[:40]!r}"
    assert not _FETCHES.search(page), "render_html fetches something: expected one whole page"
