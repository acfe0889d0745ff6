"""One's own instances: files, folders and library words, shared out between training and validation.

An instance that both may use is on one side only: the hash of its content says which, so that copies
under other names fall on the same side, and others that come or go leave it where it is.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.specs import parse_instances
from graphsched.training.instances import is_generated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from graphsched.envs.core.domain import Domain
    from graphsched.training.settings.config import TrainConfig

_log = logging.getLogger("graphsched")


@dataclass(frozen=True)
class Pools:
    """What is there besides generators.

    Attributes:
        training, validation: instances of each word; none where all of them are on the other side.
        record: how many different ones each side has, and a hash of which; empty if there are no
            words but generators.
    """

    training: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    validation: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)


def digest(instance: Any) -> str:
    """sha256 of an instance's JSON without its name, in hexadecimal."""
    document = {key: value for key, value in instance.to_json().items() if key != "name"}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


def place(digest: str) -> float:
    """Where in [0, 1) a digest lies; below `held_out` means validation."""
    return int(digest[:13], 16) / 16**13


def own_pools(domain: Domain[Any, Any], config: TrainConfig) -> Pools:
    """Read all words of a configuration that aren't generators, and share their instances out.

    Raises:
        InputError: a word names nothing, a file can't be read, or of these words training, a stage
            of the curriculum or validation is left without an instance.
    """
    checks = config.validation
    stages = {"instances": config.instances}
    stages |= {f"curriculum[{i}].instances": s.instances for i, s in enumerate(config.curriculum)}
    judged = checks.instances or config.instances
    trained = list(dict.fromkeys(word for kinds in stages.values() for word in kinds))
    own = [w for w in dict.fromkeys([*trained, *judged]) if not is_generated(domain, w)]
    if not own:
        return Pools()
    found = {word: [(digest(i), i) for i in parse_instances(domain, word)] for word in own}
    seen = {d for word in trained for d, _ in found.get(word, ())}
    shared = seen & {d for word in judged for d, _ in found.get(word, ())}
    held = {d for d in shared if place(d) < checks.held_out}
    training = {w: [i for d, i in found[w] if d not in held] for w in trained if w in found}
    unseen = {
        w: {d: i for d, i in found[w] if d not in shared - held} for w in judged if w in found
    }
    validation = {word: list(instances.values()) for word, instances in unseen.items()}
    for name, kinds in stages.items():
        _check(name, kinds, training, shared, checks.held_out)
    _check("validation.instances", judged, validation, shared, checks.held_out)
    for side, pools in (("training", training), ("validation", validation)):
        _tell_absent([w for w, pool in pools.items() if not pool and len(found[w]) > 1], side)
    sides = sorted(seen - held), sorted({d for kept in unseen.values() for d in kept})
    text = "\n".join([*sides[0], "", *sides[1]])
    counts = {"training": len(sides[0]), "validation": len(sides[1])}
    return Pools(training, validation, {**counts, "sha256": sha256(text.encode()).hexdigest()})


def record_in_words(record: Mapping[str, Any]) -> str:
    """Both counts."""
    return f"{record['training']} for training, {record['validation']} for validation only"


def check_record(before: Mapping[str, Any], now: Mapping[str, Any], where: object) -> None:
    """Raises InputError if a run that goes on finds other instances than it began with."""
    if not before or before == now:
        return
    found = record_in_words(now) if now else "none"
    problem = f"expected the instances that the run began with ({record_in_words(before)})"
    raise InputError(where, f"{problem}, found others ({found})")


def _tell_absent(words: Sequence[str], side: str) -> None:
    if words:
        told = ", ".join(words[:3]) + (f" and {len(words) - 3} more" if len(words) > 3 else "")
        _log.info("no instance of %s fell to %s", told, side)


def _check(
    name: str,
    kinds: Mapping[str, float],
    pools: Mapping[str, Sequence[Any]],
    shared: Iterable[str],
    held_out: float,
) -> None:
    """Raises InputError if there are words for files or the library, and no instance of any."""
    own = [word for word, weight in kinds.items() if word in pools and weight > 0]
    if not own or any(pools[word] for word in own):
        return
    places, words = sorted(place(d) for d in shared), ", ".join(own)
    problem = (
        f"expected an instance at least, but of the {len(places)} in {words:.100} that training "
        f"and validation share, held_out = {held_out:g} leaves none; "
    )
    if len(places) < 2:
        remedy = "name others for validation"
    elif name.startswith("validation"):
        remedy = f"validation.held_out above {places[0]:.4f} does"
    else:
        remedy = f"validation.held_out up to {places[-1]:.4f} does"
    raise InputError(name, problem + remedy)
