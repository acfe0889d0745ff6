"""Paths in configurations: relative to the file that they are written in, absolute in a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graphsched.agents.bundles.shipped import is_shipped
from graphsched.envs.core.specs import absolute_part

if TYPE_CHECKING:
    from pathlib import Path

    from graphsched.envs.core.domain import Domain


def with_places(
    document: Mapping[str, Any], domain: Domain[Any, Any], folder: Path
) -> dict[str, Any]:
    """A configuration's document with absolute paths in ``instances`` and ``init``, at any depth.

    What isn't of the right type stays as it is, for the reading to complain of.

    Args:
        document: of the fields of `TrainConfig`, or some.
        domain: that says which words are no paths.
        folder: that relative paths start at.
    """
    out = dict(document)
    init = out.get("init")
    if isinstance(init, str) and init and not is_shipped(domain.name, init, folder):
        out["init"] = str(folder.absolute() / init)
    if isinstance(out.get("instances"), Mapping):
        out["instances"] = _kinds(out["instances"], domain, folder)
    if isinstance(out.get("validation"), Mapping):
        out["validation"] = with_places(out["validation"], domain, folder)
    if isinstance(out.get("curriculum"), list | tuple):
        out["curriculum"] = [
            with_places(stage, domain, folder) if isinstance(stage, Mapping) else stage
            for stage in out["curriculum"]
        ]
    return out


def _kinds(kinds: Mapping[str, Any], domain: Domain[Any, Any], folder: Path) -> dict[str, Any]:
    """Two words for one place weigh as much as both."""
    out: dict[str, Any] = {}
    for word, weight in ((str(word), weight) for word, weight in kinds.items()):
        generated = word.partition(":")[0] in domain.generators
        parts = [word] if generated else word.split(",")
        place = ",".join(absolute_part(domain, part.strip(), folder) for part in parts)
        both = place in out and isinstance(weight, int | float)
        out[place] = out[place] + weight if both else weight
    return out
