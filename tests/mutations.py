"""Faults in JSON documents: each mutant differs from an honest document in one place.

A place is drawn by its kind, the path with all rows taken together, so that a claimed cost is as
likely to change as a column of a thousand rows.
"""

from __future__ import annotations

import copy
import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from graphsched.envs.core.domain import Domain

Path = tuple[Any, ...]
ODD: tuple[Any, ...] = (
    None,
    True,
    "x",
    "1",
    [],
    {},
    [0],
    float("inf"),
    float("nan"),
    -float("inf"),
)
WRONG_SHAPE = 0.2  # share of mutants
HUGE = (2**53, 2**63, -(2**63) - 1, 2**70, 10**400, 1e300)


class Mutant(NamedTuple):
    """A document with one fault."""

    place: str  # "tasks[3].start"
    fault: str  # what was done there
    document: Any


def mutants(
    document: Any, count: int, seed: int, spared: Collection[str] = ("schema", "domain")
) -> Iterator[Mutant]:
    """So many documents that differ from the one given; equal seeds give equal ones.

    spared: fields of the document that stay as they are.
    """
    rng = random.Random(seed)
    kinds: dict[Path, list[Path]] = {}
    for path in paths(document):
        if path[0] not in spared:
            kind = tuple("*" if isinstance(key, int) else key for key in path)
            kinds.setdefault(kind, []).append(path)
    groups = list(kinds.values())
    made = 0
    while made < count:
        path = rng.choice(rng.choice(groups))
        changed = copy.deepcopy(document)
        fault = _break(changed, path, rng)
        if repr(changed) != repr(document):
            made += 1
            yield Mutant(_name(path), fault, changed)


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Of all that stands in a document, the outer before the inner."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, each in value.items():
            yield from paths(each, (*path, key))
    elif isinstance(value, list):
        for k, each in enumerate(value):
            yield from paths(each, (*path, k))


def _name(path: Path) -> str:
    words = [f"[{key}]" if isinstance(key, int) else f".{key}" for key in path]
    return "".join(words).lstrip(".")


def get(document: Any, path: Path) -> Any:
    """What stands at a path."""
    for key in path:
        document = document[key]
    return document


def put(document: Any, path: Path, value: Any) -> Any:
    """A copy with another value at a path."""
    out = copy.deepcopy(document)
    get(out, path[:-1])[path[-1]] = value
    return out


def _break(document: Any, path: Path, rng: random.Random) -> str:
    """Spoil what lies at a path; returns how. Most mutants are of the shape that they should be."""
    holder, key = get(document, path[:-1]), path[-1]
    value, rows = holder[key], isinstance(holder, list)
    choices: list[Callable[..., str]]
    if rng.random() < WRONG_SHAPE:
        choices = [_odd, _drop] if rows else [_odd, _drop, _rename, _add]
        choices += [_huge, _split] if _is_number(value) else []
    else:
        choices = [_swap, _drop, _double] if rows and not _is_number(value) else [_swap]
        choices += [_nudge, _nudge, _stretch] if _is_number(value) else []
        choices += [_slide, _slide, _trade, _trade] if rows and _numeric(value) else []
    return rng.choice(choices)(document, path, holder, key, rng)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _numeric(row: Any) -> list[Any]:
    """Keys of a row's numbers."""
    pairs = (
        row.items() if isinstance(row, dict) else enumerate(row) if isinstance(row, list) else ()
    )
    return [key for key, value in pairs if _is_number(value)]


def _odd(document: Any, path: Path, holder: Any, key: Any, rng: random.Random) -> str:
    holder[key] = rng.choice(ODD)
    return f"becomes {holder[key]!r}"


def _huge(document: Any, path: Path, holder: Any, key: Any, rng: random.Random) -> str:
    holder[key] = rng.choice(HUGE)
    return "becomes huge"


def _split(document: Any, path: Path, holder: Any, key: Any, rng: random.Random) -> str:
    holder[key] += 0.5
    return "moves by a half"


