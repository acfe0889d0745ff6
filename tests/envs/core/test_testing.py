"""`check_domain` says what is wrong: each test breaks one promise of a domain that keeps all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from graphsched.envs.core.domain import Symmetry
from graphsched.envs.core.graph import features
from graphsched.envs.core.knobs import Knob
from graphsched.envs.core.registry import get_domain
from graphsched.envs.core.testing import check_domain
from graphsched.envs.core.testing.play import Cases
from graphsched.envs.core.testing.simulation import check_following
from tests.toy_domain import DOMAIN as CREW
from tests.toy_domain.simulator import CrewSim

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphsched.envs.core.domain import Domain
    from graphsched.envs.core.graph import PackedObs
    from graphsched.envs.core.sim import StepResult


def assert_rejected(domain: Domain[Any, Any], message: str) -> None:
    """The check fails with this message."""
    with pytest.raises(AssertionError, match=message):
        check_domain(domain, num_instances=1)


def simulate(**methods: Any) -> Domain[Any, Any]:
    """The toy domain with a simulator in which some methods are replaced."""
    return replace(CREW, simulator=type("BrokenSim", (CrewSim,), methods))


def observing(change: Callable[[PackedObs], Any]) -> Domain[Any, Any]:
    """The toy domain with altered observations."""

    def observe(self: CrewSim) -> PackedObs:
        obs = CrewSim.observe(self)
        change(obs)
        return obs

    return simulate(observe=observe)


def stepping(change: Callable[[CrewSim, StepResult], StepResult]) -> Domain[Any, Any]:
    """The toy domain with altered results of steps."""

    def step(self: CrewSim, actions: Any) -> StepResult:
        return change(self, CrewSim.step(self, actions))

    return simulate(step=step)


def _put(obs: Any, key: str, value: Any) -> None:
    obs[key] = value(obs[key])


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("candidate", lambda a: a.astype(np.float64), "candidate is float64, expected float32"),
        ("candidate", lambda a: a * np.float32(np.nan), "candidate has values that are not finite"),
        ("context", lambda a: a[:, :1], "context has shape"),
        ("kind", lambda a: a + 2, "kinds"),
        ("slot", lambda a: a[::-1].copy(), "slots"),
        ("candidate_ptr", lambda a: a + 1, "candidate_ptr starts at 1"),
        ("candidate_node", lambda a: a[:, ::-1].copy(), "not all are nodes of type 'task'"),
        ("candidate_resource", lambda a: a + 1, "candidate_resource"),
        ("resource_node", lambda a: a - 2, "resource_node"),
    ],
)
def test_wrong_observations(key: str, value: Any, message: str) -> None:
    """Types, shapes, pointers and references."""
    assert_rejected(observing(lambda obs: _put(obs, key, value)), message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _, r: replace(r, rewards=-r.rewards), "but returns"),
        (lambda _, r: replace(r, rewards=r.rewards**2), "but returns"),
        (lambda _, r: replace(r, rewards=r.rewards - 1.0), "affine function"),
        (lambda _, r: replace(r, rewards=r.rewards * np.nan), "rewards"),
        (lambda _, r: replace(r, elapsed=-1.0 - r.elapsed), "time runs back"),
        (lambda s, r: replace(r, rewards=r.rewards + 1e-3 * s.num_slots), "slot|affine|alone"),
    ],
    ids=["negated", "squared", "per step", "nan", "time", "per slot"],
)
def test_wrong_results(change: Any, message: str) -> None:
    """Rewards must tell costs apart, and time must not run back."""
    assert_rejected(stepping(change), message)


def test_claimed_costs_that_are_not_the_checkers() -> None:
    """Costs of the simulator and of the solution must agree."""
    assert_rejected(simulate(costs=lambda self: CrewSim.costs(self) + 1), "is")


def test_knobs_whose_defaults_are_not_what_holds() -> None:
    """The solver has another one where nothing is said."""
    knobs = {"rank": Knob((0, 1, 2), default=0)}
    wrong = replace(CREW.baselines["ranked"], knobs=knobs)
    domain = replace(CREW, baselines={**CREW.baselines, "ranked": wrong})
    assert_rejected(domain, "ranked: the defaults of its knobs")


def test_graphs_that_are_never_released() -> None:
    """A store that fills up."""
    assert_rejected(simulate(_release=lambda self, b: self._graphs.__setitem__(b, {})), "graphs")


def test_clipped_actions() -> None:
    """Wrong actions must be refused, not bent."""

    def step(self: CrewSim, actions: Any) -> StepResult:
        counts = np.diff(self.observe()["candidate_ptr"])
        return CrewSim.step(self, np.resize(actions, len(counts)) % counts)

    assert_rejected(simulate(step=step), "expected IndexError")


def test_state_that_is_still_alive() -> None:
    """What `state_dict` returns must not change with the simulator."""

    def state_dict(self: CrewSim) -> dict[str, Any]:
        return {"slots": self._slots}

    assert_rejected(simulate(state_dict=state_dict), "continued in")


def test_fork_that_reads_what_it_has_written() -> None:
    """Swapping two slots needs both to be read first."""

    def fork(self: CrewSim, sources: Any, targets: Any) -> None:
        for source, target in zip(sources, targets, strict=True):
            CrewSim.fork(self, [source], [target])

    assert_rejected(simulate(fork=fork), "swapped by fork")


def test_worlds_that_depend_on_the_slot() -> None:
    """Equal seeds must give equal worlds, whichever slot plays."""

    def reset(self: CrewSim, slots: Any, instances: Any, seeds: Any) -> None:
        CrewSim.reset(self, slots, instances, [b + s for b, s in zip(slots, seeds, strict=True)])

    assert_rejected(simulate(reset=reset), "alone and in a batch|affine|fork")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "Crew"}, "name 'Crew' is no identifier"),
        ({"env_id": "Crew"}, "env_id 'Crew'"),
        ({"toy_optimum": 14.0}, "nothing reaches the documented optimum 14"),
        ({"toy_optimum": 16.0}, "below the documented optimum 16"),
        ({"lower_bound": lambda _: 1e6}, "bound"),
        ({"check": lambda *_: ["bad"]}, "1 violations, first bad"),
        ({"readers": {"auto": lambda _: None}}, "."),
        ({"generators": {"toy": CREW.generators["toy"]}}, "there is no generator 'random'"),
        ({"symmetries": {"odd": Symmetry(lambda i: i, lambda _, s: replace(s, flow=0))}}, "cost"),
        ({"render_rgb": lambda *_: np.zeros((4, 4), np.uint8)}, "render_rgb has shape"),
        ({"render_text": lambda *_: " "}, "render_text is empty"),
        (
            {"render_html": lambda *_: "<!doctype html><script src='https://x.y/z.js'></script>"},
            "fetches something",
        ),
        ({"schema": replace(CREW.schema, context=features("one"))}, "context has shape"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else str(value)[:20],
)
def test_wrong_data(changes: dict[str, Any], message: str) -> None:
    """Names, optimum, bounds, checker, readers, symmetries, pictures, schema."""
    with pytest.raises((AssertionError, AttributeError), match=message):
        check_domain(replace(CREW, **changes), num_instances=1)


def test_solutions_that_are_not_followed() -> None:
    """Other decisions than theirs, said to be exact, or none that is."""
    jobshop: Any = get_domain("jobshop")
    instance = jobshop.generators["uniform"](np.random.default_rng(0), "4x3")
    check_following(Cases(jobshop, [instance], 0))
    for exact, message in ((True, "exact decisions lead to"), (False, "are not those of")):
        first = replace(
            jobshop, follow=lambda _, slots, __, e=exact: (0 * slots, np.full(slots.shape, e))
        )
        with pytest.raises(AssertionError, match=message):
            check_following(Cases(first, [instance], 0))
