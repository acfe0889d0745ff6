"""A perturbed instance is valid, has a name of its own, and its original is left alone."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from graphsched.envs.core.parts.perturbing import changed, draw_factor, perturbed_name
from graphsched.envs.core.registry import domain_names, get_domain
from graphsched.envs.core.testing.data import check_perturbations
from graphsched.envs.core.testing.play import Cases
from tests.envs.parameters import DOMAINS
from tests.toy_domain import DOMAIN as CREW

DRAWS = 40  # enough for every kind of change, the rarest of which has a share of 5%


@pytest.mark.parametrize("name", DOMAINS)
def test_many_changes_in_a_row_stay_valid(name: str) -> None:
    """Whatever came before, the next change finds an instance that it can change."""
    domain = get_domain(name)
    for generator in domain.generators:
        instance: Any = domain.generators[generator](np.random.default_rng(0), "")
        assert domain.perturb is not None
        for draw in range(DRAWS):
            instance = domain.perturb(instance, np.random.default_rng([1, draw]))
        document = instance.to_json()
        assert domain.instance_from_json(json.loads(json.dumps(document))).to_json() == document
        assert domain.best_known(instance) is None


@pytest.mark.parametrize("name", domain_names())
def test_the_contract_of_a_perturbation(name: str) -> None:
    domain = get_domain(name)
    check_perturbations(Cases(domain, [domain.generators["toy"](np.random.default_rng(0), "")], 0))


def test_a_name_is_marked_once() -> None:
    assert perturbed_name("ft06") == perturbed_name(perturbed_name("ft06")) == "ft06~"


def test_kinds_are_drawn_by_their_shares() -> None:
    """A kind of share 0 never comes, and the instance that it is applied to is the one given."""
    toy: Any = CREW.generators["toy"](np.random.default_rng(0), "")
    seen: list[Any] = []

    def keep(instance: Any, rng: np.random.Generator) -> Any:
        del rng
        seen.append(instance)
        return instance

    def never(instance: Any, rng: np.random.Generator) -> Any:
        raise AssertionError("a kind of share 0 was drawn")

    rng = np.random.default_rng(0)
    found = [changed(toy, rng, ((never, 0.0), (keep, 1.0))) for _ in range(5)]
    assert seen == [toy] * 5
    assert {one.name for one in found} == {"toy~"}


def test_factors_are_as_often_above_one_as_below() -> None:
    """Log-normal: the median is 1, and the logarithms spread as they are told to."""
    rng = np.random.default_rng(0)
    logs = np.log([draw_factor(rng, 0.7) for _ in range(4000)])
    assert abs(float(np.median(logs))) < 0.05
    assert float(logs.std()) == pytest.approx(0.7, rel=0.05)
