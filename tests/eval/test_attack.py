"""An attack finds worse instances than it set out from, repeatably, and loses nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from graphsched.envs.core.domain import Violation
from graphsched.envs.core.errors import InputError
from graphsched.eval.attacks.attack import Attack, AttackSettings, size_of
from graphsched.eval.attacks.duel import Duel, side
from graphsched.eval.attacks.gallery import document, prepare_gallery, worst, write_gallery
from tests.toy_domain import DOMAIN as CREW

if TYPE_CHECKING:
    from pathlib import Path

    from graphsched.envs.core.domain import Domain


def _pool(restart: int, rng: np.random.Generator) -> list[Any]:
    del restart
    return [CREW.generators["random"](rng, "4x2") for _ in range(3)]


def _attack(domain: Domain[Any, Any] = CREW, pool: Any = _pool, **settings: Any) -> Attack:
    both = [side(domain, word, 0, 1.0) for word in ("first", "shortest")]
    chosen = AttackSettings(**{"steps": 40, "restarts": 3, **settings})
    return Attack(Duel(domain, *both), pool, chosen)


def _found(attack: Attack) -> dict[str, Any]:
    facts = document(attack, worst(attack, 5), [])
    return {**facts, "seconds": 0.0}


def test_every_restart_ends_worse_than_its_start() -> None:
    """Trajectories rise, and the score is the ratio of the two solvers' costs on the instance."""
    attack = _attack()
    attack.run()
    for course in attack.courses:
        scores = [score for _, score in course.trajectory]
        assert scores == sorted(set(scores))
        assert len(scores) > 1
        assert course.steps == 40
        assert course.compared + course.refused == 3 + 40
        best = course.best
        assert best is not None
        costs = [
            CREW.cost(best.instance, CREW.baseline(name)(best.instance))
            for name in ("first", "shortest")
        ]
        assert best.score == costs[0] / costs[1] == scores[-1]
    found = worst(attack, 2)
    assert len(found) == 2
    assert found[0].trajectory[-1][1] == max(c.trajectory[-1][1] for c in attack.courses)


def test_search_beats_blind_draws() -> None:
    """As many random instances as the search compares are not as bad as what it finds."""
    attack = _attack(steps=150)
    attack.run()
    rng = np.random.default_rng(99)
    drawn = [attack.duel.compare(_pool(0, rng)[0]) for _ in range(3 * 153)]
    blind = max(found.score for found in drawn if found is not None)
    assert _found(attack)["instances"][0]["score"] > 1.1 * blind


def test_seed_decides_what_is_found() -> None:
    """The same seed gives the same to the last digit, also after another search; others differ."""
    runs = [_attack(seed=seed) for seed in (4, 5, 4)]
    for attack in runs:
        attack.run()
    first, other, again = map(_found, runs)
    assert first == again
    assert first["instances"] != other["instances"]


def test_time_limit_only_cuts_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every restart gets its share, and what it finds is the beginning of what it finds anyway."""
    whole, cut = _attack(), _attack(time_limit_s=30.0)
    whole.run()
    now = iter(range(1000))
    monkeypatch.setattr("graphsched.eval.attacks.attack.cpu_s", lambda: float(next(now)))
    cut.run()
    assert [course.steps for course in cut.courses] == [9, 9, 9]
    for short, long in zip(cut.courses, whole.courses, strict=True):
        assert short.trajectory == [p for p in long.trajectory if p[0] <= short.steps]


def test_interruption_keeps_what_was_found() -> None:
    """Ctrl-C in the second restart: the first is whole, the second as far as it came."""
    attack, moves = _attack(), iter(range(50))

    def tell(words: str) -> None:
        del words
        if next(moves) == 48:
            raise KeyboardInterrupt

    attack.tell = tell
    attack.run()
    assert attack.interrupted
    assert [course.steps for course in attack.courses] == [40, 9]
    assert len(_found(attack)["instances"]) == 2


def test_instances_stay_within_the_bound() -> None:
    """No instance is larger than the start's size times the bound."""

    def growing(instance: Any, rng: np.random.Generator) -> Any:

        del rng
        return replace(instance, jobs=(*instance.jobs, instance.jobs[-1]))

    attack = _attack(replace(CREW, perturb=growing), largest=1.3)
    attack.run()
    for course in attack.courses:
        assert course.best is not None
        assert course.first is not None
        assert size_of(course.best.instance) <= 1.3 * size_of(course.first.instance)
        assert course.refused > 0


def test_difference_where_ratios_mean_nothing() -> None:
    """A domain whose cost may vanish is compared by difference, a cost of 0 included."""
    domain = replace(CREW, cost_ratios=False, cost=lambda i, s: CREW.cost(i, s) - 50.0)
    attack = _attack(domain)
    attack.run()
    facts = _found(attack)
    assert facts["measure"] == "difference"
    for row in facts["instances"]:
        assert row["score"] == row["cost"] - row["cost_against"]


def test_ratio_to_nothing_is_refused() -> None:
    """A cost of 0 has no ratio: there is nothing to set out from, and one line says so."""
    attack = _attack(replace(CREW, cost=lambda i, s: 0.0))
    with pytest.raises(InputError, match="no instance on which"):
        attack.run()


def test_infeasible_solutions_are_reported_not_kept(tmp_path: Path) -> None:
    """What the checker refuses is no find, however bad, and its instance is written."""

    def check(instance: Any, solution: Any) -> list[Violation]:
        late = max(job.arrival for job in instance.jobs) % 2 == 0
        return [Violation("fault", "planted")] if late else CREW.check(instance, solution)

    attack = _attack(replace(CREW, check=check), lambda r, g: _pool(r, g) + _pool(r, g))
    attack.run()
    assert attack.infeasible
    for course in attack.courses:
        assert course.best is not None
        assert not check(course.best.instance, course.best.solutions[0])
    courses = worst(attack, 5)
    write_gallery(prepare_gallery(tmp_path / "g"), attack, courses, document(attack, courses, []))
    assert (tmp_path / "g" / "infeasible-1.json").is_file()


def test_gallery_is_read_back(tmp_path: Path) -> None:
    """Files hold the instances: reading and solving them gives the costs of the document."""
    attack = _attack()
    attack.run()
    courses = worst(attack, 2)
    folder = prepare_gallery(tmp_path / "gallery")
    write_gallery(folder, attack, courses, document(attack, courses, ["graphsched"]))
    facts = json.loads((folder / "attack.json").read_text())
    assert len(facts["instances"]) == 2 == len(list((folder / "instances").iterdir()))
    for row in facts["instances"]:
        instance = CREW.readers["auto"](folder / row["file"])
        assert CREW.cost(instance, CREW.baseline("first")(instance)) == row["cost"]
        assert CREW.cost(instance, CREW.baseline("shortest")(instance)) == row["cost_against"]
    with pytest.raises(InputError, match="holds instances already"):
        prepare_gallery(folder)


def test_refusals() -> None:
    """Unknown solvers, senseless settings and domains without perturbation are told in a line."""
    with pytest.raises(InputError, match="solver 'nobody': not one of first, shortest"):
        side(CREW, "nobody", 0, 1.0)
    for settings in ({"steps": 0}, {"restarts": 0}, {"seed": -1}, {"largest": 0.5}):
        with pytest.raises(InputError, match=f"--{next(iter(settings))}: expected at least"):
            AttackSettings(**settings)
    with pytest.raises(InputError, match="--time-limit"):
        AttackSettings(time_limit_s=0.0)
    with pytest.raises(InputError, match="can't be varied"):
        _attack(replace(CREW, perturb=None))