def _nudge(document: Any, path: Path, holder: Any, key: Any, rng: random.Random) -> str:
    whole = isinstance(holder[key], int)
    step = rng.choice([1, 1, 1, 16] if whole else [1, 0.1, 1e-3, 1e-5, 1e-9]) * rng.choice([-1, 1])
    holder[key] += step
    return f"moves by {step}"


def _stretch(document: Any, path: Path, holder: Any, key: Any, rng: random.Random) -> str:
    factor = rng.choice([-1, 0, 2, 0.5, 1.001])
    holder[key] = type(holder[key])(holder[key] * factor)
    return f"times {factor}"


def _drop(document: Any, path: Path, holder: Any, key: Any, rng: random.Random) -> str:
    del holder[key]
    return "is dropped"


def _double(document: Any, path: Path, holder: Any, key: Any, rng: random.Random) -> str:
    holder.insert(rng.randrange(len(holder) + 1), copy.deepcopy(holder[key]))
    return "is there twice"


def _rename(document: Any, path: Path, holder: Any, key: Any, rng: random.Random) -> str:
    at = rng.randrange(len(key))
    holder[key[:at] + key[at + 1 :]] = holder.pop(key)
    return "is misspelt"


def _add(document: Any, path: Path, holder: Any, key: Any, rng: random.Random) -> str:
    holder[f"{key}s"] = copy.deepcopy(holder[key])
    return "has an unknown companion"


def _slide(document: Any, path: Path, holder: Any, key: Any, rng: random.Random) -> str:
    """Two numbers of a row move alike, as the start and the end of an interval."""
    row, step = holder[key], rng.choice([-16, -3, -2, -1, 1, 2, 3, 16])
    moved = rng.sample(_numeric(row), min(2, len(_numeric(row))))
    for name in moved:
        row[name] += step
    return f"{moved} move by {step}"


def _trade(document: Any, path: Path, holder: Any, key: Any, rng: random.Random) -> str:
    """Some numbers of a row change places with those of another."""
    row, other = holder[key], holder[rng.randrange(len(holder))]
    names = [name for name in _numeric(row) if name in _numeric(other) and rng.random() < 0.5]
    for name in names:
        row[name], other[name] = other[name], row[name]
    return f"{names} change places with those of {other}"


def _swap(document: Any, path: Path, holder: Any, key: Any, rng: random.Random) -> str:
    """Exchange with what lies under the same key of another row, or with another row."""
    at = next((k for k in range(len(path) - 1, -1, -1) if isinstance(path[k], int)), None)
    if isinstance(holder, list):
        at = rng.choice([k for k, each in enumerate(path) if isinstance(each, int)])
    if at is None:
        return _odd(document, path, holder, key, rng)
    rows = get(document, path[:at])
    other = rng.randrange(len(rows))
    there = (*path[:at], other, *path[at + 1 :])
    holder[key], value = get(document, there), holder[key]
    get(document, there[:-1])[there[-1]] = value
    return f"changes places with {_name(there)}"


def accepted(
    domain: Domain[Any, Any],
    instance: Any,
    solution: Any,
    count: int,
    seed: int,
    claim: str = "cost",
) -> Iterator[tuple[Mutant, Any]]:
    """Mutants of a solution that pass as feasible, for a proof that they are.

    What can't be read must be refused by an `InputError`. What the checker rejects is tried once
    more with the cost that it really has, so that a wrong claim hides no other fault.

    Args:
        domain: whose checker is tried.
        instance: of the solution.
        solution: an honest one.
        count: mutants.
        seed: of the mutants.
        claim: name of the field with the claimed cost.
    """
    assert domain.check(instance, solution) == []
    for mutant in mutants(json.loads(json.dumps(solution.to_json())), count, seed):
        try:
            read = domain.solution_from_json(instance, mutant.document)
        except InputError:
            continue
        if domain.check(instance, read) == []:
            yield mutant, read
            continue
        cost = domain.cost(instance, read)
        read = replace(read, **{claim: cost})
        if domain.check(instance, read) == []:
            yield mutant, read
