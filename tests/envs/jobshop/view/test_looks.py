"""How far features look is an option: what each look fills, and what all looks keep to."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.testing import CHECKS
from graphsched.envs.core.testing.play import Cases
from graphsched.envs.jobshop import DOMAIN
from graphsched.envs.jobshop.features import CANDIDATE
from graphsched.envs.jobshop.generators import irregular, uniform
from graphsched.envs.jobshop.instance import JobShopInstance
from graphsched.envs.jobshop.options import LOOKS, NUM_RULES, JobShopOptions
from graphsched.envs.jobshop.simulator import JobShopSim
from graphsched.envs.jobshop.view.opinions import REACH

NAMES = [f.name for f in CANDIDATE]
GROUPS = {  # columns by the beginning of their names
    "short": [n for n in NAMES if n.startswith("pilot")],
    "bounds": [n for n in NAMES if n.startswith("bounds")],
    "long": [n for n in NAMES if n.startswith(("forward", "backward"))],
}
FILLED = {"none": {"short"}, "bounds": {"short", "bounds"}, "rules": {"bounds", "long"}}


def first_rows(shop, look, rules=NUM_RULES):
    sim = JobShopSim(1, JobShopOptions(delay_window=1.0, look_ahead=look, rules=rules))
    sim.reset([0], [shop], [0])
    return sim.observe()["candidate"]


def columns(rows, names):
    return rows[:, [NAMES.index(name) for name in names]]


def filled(rows):
    return {group for group, names in GROUPS.items() if columns(rows, names).any()}


@pytest.mark.parametrize("look", LOOKS)
def test_columns_of_a_look_that_is_not_taken_are_zero(look):
    rows = first_rows(uniform(np.random.default_rng(0), "8x6"), look)
    assert filled(rows) == FILLED[look]


def test_looks_share_their_columns():
    """What two looks both fill is the same in both; what comes without looking is in all."""
    shop = uniform(np.random.default_rng(1), "8x6")
    none, bounds, rules = (first_rows(shop, look) for look in LOOKS)
    common = [n for n in NAMES if n not in {m for names in GROUPS.values() for m in names}]
    for rows in (bounds, rules):
        assert np.array_equal(columns(none, common), columns(rows, common))
    assert np.array_equal(columns(none, GROUPS["short"]), columns(bounds, GROUPS["short"]))
    assert np.array_equal(columns(bounds, GROUPS["bounds"]), columns(rules, GROUPS["bounds"]))


def test_fewer_rules_are_the_first_ones():
    shop = uniform(np.random.default_rng(2), "8x6")
    few, all_rules = first_rows(shop, "rules", 3), first_rows(shop, "rules")
    for way in ("forward", "backward"):
        known = [f"{way}_over_best_{i + 1}" for i in range(3)]
        others = [f"{way}_over_best_{i + 1}" for i in range(3, NUM_RULES)]
        assert np.array_equal(columns(few, known), columns(all_rules, known))
        assert not columns(few, others).any()
        assert columns(all_rules, others).any()


@pytest.mark.compiled
@pytest.mark.parametrize(("jobs", "far"), [(100, True), (101, False)])
def test_beyond_reach_the_short_pilots_look(jobs, far):
    """Jobs of five operations: 100 x 500 is within reach, 101 x 505 is not."""
    assert REACH == 100 * 500
    rows = first_rows(uniform(np.random.default_rng(3), f"{jobs}x5"), "rules")
    assert filled(rows) == ({"bounds", "long"} if far else {"bounds", "short"})


@pytest.mark.compiled
def test_pilots_go_to_the_end_once_it_is_within_reach():
    sim = JobShopSim(1, JobShopOptions(look_ahead="rules", rules=1))
    sim.reset([0], [uniform(np.random.default_rng(4), "101x5")], [0])
    seen = set()
    while len((obs := sim.observe())["slot"]):
        far = int(sim.state.operations_left[0]) * 101 <= REACH
        groups = filled(obs["candidate"])
        assert groups.isdisjoint({"short"} if far else {"long"})
        seen |= {(far, group) for group in groups}
        sim.step(np.zeros(1, np.int64))
        if far and len(seen) >= 4:
            break
    assert {(False, "short"), (True, "long")} <= seen


@pytest.mark.parametrize("look", LOOKS)
def test_wide_and_narrow_shops_share_a_simulator(look):
    """Once a shop needs 64 bits they serve all; nothing that is seen changes."""
    rng = np.random.default_rng(5)
    shop = irregular(rng, "7x4")
    long = JobShopInstance("long", [0, 2, 4], [0, 1, 1, 0], [10**9, 5, 7, 10**9], 2)  # type: ignore[arg-type]
    options = JobShopOptions(look_ahead=look)
    alone, both = JobShopSim(1, options), JobShopSim(2, options)
    alone.reset([0], [shop], [0])
    before = alone.observe()["candidate"]
    both.reset([0], [shop], [0])
    assert np.array_equal(both.observe()["candidate"], before)
    both.reset([1], [long], [0])
    obs = both.observe()
    assert np.array_equal(obs["candidate"][: len(before)], before)
    assert len(obs["slot"]) == 2
    restored = JobShopSim(2, options)
    restored.load_state_dict(both.state_dict())
    assert np.array_equal(restored.observe()["candidate"], obs["candidate"])


@pytest.mark.compiled
@pytest.mark.parametrize("look", ["bounds", "rules"])
def test_the_contract_holds_with_every_look(look):
    @dataclass(frozen=True)
    class Looking(JobShopOptions):
        look_ahead: str = look  # type: ignore[assignment]

    rng = np.random.default_rng(6)
    shops = [irregular(rng, "5x3"), uniform(rng, "4x4"), irregular(rng, "11x2")]
    cases = Cases(replace(DOMAIN, options=Looking), shops, 0)
    for check in CHECKS:
        if check.__module__.rsplit(".", 1)[-1] in ("simulation", "observations", "states"):
            check(cases)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("look_ahead", value) for value in ("far", "", None, 1, ["none"], "Rules")),
        *(("rules", value) for value in (0, 13, -1, 1.5, True, "3", None, 10**30)),
    ],
)
def test_bad_options_are_named(field, value):
    with pytest.raises(InputError, match=rf"^{field}: expected .*, found") as caught:
        JobShopOptions(**{field: value})
    assert "\n" not in str(caught.value)
