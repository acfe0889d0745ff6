"""The worst instances of an attack as files, and what was found in one document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import graphsched
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.writing import prepare_folder, write_json
from graphsched.eval.attacks.attack import size_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from graphsched.eval.attacks.attack import Attack, Course
    from graphsched.eval.attacks.duel import Comparison

SCHEMA = 1
INSTANCES = "instances"  # folder of nothing but instances, so that it can be named as a set


def prepare_gallery(folder: Path) -> Path:
    """Make the folder. Raises InputError if it can't be written to or holds another gallery."""
    prepare_folder(folder)
    inside = prepare_folder(folder / INSTANCES)
    if any(inside.iterdir()):
        raise InputError(inside, "holds instances already; expected a new or an empty folder")
    return folder


def worst(attack: Attack, keep: int) -> list[Course]:
    """The restarts that ended worst for the solver, worst first; one instance of each."""
    done = [course for course in attack.courses if course.best is not None]
    return sorted(done, key=lambda course: -_best(course).score)[:keep]


def document(attack: Attack, courses: Sequence[Course], command: Sequence[str]) -> dict[str, Any]:
    """What an attack found.

    Args:
        attack: that has ended or was interrupted.
        courses: those whose instances are kept, in the order of their numbers in the gallery.
        command: words by which it can be repeated.
    """
    domain, (solver, against) = attack.duel.domain, attack.duel.sides
    settings = attack.settings
    return {
        "schema": SCHEMA,
        "graphsched": graphsched.__version__,
        "command": list(command),
        "domain": domain.name,
        "objective": domain.objective,
        "solver": solver.name,
        "against": against.name,
        "measure": attack.duel.measure,
        "seed": settings.seed,
        "steps": settings.steps,
        "seconds": attack.seconds,
        "interrupted": attack.interrupted,
        "compared": sum(course.compared for course in attack.courses),
        "refused": sum(course.refused for course in attack.courses),
        "instances": [
            {"file": _file(k), "restart": course.number, **_facts(attack, _best(course))}
            for k, course in enumerate(courses, start=1)
        ],
        "restarts": [_course(course) for course in attack.courses],
        "infeasible": [violations for _, violations in attack.infeasible],
    }


def write_gallery(
    folder: Path, attack: Attack, courses: Sequence[Course], facts: dict[str, Any]
) -> None:
    """Write instances and ``attack.json`` into a folder of `prepare_gallery`.

    Raises:
        RuntimeError: a file is read back as another instance.
    """
    domain = attack.duel.domain
    for k, course in enumerate(courses, start=1):
        content = _named(_best(course).instance.to_json(), f"{domain.name}-attack-{k}")
        path = write_json(folder / _file(k), content)
        if domain.readers["auto"](path).to_json() != content:
            raise RuntimeError(f"{path}: is read back as another instance")
    for k, (instance, _) in enumerate(attack.infeasible, start=1):
        write_json(folder / f"infeasible-{k}.json", instance.to_json())
    write_json(folder / "attack.json", facts)


def _best(course: Course) -> Comparison:
    assert course.best is not None
    return course.best


def _file(number: int) -> str:
    return f"{INSTANCES}/{number:02d}.json"


def _named(content: dict[str, Any], name: str) -> dict[str, Any]:
    """The document under a name of its own, if it has a name at all."""
    return content | {"name": name} if "name" in content else content


def _facts(attack: Attack, found: Comparison) -> dict[str, Any]:
    domain = attack.duel.domain
    return {
        "group": domain.group(found.instance),
        "size": size_of(found.instance),
        "score": found.score,
        "cost": found.cost,
        "cost_against": found.cost_against,
        "lower_bound": domain.lower_bound(found.instance),
    }


def _course(course: Course) -> dict[str, Any]:
    return {
        "restart": course.number,
        "start": None if course.first is None else course.first.instance.name,
        "steps": course.steps,
        "compared": course.compared,
        "refused": course.refused,
        "trajectory": [list(point) for point in course.trajectory],
    }
