"""Every decoding gives feasible solutions, more search never a worse one, in any domain."""

from time import perf_counter
from typing import Any

import numpy as np
import pytest

from graphsched.agents.decoding import beam as beam_module
from graphsched.agents.decoding import search
from graphsched.agents.decoding.search import Decoding, policy_solver
from graphsched.envs.core.domain import Domain
from graphsched.envs.core.errors import InputError
from graphsched.envs.jobshop import DOMAIN as JOBSHOP
from graphsched.envs.jobshop.instance import JobShopInstance
from tests.agents.untrained import UntrainedPolicy
from tests.toy_domain import DOMAIN as CREW

CASES: dict[str, tuple[Domain[Any, Any], str]] = {"jobshop": (JOBSHOP, "6x4"), "crew": (CREW, "")}
DECODINGS = {
    "greedy": {},
    "samples": {"samples": 9},
    "beam": {"beam": 5},
    "stochastic": {"beam": 5, "stochastic": True},
}


class Case:
    """A domain, instances and a policy with random weights."""

    def __init__(self, domain: Domain[Any, Any], size: str) -> None:
        self.domain = domain
        self.policy = UntrainedPolicy(domain)
        generate = domain.generators["uniform" if "uniform" in domain.generators else "random"]
        self.instances = [generate(np.random.default_rng(s), size) for s in range(3)]
        self.symmetry = next(iter(domain.symmetries))

    def solve(self, instance: Any, decoding: Decoding) -> Any:
        return policy_solver(self.domain, self.policy, decoding)(instance)  # type: ignore[arg-type]

    def cost(self, instance: Any, decoding: Decoding) -> float:
        return self.domain.cost(instance, self.solve(instance, decoding))


