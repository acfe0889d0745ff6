"""Trying candidates before one is taken: it pays, keeps to its limits, and doesn't know the future."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphsched.agents.bundles.shipped import shipped_policy
from graphsched.agents.decoding import ahead as module
from graphsched.agents.decoding.copies import outcomes, release
from graphsched.agents.decoding.options import Ahead, Decoding
from graphsched.agents.decoding.rollouts import Rollouts
from graphsched.agents.decoding.search import policy_solver
from graphsched.agents.runtime import load_policy
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.registry import get_domain
from tests.agents.untrained import UntrainedPolicy

JOBSHOP, SOC = get_domain("jobshop"), get_domain("soc")
DEFER = {"max_ready": 4, "max_lanes": 2, "pilot_steps": 0, "defer": True}


def shops(count: int = 8) -> list[Any]:
    """Small instances."""
    return [JOBSHOP.generators["uniform"](np.random.default_rng(s), "6x5") for s in range(count)]


def costs(policy: Any, ahead: Ahead | None, **options: Any) -> list[float]:
    """Of the small instances, all solutions being feasible."""
    solve = policy_solver(JOBSHOP, policy, Decoding(ahead=ahead, **options))
    found = [(instance, solve(instance)) for instance in shops()]
    assert all(JOBSHOP.check(*pair) == [] for pair in found)
    return [JOBSHOP.cost(*pair) for pair in found]


@pytest.fixture(scope="module")
def random_policy() -> Any:
    """Decides badly."""
    return UntrainedPolicy(JOBSHOP)


def test_trying_pays_and_more_of_it_pays_more(random_policy: Any) -> None:
    greedy, two, many = (costs(random_policy, a) for a in (None, Ahead(2), Ahead(5)))
    assert all(a <= b for a, b in zip(two, greedy, strict=True))
    assert np.mean(two) < 0.98 * np.mean(greedy)
    assert np.mean(many) < np.mean(two)


def test_a_policy_that_ships_gains_too() -> None:
    policy = load_policy(shipped_policy("jobshop", "fast"))
    assert np.mean(costs(policy, Ahead(3))) < np.mean(costs(policy, None))


def test_one_candidate_or_a_margin_that_nothing_reaches_leave_the_policy(
    random_policy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    greedy = costs(random_policy, None)
    assert costs(random_policy, Ahead(1)) == greedy
    monkeypatch.setattr(module._Ahead, "_keep", lambda self, slots: None)
    assert costs(random_policy, Ahead(4, margin=1e6)) == greedy
    assert costs(random_policy, Ahead(4)) != greedy


def test_what_is_known_has_one_future(random_policy: Any) -> None:
    assert costs(random_policy, Ahead(3, futures=4)) == costs(random_policy, Ahead(3))


def test_limits_are_kept(random_policy: Any) -> None:
    greedy = costs(random_policy, None)
    assert costs(random_policy, Ahead(4), time_limit_s=1e-9) == greedy
    free = costs(random_policy, Ahead(4, limit_ms=1e9))
    assert all(a <= b for a, b in zip(free, greedy, strict=True))
    assert len(costs(random_policy, Ahead(4, horizon=3, limit_ms=0.01))) == len(greedy)


def test_views_are_looked_ahead_in_too(random_policy: Any) -> None:
    both = costs(random_policy, Ahead(3), symmetries=("reverse",))
    assert all(a <= b for a, b in zip(both, costs(random_policy, Ahead(3)), strict=True))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("candidates", (0, -1, 4097)),
        ("futures", (0, 4097)),
        ("horizon", (0, -3)),
        ("margin", (-0.1, np.nan, np.inf)),
        ("limit_ms", (0.0, -1.0, np.nan)),
    ],
)
def test_what_is_out_of_range_is_named(name: str, values: tuple[float, ...]) -> None:
    for value in values:
        with pytest.raises(
            InputError, match=r"--(rollouts|futures|horizon|margin|rollout-ms): exp"
        ):
            Ahead(**{"candidates": 2, name: value})  # type: ignore[arg-type]


def test_a_domain_whose_future_cant_be_drawn_is_refused(random_policy: Any) -> None:
    with pytest.raises(InputError, match="--rollouts: domain 'jobshop' can't draw anew"):
        policy_solver(replace(JOBSHOP, redraw=None), random_policy, Decoding(ahead=Ahead(2)))
    with pytest.raises(InputError, match="--rollouts: expected neither samples nor a beam"):
        Decoding(samples=2, ahead=Ahead(2))


def _first_outcomes(policy: Any, world: Any, ahead: Ahead, domain: Any = SOC) -> list[float]:
    """What the candidates of a stream's first decisions promise, the policy deciding in it."""
    options = SOC.options(**DEFER)
    decoding = Decoding(ahead=ahead)
    rollouts = Rollouts(domain, policy, options, world, decoding)
    one = module._Ahead(domain, rollouts, decoding, np.inf)
    found = []
    for _ in range(3):  # all at time 0, where the jobs that fill the system are
        release(one._sim, np.array([0]))
        obs = one._sim.observe()
        count = int(np.diff(obs["candidate_ptr"])[0])
        slots = one._copies(count)
        actions = np.repeat(np.arange(count), ahead.futures)
        far, usual = np.full(len(slots), one._reach), np.full(len(slots), one._usual)
        costs = outcomes(domain, one._sim, one._session, slots, actions, far, usual)
        assert costs is not None
        found += costs.tolist()
        release(one._sim, np.array([0]))
        one._sim.step(np.array([0]))
        one._decision += 1
    return found


def test_outcomes_in_a_stream_dont_depend_on_what_will_come() -> None:
    """Worlds that have been alike so far look alike, whatever they hold in store."""
    policy = UntrainedPolicy(SOC)
    world = SOC.generators["ds3gym"](np.random.default_rng(0), "0.5@300")
    ahead = Ahead(9, futures=3, horizon=0.7)
    first = _first_outcomes(policy, world, ahead)
    assert first == _first_outcomes(policy, replace(world, seed=world.seed + 1), ahead)
    assert len(set(first)) > len(first) / 2


def test_without_drawing_anew_they_would() -> None:
    """What the test above would find if the copies kept the future of their world."""
    policy = UntrainedPolicy(SOC)
    world = SOC.generators["ds3gym"](np.random.default_rng(0), "0.5@300")
    seeing = replace(SOC, redraw=lambda sim, slots, seeds: True)
    ahead = Ahead(9, horizon=0.7)
    first = _first_outcomes(policy, world, ahead, seeing)
    assert first != _first_outcomes(policy, replace(world, seed=world.seed + 1), ahead, seeing)
