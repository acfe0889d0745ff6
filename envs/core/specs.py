"""Instances by specification: one line of text names sets, instances, generators and files."""

from __future__ import annotations

import difflib
import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from graphsched.envs.core.domain import Domain, InstanceT

MAX_INSTANCES = 10**6
_RANGE = re.compile(r"([^-]*?)([0-9]+)-([^-]*?)([0-9]+)", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


def parse_instances(domain: Domain[InstanceT, Any], spec: str) -> list[InstanceT]:
    """All instances that a specification names, in its order.

    A specification is a list, separated by commas, of

    * sets of the domain's library, perhaps narrowed by group: ``taillard``, ``taillard:15x15``;
    * names of its instances, and ranges of them: ``ft06``, ``la01-la05``;
    * generators, with size, number (1) and seed (0): ``random:20x15:n=100:seed=7``. The first
      instances of a seed are the same whatever their number;
    * files and folders (every visible file in them, in order of name), perhaps with their format:
      ``mine.txt``, ``standard@folder/``; files that belong together are joined by a plus sign:
      ``job.txt+SoC.txt``. Names with commas can't be given.

    Where a name has several meanings the first of these holds; ``./name`` is always a file.

    Raises:
        InputError: a part names nothing, with what may have been meant, or can't be read.
    """
    return list(_instances(domain, spec))


def parse_instance(domain: Domain[InstanceT, Any], spec: str) -> InstanceT:
    """The only instance that a specification names; raises InputError if there are more."""
    found = list(islice(_instances(domain, spec), 2))
    if len(found) != 1:
        raise InputError(f"instance {spec!r:.60}", "expected one instance, found several")
    return found[0]


def absolute_part(domain: Domain[Any, Any], part: str, folder: Path) -> str:
    """One part of a specification with absolute paths, if it names files or a folder.

    Args:
        domain: of the instances.
        part: without commas.
        folder: that relative paths start at.
    """
    if not part or _means_no_file(domain, part):
        return part
    name, at, _ = part.partition("@")
    form = f"{name}@" if at and name in domain.readers else ""
    text = part[len(form) :]
    folder = folder.absolute()
    names = [text] if (folder / text).exists() else text.split("+")
    there = all((folder / name).exists() for name in names)
    if not (form or "/" in text or "\\" in text or there):
        return part
    return form + "+".join(str(folder / name) for name in names)


def _means_no_file(domain: Domain[Any, Any], part: str) -> bool:
    """Whether a part means the library or a generator, in the order of `parse_instances`."""
    sets = domain.library.sets
    if part in sets or any(part in members for members in sets.values()):
        return True
    match = _RANGE.fullmatch(part)
    if match and match[3] in (match[1], ""):
        first = match[1] + match[2]
        return any(first in members for members in sets.values())
    return part.partition(":")[0] in domain.generators


def _instances(domain: Domain[InstanceT, Any], spec: str) -> Iterator[InstanceT]:
    parts = [part.strip() for part in spec.split(",")]
    if not all(parts):
        raise InputError(f"instances {spec!r:.60}", "expected names separated by single commas")
    for part in parts:
        yield from _parse_part(domain, part)


def _parse_part(domain: Domain[InstanceT, Any], part: str) -> Iterable[InstanceT]:
    sets = domain.library.sets
    names = {name for members in sets.values() for name in members}
    if part in sets:
        return (domain.library.load(name) for name in sets[part])
    if part in names:
        return [domain.library.load(part)]
    match = _RANGE.fullmatch(part)
    if match and match[3] in (match[1], "") and match[1] + match[2] in names:
        return _load_range(domain, part, match, names)
    head, *settings = part.split(":")
    narrows_a_set = head in sets and not any("=" in setting for setting in settings)
    if head in domain.generators and not narrows_a_set:
        return _generate(domain, part, head, settings)
    reader, path = _locate(domain, part)
    if reader is None:
        _suggest(domain, part, names)
    return _read(reader, path)


def _load_range(
    domain: Domain[InstanceT, Any], part: str, match: re.Match[str], names: set[str]
) -> list[InstanceT]:
    prefix, first, _, last = match.groups()
    if not 0 <= int(last) - int(first) < MAX_INSTANCES:
        raise InputError(f"instances {part!r:.60}", f"expected a range that rises from {first}")
    wanted = [f"{prefix}{i:0{len(first)}d}" for i in range(int(first), int(last) + 1)]
    for name in wanted:
        if name not in names:
            raise InputError(f"instances {part!r:.60}", f"there is no instance {name!r}")
    return [domain.library.load(name) for name in wanted]


def _generate(
    domain: Domain[InstanceT, Any], part: str, generator: str, settings: list[str]
) -> Iterable[InstanceT]:
    size, numbers = "", {"n": 1, "seed": 0}
    for i, setting in enumerate(settings):
        key, equals, value = setting.partition("=")
        if equals and key in numbers and _NUMBER.fullmatch(value):
            numbers[key] = int(value)
        elif i == 0 and not equals:
            size = setting
        else:
            expected = f"expected {generator}:SIZE:n=NUMBER:seed=NUMBER"
            raise InputError(f"instances {part!r:.60}", f"{expected}, found {setting!r:.60}")
    if not 1 <= numbers["n"] <= MAX_INSTANCES:
        problem = f"expected n from 1 to {MAX_INSTANCES}, found {numbers['n']}"
        raise InputError(f"instances {part!r:.60}", problem)
    make = domain.generators[generator]
    seed = numbers["seed"]
    return (make(np.random.default_rng((seed, i)), size) for i in range(numbers["n"]))


def _locate(
    domain: Domain[InstanceT, Any], part: str
) -> tuple[Callable[[Path], InstanceT] | None, Path]:
    """Reader and path of a part that is a file or folder; no reader if it is neither."""
    name, at, rest = part.partition("@")
    if at and name in domain.readers:
        return domain.readers[name], Path(rest)
    path = Path(part)
    looks_like_one = "/" in part or "\\" in part or _is_there(path)
    return (domain.readers["auto"] if looks_like_one else None), path


def _is_there(path: Path) -> bool:
    """Whether it is a file or folder, or files joined by a plus sign."""
    return path.exists() or all(Path(part).exists() for part in str(path).split("+"))


def _read(reader: Callable[[Path], InstanceT], path: Path) -> list[InstanceT]:
    if not path.is_dir():
        if not _is_there(path):
            raise InputError(path, "no such file or folder")
        return [reader(path)]
    files = sorted(f for f in path.iterdir() if f.is_file() and not f.name.startswith("."))
    if not files:
        raise InputError(path, "expected a folder with instances, found no file in it")
    return [reader(file) for file in files]


def _suggest(domain: Domain[Any, Any], part: str, names: set[str]) -> NoReturn:
    known = [*domain.library.sets, *domain.generators, *sorted(names)]
    close = difflib.get_close_matches(part, known, n=3, cutoff=0.5)
    sets = ", ".join([*domain.library.sets, *domain.generators][:12])
    hint = f"did you mean {' or '.join(close)}?" if close else f"not one of {sets}, nor a file"
    raise InputError(f"instances {part!r:.60}", hint)
