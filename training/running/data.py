"""What a policy was trained and validated on, told without places on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphsched.envs.core.registry import get_domain
from graphsched.training.instances import is_generated
from graphsched.training.own import record_in_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphsched.training.settings.config import TrainConfig


def training_data(config: TrainConfig) -> str:
    """Sentences for a card."""
    names = _names(config)
    later = "".join(
        f"; from {s.start:.0%} on {_kinds(s.instances, names)}" for s in config.curriculum
    )
    drawn = f"drawn as {_kinds(config.instances, names)}{later}"
    if not config.own:
        return f"random instances only, {drawn}. No benchmark instance was seen."
    words = [word for word in _trained(config) if word in names]
    library = [word for word in words if not _is_place(word)]
    seen = "No benchmark instance by name was seen."
    if library:
        seen = f"Instances of the library were seen: {', '.join(f'`{w}`' for w in library)}."
    counts = record_in_words(config.own)
    return f"{drawn}. Instances of files and the library: {counts}. {seen}"


def validation_data(config: TrainConfig) -> str:
    """Clause for a card."""
    checks, domain = config.validation, get_domain(config.domain)
    kinds = checks.instances or config.instances
    random = [kind for kind in kinds if is_generated(domain, kind)]
    drawn = f"{checks.count} random instances of each kind"
    told = _kinds(kinds, _names(config))
    if len(random) == len(kinds):
        return f"{drawn} ({told}), apart from the training stream"
    held = f"{config.own['validation']} of files and the library that training never saw"
    return f"{drawn} that is drawn, and {held} ({told})" if random else f"{held} ({told})"


def without_places(config: TrainConfig, document: Mapping[str, Any]) -> dict[str, Any]:
    """A document of a bundle in which files and folders go by their names alone.

    Where a run lies, and what it read from, is nothing for others to know.
    """
    names = _names(config)

    def told(value: Any) -> Any:
        if isinstance(value, dict):
            return {names.get(key, key): told(item) for key, item in value.items()}
        return [told(item) for item in value] if isinstance(value, list) else value

    out: dict[str, Any] = told({key: item for key, item in document.items() if key != "out"})
    if config.init is not None and out.get("init") == config.init:
        out["init"] = config.init_record["name"]
    if data := out.get("teacher", {}).get("data"):
        out["teacher"] = {**out["teacher"], "data": [Path(folder).name for folder in data]}
    return out


def _trained(config: TrainConfig) -> list[str]:
    kinds = [config.instances, *(stage.instances for stage in config.curriculum)]
    return list(dict.fromkeys(word for weights in kinds for word in weights))


def _names(config: TrainConfig) -> dict[str, str]:
    """What words for files and the library are called: files by their names, numbered if need be."""
    domain = get_domain(config.domain)
    words = dict.fromkeys([*_trained(config), *config.validation.instances])
    out: dict[str, str] = {}
    for word in words:
        if is_generated(domain, word):
            continue
        parts = (
            "+".join(Path(file).name for file in part.split("+")) if _is_place(part) else part
            for part in word.split(",")
        )
        name = short = ",".join(parts)
        number = 1
        while name in out.values():
            number += 1
            name = f"{short} ({number})"
        out[word] = name
    return out


def _is_place(word: str) -> bool:
    return "/" in word or "\\" in word


def _kinds(weights: Mapping[str, float], names: Mapping[str, str]) -> str:
    total = sum(weights.values())
    return ", ".join(f"`{names.get(k, k)}` ({w / total:.0%})" for k, w in weights.items())
