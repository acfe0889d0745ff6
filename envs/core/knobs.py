"""Knobs of baselines: settings that can be swept, and files that hold the ones that were found."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.documents import check_head, read_name
from graphsched.envs.core.parts.reading import parse_json, read_text, within
from graphsched.envs.core.parts.values import shown

if TYPE_CHECKING:
    from pathlib import Path

Value = bool | int | float | str
Settings = Mapping[str, Value]
NEEDED = ("schema", "domain", "baseline", "settings")  # of a file of settings
# How they were found, which is not needed to use them.
FACTS = (
    *("method", "instances", "count", "seed", "minutes", "grid", "tried", "judged"),
    *("objective", "mean_cost", "table"),
)


@dataclass(frozen=True)
class Knob:
    """A setting of a baseline that can be tuned.

    Attributes:
        values: to sweep. A file may hold any number between the least and the greatest of them;
            of words and flags, one of them.
        default: what holds where nothing is said; within the values, too.
    """

    values: tuple[Value, ...]
    default: Value

    def __post_init__(self) -> None:
        """Validate; raises InputError for a default out of range."""
        self.checked(self.default, "default")

    @property
    def span(self) -> tuple[float, float] | None:
        """Least and greatest number; None of words and flags."""
        numbers = [v for v in self.values if type(v) in (int, float)]
        if len(numbers) < len(self.values) or not numbers:
            return None
        return min(numbers), max(numbers)  # type: ignore[return-value]

    def checked(self, value: Any, where: str) -> Value:
        """The value, a whole number as a fraction where those are meant; raises InputError."""
        if self.span is None:
            if not any(value == v and type(value) is type(v) for v in self.values):
                known = ", ".join(map(_written, self.values))
                raise InputError(where, f"expected one of {known}, found {shown(value)}")
            return value  # type: ignore[no-any-return]
        least, most = self.span
        whole = all(type(v) is int for v in self.values)
        kinds = (int,) if whole else (int, float)
        if type(value) not in kinds or not least <= value <= most:
            kind = "a whole number" if whole else "a number"
            expected = f"expected {kind} in [{least:g}, {most:g}]"
            raise InputError(where, f"{expected}, found {shown(value)}")
        return value if whole else float(value)


Knobs = Mapping[str, Knob]


def _written(value: Value) -> str:
    """As JSON and command lines have it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def written(settings: Settings) -> str:
    """``budget=256 order=sjf``."""
    return " ".join(f"{name}={_written(value)}" for name, value in settings.items())


def checked_settings(knobs: Knobs, settings: Any, where: str) -> dict[str, Value]:
    """Settings of some knobs; raises InputError naming the place and the knob."""
    if not isinstance(settings, Mapping):
        raise InputError(where, f"expected an object of knobs, found {shown(settings)}")
    out = {}
    for name, value in settings.items():
        if name not in knobs:
            known = ", ".join(knobs) or "none: it has no knobs"
            raise InputError(f"{where}.{name!s:.40}", f"expected a knob, one of {known}")
        out[str(name)] = knobs[name].checked(value, f"{where}.{name}")
    return out


def grid(knobs: Knobs, values: Mapping[str, Sequence[Value]] | None = None) -> list[dict[str, Any]]:
    """Every combination of the knobs' values, the defaults first.

    Args:
        knobs: of a baseline.
        values: to sweep in place of a knob's own; the first stands for a default that isn't among
            them.
    """
    given = values or {}
    swept = {name: tuple(given.get(name, knob.values)) for name, knob in knobs.items()}
    first = {
        name: knob.default if knob.default in given.get(name, [knob.default]) else given[name][0]
        for name, knob in knobs.items()
    }
    rest = [dict(zip(swept, row, strict=True)) for row in itertools.product(*swept.values())]
    return [first, *(settings for settings in rest if settings != first)]


def read_settings(path: Path, domain: str, baseline: str, knobs: Knobs) -> dict[str, Value]:
    """Settings of a file that ``graphsched tune`` wrote.

    Raises:
        InputError: the file can't be read, is of another domain, baseline or schema, or sets what
            is no knob or a knob out of its range.
    """
    document = parse_json(read_text(path), path)

    def read() -> dict[str, Value]:
        check_head(document, domain, NEEDED, FACTS, what="settings")
        found = read_name(document["baseline"], "baseline")
        if found != baseline:
            raise InputError("baseline", f"expected {baseline!r}, found {found!r:.40}")
        return checked_settings(knobs, document["settings"], "settings")

    return within(path, read)
