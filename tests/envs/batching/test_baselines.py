"""Baselines and their knobs: every value makes a schedule that holds, and files name them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsched.envs import batching
from graphsched.envs.batching import DOMAIN
from graphsched.envs.batching.baselines.rules import SCHEDULERS
from graphsched.envs.batching.generators import GENERATORS
from graphsched.envs.batching.options import ORDERS, ROUTERS, Scheduler
from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.core.errors import InputError

SHIPPED = sorted((Path(batching.__file__).parent / "data" / "tuned").glob("*.json"))
TUNABLE = [name for name, b in DOMAIN.baselines.items() if b.knobs]


def test_every_order_and_router_has_a_baseline() -> None:
    """Under its own name, but for the defaults, which are `sarathi`."""
    assert set(ORDERS) - {"fcfs"} <= set(DOMAIN.baselines)
    assert set(ROUTERS) - {"least-prefill"} <= set(DOMAIN.baselines)


def test_orders_by_what_is_known_come_blocking_and_skipping() -> None:
    """As `NAME` and `backfill-NAME`, which differ in nothing else."""
    for order in ("sjf", "srtf", "edf", "urgency"):
        blocking, skipping = SCHEDULERS[order][0], SCHEDULERS[f"backfill-{order}"][0]
        assert (blocking.order, blocking.passes) == (order, 0)
        assert skipping == Scheduler(order=order, passes=skipping.passes)
        assert skipping.passes > 0


@pytest.mark.compiled
@pytest.mark.parametrize("name", TUNABLE)
def test_every_value_of_a_knob_holds(name: str) -> None:
    """One knob at a time, others at their defaults, which change nothing."""
    world = GENERATORS["hetero"](np.random.default_rng(5), "40@40")
    plain = DOMAIN.baseline(name)(world)
    knobs = DOMAIN.baselines[name].knobs
    defaults = {knob: k.default for knob, k in knobs.items()}
    told = DOMAIN.baseline(name, SolverOptions(settings=defaults))(world)
    assert told.to_json() == plain.to_json()
    for knob, swept in knobs.items():
        for value in swept.values:
            solve = DOMAIN.baseline(name, SolverOptions(settings={knob: value}))
            assert DOMAIN.check(world, solve(world)) == []


@pytest.mark.compiled
@pytest.mark.parametrize("name", ["tight", "hetero"])
def test_what_is_doomed_last_saves_the_others(name: str) -> None:
    """Where there is more than can be served in time."""
    worlds = [GENERATORS[name](np.random.default_rng(k), "120@30") for k in range(6)]
    for order in ("sjf", "urgency", "edf"):
        costs = [
            np.mean([DOMAIN.baseline(order, SolverOptions(settings=told))(w).cost for w in worlds])
            for told in ({}, {"doomed": True})
        ]
        assert costs[1] < costs[0]


def test_what_is_chosen_in_hindsight_is_called_so_and_is_no_rule() -> None:
    """Older names are still taken."""
    for name in ("sarathi", "sjf", "hexgen"):
        assert DOMAIN.current_name(f"{name}-swept") == f"{name}-hindsight"
        found = DOMAIN.baselines[f"{name}-hindsight"]
        assert not found.is_rule
        assert not found.knobs
        assert "hindsight" in found.summary


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("doomed", 1),
        ("doomed", "yes"),
        ("load_window_s", -1.0),
        ("load_window_s", float("nan")),
        ("order", "edff"),
        ("router", "e3"),
    ],
)
def test_bad_options_are_named(name: str, value: Any) -> None:
    """With the field."""
    with pytest.raises(InputError, match=name):
        Scheduler(**{name: value})


def test_a_file_of_settings_is_of_one_scheduler(tmp_path: Path) -> None:
    """A knob that another has is refused, and so is its range."""
    path = tmp_path / "s.json"
    head = {"schema": 1, "domain": "batching", "baseline": "sjf"}
    for settings in ({"alpha": 0.5}, {"passes": 64}, {"budget": 4096}, {"router": "e2"}):
        path.write_text(json.dumps({**head, "settings": settings}))
        with pytest.raises(InputError, match=f"settings.{next(iter(settings))}"):
            DOMAIN.with_tuned([f"sjf:{path}"])


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_settings_are_the_best_of_their_tables(path: Path) -> None:
    """Named after what they were tuned on and the baseline, and readable as its settings."""
    found = json.loads(path.read_text())
    kind, _, name = path.stem.partition("_")
    assert found["baseline"] == name
    assert [word.partition(":")[0] for word in found["instances"]] == [kind]
    assert found["settings"] == found["table"][0]["settings"]
    assert found["mean_cost"] == min(row["mean_cost"] for row in found["table"])
    assert f"{name}:{path}" in DOMAIN.with_tuned([f"{name}:{path}"]).baselines


@pytest.mark.compiled
@pytest.mark.parametrize(("kind", "size"), [("tight", "120"), ("hetero", "160@24")])
def test_tuned_is_the_best_of_what_was_tuned_for_such_instances(kind: str, size: str) -> None:
    """With its settings, on one replica and on several."""
    of_kind = [json.loads(p.read_text()) for p in SHIPPED if p.stem.startswith(kind)]
    best = min(of_kind, key=lambda found: float(found["mean_cost"]))
    world = GENERATORS[kind](np.random.default_rng(9), size)
    told = DOMAIN.baseline(best["baseline"], SolverOptions(settings=best["settings"]))(world)
    assert DOMAIN.baseline("tuned")(world).to_json() == told.to_json()
