"""Routers that look for prefixes, worked out by hand on two equal replicas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphsched.envs.batching import DOMAIN
from graphsched.envs.batching.options import Scheduler
from graphsched.envs.batching.physics.replay import serve
from tests.envs.batching.hand import shop

ROOMY = (1000, 1000)
FREE = {"group": -1, "shared": 0, "extends": 0}


def homes(requests: list[dict[str, Any]], blocks: tuple[int, int] = ROOMY, **rules: Any) -> Any:
    """Where each goes; a request is its arrival, prompt, output, and maybe group and shared."""
    rows = [{**FREE, "extends": row.get("shared", 0), **row} for row in requests]
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    prompt, output = columns.pop("prompt"), columns.pop("output")
    instance = shop(prompt, output, blocks, **columns)
    solution = serve(instance, Scheduler(**rules))
    assert DOMAIN.check(instance, solution) == []
    return solution.home.tolist()


def one(arrival_s: float, prompt: int, output: int, **more: int) -> dict[str, Any]:
    """A request."""
    return {"arrival_s": arrival_s, "prompt": prompt, "output": output, **more}


PREFIX = {"group": 0, "shared": 960}


def test_e2_exploits_a_prefix_that_saves_more_than_it_leaves() -> None:
    """0 is tied and goes to the first, whose load of 200 tokens to make sends 1 to the second.

    Of 2's prompt 960 tokens are at the busier one, 240 left: it goes there. Of 3's, 1440 are left:
    what it saves there is less than the load.
    """
    first, second = one(0.0, 1000, 200, **PREFIX), one(0.0, 1000, 4)
    later = one(20.0, 1200, 2, **PREFIX), one(20.0, 2400, 2, **PREFIX)
    assert homes([first, second, *later], router="e2") == [0, 1, 0, 1]
    assert homes([first, second, one(20.0, 1200, 2)], router="e2") == [0, 1, 1]


def test_e2_explores_where_less_is_left_to_compute() -> None:
    """Loads are equal; the half that is cached decides, though it is not more than what is left."""
    first, second = one(0.0, 1000, 4), one(0.0, 1000, 4, **PREFIX)
    assert homes([first, second, one(20.0, 1920, 2, **PREFIX)], router="e2") == [0, 1, 1]
    assert homes([first, second, one(20.0, 1920, 2)], router="e2") == [0, 1, 0]


@pytest.mark.parametrize(("window", "expected"), [(180.0, 1), (5.0, 0)])
def test_e2_forgets_loads_of_before_the_window(window: float, expected: int) -> None:
    """20 s after the first replica had more to do than the second."""
    requests = [one(0.0, 1000, 200), one(0.0, 1000, 4), one(20.0, 100, 2)]
    assert homes(requests, router="e2", load_window_s=window) == [0, 1, expected]


def test_e2_counts_what_is_evicted_as_far_as_it_is_used_again() -> None:
    """Equal loads; the first replica has 20 of 100 blocks beside a prefix, and 40 are needed."""
    prefix = {"group": 0, "shared": 1280}
    first, second = one(0.0, 1280, 4, **prefix), one(0.0, 1280, 4)
    assert homes([first, second, one(20.0, 640, 2)], (100, 100), router="e2") == [0, 1, 1]
    assert homes([first, second, one(20.0, 320, 2)], (100, 100), router="e2") == [0, 1, 0]


def test_e2_takes_the_less_busy_of_equal_prefixes() -> None:
    """Both replicas have computed the prefix; the second has had less to do."""
    early = [one(0.0, 1000, 200, **PREFIX), one(0.001, 1000, 4, **PREFIX)]
    assert homes([*early, one(20.0, 1200, 2, **PREFIX)], router="e2") == [0, 1, 1]


def test_sticky_goes_where_the_first_of_its_group_went() -> None:
    """Though the other replica is idle, and the first in number."""
    requests = [one(0.0, 2000, 4), one(0.0, 100, 4, group=0), one(20.0, 100, 4, group=0)]
    assert homes(requests, router="sticky") == [0, 1, 1]
    assert homes([*requests[:2], one(20.0, 100, 4, group=1)], router="sticky") == [0, 1, 0]


def test_sticky_gives_way_where_that_is_far_busier() -> None:
    """Five are there and none at the other: more than 2 × 0 + 4. Then one is: 5 are bearable."""
    requests = [one(0.0, 100, 4, group=0) for _ in range(7)]
    assert homes(requests, router="sticky") == [0, 0, 0, 0, 0, 1, 0]


def test_sticky_goes_elsewhere_where_the_request_would_never_fit() -> None:
    """The first went to a replica of 10 blocks; 20 are needed."""
    requests = [one(0.0, 100, 4, group=0), one(20.0, 320, 4, group=0)]
    assert homes(requests, (10, 100), router="sticky") == [0, 1]
    requests = [one(0.0, 2000, 4), one(0.0, 100, 4, group=0)]
    assert homes(requests, (10, 10), router="sticky") == [-1, 0]  # a group whose first is lost