@pytest.fixture(scope="module", params=sorted(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    return Case(*CASES[request.param])


@pytest.fixture(scope="module")
def shop() -> Case:
    return Case(*CASES["jobshop"])


@pytest.mark.parametrize("name", DECODINGS)
@pytest.mark.parametrize("views", [False, True])
def test_solutions_are_feasible_and_never_worse_than_greedy(
    case: Case, name: str, views: bool
) -> None:
    symmetries = (case.symmetry,) if views else ()
    decoding = Decoding(**DECODINGS[name], symmetries=symmetries)  # type: ignore[arg-type]
    for instance in case.instances:
        solution = case.solve(instance, decoding)
        assert case.domain.check(instance, solution) == []
        assert case.domain.cost(instance, solution) <= case.cost(instance, Decoding())


@pytest.mark.parametrize("symmetries", [(), ("reverse",)])
def test_more_samples_never_hurt_and_some_help(shop: Case, symmetries: tuple[str, ...]) -> None:
    improved = 0
    for instance in shop.instances:
        counts = (1, 2, 5, 40, 80)
        costs = [shop.cost(instance, Decoding(n, symmetries=symmetries)) for n in counts]
        assert costs == sorted(costs, reverse=True)
        improved += costs[-1] < costs[0]
    assert improved


def test_chunks_do_not_change_the_samples(shop: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    decoding = Decoding(samples=70, seed=3)
    whole = shop.solve(shop.instances[0], decoding)
    monkeypatch.setattr(search, "CHUNK", 9)
    parts = shop.solve(shop.instances[0], decoding)
    np.testing.assert_array_equal(whole.start, parts.start)


def test_seeds_draw_other_samples(shop: Case) -> None:
    instance = shop.instances[0]
    hot = [Decoding(samples=2, temperature=50.0, seed=s) for s in range(8)]
    assert len({shop.cost(instance, decoding) for decoding in hot}) > 1
    assert shop.cost(instance, hot[0]) == shop.cost(instance, hot[0])


@pytest.mark.parametrize(
    ("domain", "options"),
    [(JOBSHOP, {"delay_window": "active"}), (CREW, {})],  # others exclude the job shop's optimum
    ids=["jobshop", "crew"],
)
def test_a_wide_beam_finds_the_optimum_of_the_toy(
    domain: Domain[Any, Any], options: dict[str, Any]
) -> None:
    instance = domain.generators["toy"](np.random.default_rng(0), "")
    policy = UntrainedPolicy(domain)
    policy.simulator_options = domain.options(**options)
    solver = policy_solver(domain, policy, Decoding(beam=400))  # type: ignore[arg-type]
    assert domain.cost(instance, solver(instance)) == pytest.approx(domain.toy_optimum)


def test_the_other_view_is_decoded_too(shop: Case) -> None:
    mirrored = JOBSHOP.symmetries["reverse"]
    better = 0
    for seed in range(12):
        instance = JOBSHOP.generators["uniform"](np.random.default_rng(seed), "6x4")
        forward = shop.cost(instance, Decoding())
        backward = shop.cost(mirrored.apply(instance), Decoding())
        both = shop.cost(instance, Decoding(symmetries=("reverse",)))
        assert both == min(forward, backward)
        better += backward < forward
    assert better


def test_a_symmetry_that_does_not_hold_is_left_out(shop: Case) -> None:
    plain = shop.instances[0]
    late = np.arange(plain.num_jobs)
    instance = JobShopInstance(
        "late", plain.job_ptr, plain.machine, plain.duration, plain.num_machines, late
    )
    decoding = Decoding(symmetries=("reverse",))
    assert shop.cost(instance, decoding) == shop.cost(instance, Decoding())


def test_time_limit_is_kept_and_used(shop: Case) -> None:
    instance = shop.instances[0]
    shop.solve(instance, Decoding(samples=2))  # compiled by now
    begun = perf_counter()
    limited = shop.cost(instance, Decoding(time_limit_s=0.5, symmetries=("reverse",)))
    assert 0.45 < perf_counter() - begun < 2.0
    assert limited <= shop.cost(instance, Decoding(samples=8, symmetries=("reverse",)))
    tiny = Decoding(beam=64, time_limit_s=1e-6)
    assert shop.cost(instance, tiny) == shop.cost(instance, Decoding())


def test_unknown_symmetry(shop: Case) -> None:
    with pytest.raises(InputError, match=r"'mirror'.*reverse"):
        policy_solver(JOBSHOP, shop.policy, Decoding(symmetries=("mirror",)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("samples", {"samples": 0}),
        ("beam", {"beam": -1}),
        ("samples", {"beam": 4, "samples": 4}),
        ("stochastic", {"stochastic": True}),
        ("temperature", {"temperature": 0.0}),
        ("temperature", {"temperature": float("nan")}),
        ("time_limit_s", {"time_limit_s": 0.0}),
        ("seed", {"seed": -1}),
    ],
)
def test_senseless_decodings_are_refused(field: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"^{field}:"):
        Decoding(**wrong)


def test_perturbed_children_have_their_parents_maximum() -> None:
    rng = np.random.default_rng(0)
    ptr = np.array([0, 1, 4, 9])
    parents = np.array([-1.0, 0.5, 30.0])
    log_prob = beam_module._log_softmax(rng.normal(size=9).astype(np.float32), ptr) - 2.0
    keys = beam_module._perturbed(log_prob, parents, ptr, rng)
    np.testing.assert_allclose(np.maximum.reduceat(keys, ptr[:-1]), parents)
    assert np.isfinite(keys).all()


def test_two_steps_of_a_stochastic_beam_sample_without_replacement() -> None:
    """Frequencies of (first, second) best leaf of a two-level tree, against their definition."""
    rng = np.random.default_rng(0)
    first = np.log([0.6, 0.4])
    second = np.log([[0.7, 0.3], [0.2, 0.8]])
    leaves = (first[:, None] + second).ravel()
    ptr = np.array([0, 2, 4])
    draws = 20_000
    seen = np.zeros((4, 4))
    for _ in range(draws):
        top = beam_module._perturbed(first, np.zeros(1), np.array([0, 2]), rng)
        keys = beam_module._perturbed(leaves, top, ptr, rng)
        order = np.argsort(-keys)
        seen[order[0], order[1]] += 1
    p = np.exp(leaves)
    expected = p[:, None] * p[None, :] / (1 - p[:, None])
    np.fill_diagonal(expected, 0.0)
    np.testing.assert_allclose(seen / draws, expected, atol=0.015)
