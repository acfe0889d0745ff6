"""Every domain keeps the contract, the one outside the package included."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphsched.envs.core.registry import domain_names, get_domain
from graphsched.envs.core.testing import CHECKS, check_domain
from tests.toy_domain import DOMAIN as CREW

# What would otherwise be played for a minute: hundreds of decisions that show nothing new.
SIZES = {
    "memory": {
        "random": "2..4@8",
        **dict.fromkeys(("residual", "attention"), "2@8"),
        **dict.fromkeys(("residual-training", "attention-training"), "1@8"),
    },
    "batching": {"mixed": "24", "hetero": "24", "tree": "16", "pools": "8"},
    "soc": dict.fromkeys(("ds3gym", "ds3gym-mix", "ds3-default-soc"), "0.5@400"),
}


def test_checks_are_not_forgotten() -> None:
    """Every check that is written is called."""
    from graphsched.envs.core.testing import data, observations, simulation, solvers, states

    written = {
        function
        for module in (data, observations, simulation, solvers, states)
        for name, function in vars(module).items()
        if name.startswith("check_") and function.__module__ == module.__name__
    }
    assert written == set(CHECKS)


@pytest.mark.parametrize("name", domain_names())
def test_registered_domain_keeps_the_contract(name: str) -> None:
    """A domain of the package, or of an installed one."""
    domain = get_domain(name)
    assert domain.name == name
    check_domain(domain, num_instances=1, sizes=SIZES.get(name))


@pytest.mark.parametrize("name", domain_names())
def test_another_instance_of_a_known_one_s_name_has_no_best(name: str) -> None:
    """A file named as the toy was 36% below its optimum."""
    domain = get_domain(name)
    rng = np.random.default_rng(1)
    toy: Any = domain.generators["toy"](rng, "")
    kind = next(kind for kind in domain.generators if kind != "toy")
    other = domain.generators[kind](rng, "")
    assert domain.best_known(replace(other, name=toy.name)) is None


def test_toy_domains_checker_rejects_every_shifted_run() -> None:
    """Moving, speeding up or reassigning any run breaks a rule or the claimed cost."""
    instance: Any = CREW.generators["random"](np.random.default_rng(0), "4x2")
    solution = CREW.baseline("first")(instance)
    assert not CREW.check(instance, solution)
    for i, run in enumerate(solution.runs):
        for wrong in (
            replace(run, start=run.start - 50, end=run.end - 50),
            replace(run, end=run.end + 1),
            replace(run, task=run.task + 1),
            replace(run, worker=9),
        ):
            runs = (*solution.runs[:i], wrong, *solution.runs[i + 1 :])
            assert CREW.check(instance, replace(solution, runs=runs)), wrong
    assert CREW.check(instance, replace(solution, flow=solution.flow - 1))[0].kind == "cost"


def test_toy_domain_keeps_the_contract() -> None:
    """Growing graphs, pairs, a defer action and two kinds of decision need no special case."""
    check_domain(CREW, num_instances=4)
