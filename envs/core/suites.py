"""Suites: instances in named groups that shift away from what a policy was trained for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.reading import read_toml
from graphsched.envs.core.specs import parse_instances

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphsched.envs.core.domain import Domain

FIELDS = {"summary": str, "policy": str, "baselines": str, "reference": str, "shifts": dict}


@dataclass(frozen=True)
class Suite:
    """What a robustness table asks, and of whom.

    Attributes:
        name: of the suite.
        summary: one line.
        policy: what is judged, as ``eval --policy`` reads it.
        baselines: rivals, as ``eval --baselines`` reads them; without a policy the first one is
            judged.
        reference: of gaps, as ``eval --reference`` reads it; "" for bounds.
        shifts: label -> instances, as `parse_instances` reads them; the first shift is none.
    """

    name: str
    summary: str
    policy: str
    baselines: str
    reference: str
    shifts: Mapping[str, str]

    def instances(self, domain: Domain[Any, Any]) -> tuple[list[Any], list[str]]:
        """The instances of all shifts, and the label of each; raises InputError."""
        out: list[Any] = []
        labels: list[str] = []
        for label, spec in self.shifts.items():
            found = parse_instances(domain, spec)
            out += found
            labels += [label] * len(found)
        return out, labels


def suites(domain: Domain[Any, Any]) -> dict[str, Suite]:
    """The domain's own suites by name: the tables ``[suites.NAME]`` of its presets."""
    tables = domain.preset_tables().get("suites", {})
    return {name: _suite(name, table, domain.presets) for name, table in tables.items()}


def open_suite(domain: Domain[Any, Any], word: str) -> Suite:
    """A suite of the domain by its name, or one of a TOML file that is such a table.

    Raises:
        InputError: neither, or the file is malformed.
    """
    known = suites(domain)
    if word in known:
        return known[word]
    file = Path(word)
    if file.suffix != ".toml":
        names = ", ".join(known) or "none"
        raise InputError(f"suite {word!r:.60}", f"expected one of {names}, or a TOML file")
    return _suite(file.stem, read_toml(file), file)


def _suite(name: str, table: Mapping[str, Any], file: Path) -> Suite:
    facts = {"summary": "", "policy": "default", "baselines": "rules", "reference": "", **table}
    for key, value in facts.items():
        kind = FIELDS.get(key)
        if kind is None:
            problem = f"unknown field {key!r:.40} of a suite; expected {', '.join(FIELDS)}"
            raise InputError(file, problem)
        if not isinstance(value, kind):
            raise InputError(file, f"{key}: expected {_NAMES[kind]}, found {value!r:.40}")
    shifts = facts.get("shifts")
    if not shifts or not all(isinstance(spec, str) for spec in shifts.values()):
        raise InputError(file, 'shifts: expected one "label" = "instances" at least')
    return Suite(name=name, **facts)


_NAMES = {str: "a text", dict: 'a table of "label" = "instances"'}
