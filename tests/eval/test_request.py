"""Who solves where nobody is named: the shipped policy, or what does best with time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.registry import get_domain
from graphsched.eval.solvers.request import Request, request_contender


@pytest.mark.parametrize(
    ("domain", "asked", "name"),
    [
        ("jobshop", Request(), "policy default"),
        ("jobshop", Request(time_limit_s=0.5), "tabu@0.5s"),
        ("memory", Request(), "learned-search"),
        ("memory", Request(time_limit_s=0.5), "learned-search@0.5s"),
    ],
)
def test_without_a_name(domain: str, asked: Request, name: str) -> None:
    """No policy ships for memory, which once had to be known."""
    found = get_domain(domain)
    assert request_contender(found, _toy(found), asked).name == name


def test_what_only_a_policy_can_do_asks_for_one() -> None:
    """A beam of a policy that doesn't ship."""
    memory = get_domain("memory")
    with pytest.raises(InputError, match="no policy ships with the domain"):
        request_contender(memory, _toy(memory), Request(beam=4))


def _toy(domain: Any) -> Any:
    return domain.generators["toy"](np.random.default_rng(0), "")
