"""Knobs are swept on the same validation instances, within the time, and the best ones are found."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from graphsched.envs.core.domain import Baseline, Domain
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.knobs import Knob, grid
from graphsched.training import sweep as module
from graphsched.training.paired import Kinds
from graphsched.training.sweep import document, in_turn, sweep
from tests.toy_domain import DOMAIN as CREW

if TYPE_CHECKING:
    from collections.abc import Callable

KNOBS = {"x": Knob(tuple(range(40)), 0), "y": Knob((0.0, 1.0), 0.0)}


def _domain(ratios: bool = True, seen: list[Any] | None = None) -> Domain[Any, Any]:
    """Costs are told outright: (x - 23)^2 + y, and what the instance adds, which is 1 at least."""

    def make(options: Any) -> Callable[[Any], Any]:
        def solve(instance: float) -> float:
            if seen is not None:
                seen.append((dict(options.settings), instance))
            x, y = options.settings.get("x", 0), options.settings.get("y", 0.0)
            return float((x - 23) ** 2 + y + instance)

        return solve

    told: Baseline[Any, Any] = Baseline(make, "told", knobs=KNOBS)
    crew: Domain[Any, Any] = CREW
    return replace(
        crew, baselines={"told": told}, cost=lambda _, solution: float(solution), cost_ratios=ratios
    )


def _kinds(n: int) -> Kinds:
    return Kinds(np.zeros(n, np.int64), np.ones(1))


@pytest.mark.parametrize("ratios", [True, False])
def test_the_best_setting_wins_and_the_defaults_stay(ratios: bool) -> None:
    """Of 80 settings, with few judged to the end, all of those on every instance."""
    instances = list(np.linspace(1.0, 900.0, 16))
    seen: list[Any] = []
    domain = _domain(ratios, seen)
    found = sweep(domain, "told", grid(KNOBS), instances, _kinds(16), 1.0)
    assert found.rows[0].settings == {"x": 23, "y": 0.0}
    assert found.rows[0].mean_cost == pytest.approx(np.mean(instances))
    assert (found.grid, found.tried, found.judged) == (80, 80, 16)
    assert any(row.settings == {"x": 0, "y": 0.0} for row in found.rows)
    assert 8 <= len(found.rows) <= 12
    assert len(seen) < 80 * 16 / 2  # halving: most settings met few instances
    means = [row.to_best.mean for row in found.rows]
    assert means == sorted(means)
    assert means[0] == 0.0


def test_differences_are_paired() -> None:
    """What instances have in common cancels: a constant difference has no error."""
    instances = list(np.linspace(1.0, 900.0, 16))
    found = sweep(_domain(False), "told", grid(KNOBS), instances, _kinds(16), 1.0)
    second = found.rows[1]
    assert second.to_best.mean == pytest.approx(1.0)
    assert second.to_best.se == pytest.approx(0.0, abs=1e-12)
    assert found.rows[0].to_default.mean == pytest.approx(-(23**2))


def test_kinds_weigh_as_told_and_come_in_turn() -> None:
    """Whatever their numbers, the first instances hold one of each."""
    instances, kinds = in_turn([[1.0, 2.0, 3.0], [100.0, 200.0]], [1.0, 3.0])
    assert instances == [1.0, 100.0, 2.0, 200.0, 3.0]
    assert kinds.labels.tolist() == [0, 1, 0, 1, 0]
    assert kinds.means(np.array(instances)) == [2.0, 150.0]
    assert kinds.shares.sum() == pytest.approx(1.0)
    found = sweep(_domain(False), "told", grid(KNOBS), instances, kinds, 1.0)
    assert found.rows[0].mean_cost == pytest.approx(0.25 * 2.0 + 0.75 * 150.0)


def test_time_that_is_up_leaves_settings_that_met_the_same_instances(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a clock that goes on by a second with each look, and no look between them."""
    clock = iter(np.arange(0.0, 1e6))
    monkeypatch.setattr(module, "wall_s", lambda: next(clock))
    seen: list[Any] = []
    lines: list[str] = []
    settings = grid(KNOBS, {"x": [0, 10, 20, 30], "y": [0.0]})
    instances = list(np.linspace(1.0, 9.0, 32))
    found = sweep(
        _domain(True, seen), "told", settings, instances, _kinds(32), 1.0, 0, lines.append
    )
    assert 2 <= found.judged < 32
    assert "time is up" in lines[-1]
    assert {len({i for s, i in seen if s == dict(row.settings)}) for row in found.rows} <= {
        found.judged,
        found.judged + 1,  # the one that was not finished counts for nobody
    }


def test_more_settings_than_there_is_time_for_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """At random by the seed, the defaults among them; the rest is told."""

    def tried(seed: int) -> Any:
        clock = iter(np.arange(0.0, 1e6))
        monkeypatch.setattr(module, "wall_s", lambda: next(clock))
        return sweep(_domain(), "told", grid(KNOBS), [1.0, 2.0, 3.0, 4.0], _kinds(4), 3.0, seed)

    found = tried(0)
    assert found.grid == 80
    assert 2 <= found.tried < 80
    assert [r.settings for r in tried(0).rows] == [r.settings for r in found.rows]
    assert [r.settings for r in tried(1).rows] != [r.settings for r in found.rows]


def test_no_time_is_told_and_nothing_found() -> None:
    """In one line."""
    with pytest.raises(InputError, match="--minutes: 1e-09 are not enough") as caught:
        sweep(_domain(), "told", grid(KNOBS), [1.0, 2.0], _kinds(2), 1e-9)
    assert "\n" not in str(caught.value)


def test_the_document_holds_what_was_found_and_how() -> None:
    """As JSON that reads back as settings."""
    domain = _domain()
    found = sweep(domain, "told", grid(KNOBS), [1.0, 2.0, 3.0], _kinds(3), 1.0)
    told = document(domain, "told", found, {"gen": 1.0}, 3, 7)
    assert told["settings"] == {"x": 23, "y": 0.0}
    assert (told["count"], told["seed"], told["grid"], told["tried"]) == (3, 7, 80, 80)
    assert told["table"][0]["to_best"] == 0.0
    assert len(told["table"]) == len(found.rows)
