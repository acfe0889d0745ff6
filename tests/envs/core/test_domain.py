"""What a domain offers by name, and what it promises of views and improvers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphsched.envs.core.domain import Domain, Improver, Symmetry
from graphsched.envs.core.errors import InputError
from tests.toy_domain import DOMAIN as CREW


def _refuse(instance: Any) -> Any:
    raise InputError("instance", f"{instance.name} has no such view")


def _marked(instance: Any, solution: Any) -> Any:
    return instance.name, solution


def _first(instance: Any, starts: Any, seconds: float, seed: int) -> Any:
    del instance, seconds, seed
    return starts[0]


DOMAIN: Domain[Any, Any] = replace(
    CREW,
    symmetries={
        "renamed": Symmetry(lambda i: replace(i, name="other"), _marked),
        "never": Symmetry(_refuse, _marked),
    },
    improvers={
        "first": Improver(_first, "keeps the first"),
        "picky": Improver(_first, "serves nothing", lambda instance: False),
    },
)
BARE: Domain[Any, Any] = replace(CREW, symmetries={}, improvers={})


@pytest.fixture
def toy() -> Any:
    return DOMAIN.generators["toy"](np.random.default_rng(0), "")


def test_views_begin_with_the_instance_and_leave_out_what_does_not_hold(toy: Any) -> None:
    """Each comes with the way back to a solution of the instance itself."""
    views = DOMAIN.views(["never", "renamed"], toy)
    assert [view.name for view, _ in views] == ["toy", "other"]
    assert [restore(7) for _, restore in views] == [7, ("toy", 7)]
    assert len(DOMAIN.views([], toy)) == 1


def test_unknown_names_are_answered_with_the_known_ones(toy: Any) -> None:
    with pytest.raises(InputError, match="symmetry 'mirror': not one of renamed, never"):
        DOMAIN.views(["mirror"], toy)
    with pytest.raises(InputError, match="not one of none: this domain has no symmetry"):
        BARE.symmetry("mirror")
    with pytest.raises(InputError, match="improver 'tabu': not one of first, picky"):
        DOMAIN.improve("tabu", toy, [], 1.0)
    with pytest.raises(InputError, match="not one of none: crew has no improver"):
        BARE.improver("tabu")


def test_an_improver_is_held_to_the_best_of_its_starts(toy: Any) -> None:
    """Returning the first of them is enough only where no other is better."""
    both = [CREW.baseline(name)(toy) for name in ("first", "shortest")]
    good, bad = sorted(both, key=lambda solution: CREW.cost(toy, solution))
    assert CREW.cost(toy, good) < CREW.cost(toy, bad)
    assert DOMAIN.improve("first", toy, [good, bad], 0.1) is good
    with pytest.raises(RuntimeError, match="first made 'toy' worse"):
        DOMAIN.improve("first", toy, [bad, good], 0.1)
    with pytest.raises(InputError, match="improver 'picky': does not apply to 'toy'"):
        DOMAIN.improve("picky", toy, [good], 0.1)
