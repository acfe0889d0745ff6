"""Readers of job shop files.

``standard`` is the format of the OR-Library and of JSPLIB: a line ``jobs machines``, then for each
job a line of ``machine duration`` pairs, machines counted from 0. ``taillard`` is the format of
Taillard's files: durations and machines as two separate tables, machines counted from 1. Files of
flexible job shops (``.fjs``) are recognised and refused. A file has at most 64 MiB and 1,000,000
lines, an instance 1,000,000 operations on 10,000 machines.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.reading import MIB, Line, Lines, parse_json, read_text, within
from graphsched.envs.jobshop.instance import (
    MAX_MACHINES,
    MAX_OPERATIONS,
    MAX_TIME,
    JobShopInstance,
    instance_from_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MAX_BYTES = 64 * MIB


def _counts(line: Line, more: bool) -> tuple[int, int]:
    """Jobs and machines from a header; raises InputError. `more`: further numbers may follow."""
    numbers = line.integers()
    if len(numbers) < 2 or (len(numbers) > 2 and not more):
        problem = f"expected 'jobs machines', found {line.text!r:.60}"
        raise InputError(line.where, problem)
    jobs, machines = numbers[:2]
    for what, found, most in (("jobs", jobs, MAX_OPERATIONS), ("machines", machines, MAX_MACHINES)):
        if not 1 <= found <= most:
            raise InputError(line.where, f"expected 1 to {most} {what}, found {found}")
    return jobs, machines


def _job(line: Line, machines: int) -> list[tuple[int, int]]:
    """One job of the standard format as (machine, duration) pairs."""
    numbers = line.integers(0, MAX_TIME)
    if len(numbers) % 2:
        problem = f"expected pairs of machine and duration, found {len(numbers)} numbers"
        raise InputError(line.where, problem)
    for machine in numbers[::2]:
        if machine >= machines:
            problem = f"expected machines 0 to {machines - 1}, found machine {machine}"
            raise InputError(line.where, problem)
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _parse_standard(path: Path, text: str) -> JobShopInstance:
    lines = Lines(path, text)
    jobs, machines = _counts(lines.take("'jobs machines'"), more=False)
    rows = [_job(lines.take(f"job {j + 1} of {jobs}"), machines) for j in range(jobs)]
    lines.finish()
    return JobShopInstance.from_jobs(path.stem, rows, machines)


def _table(
    lines: Lines, heading: str, jobs: int, machines: int, limits: tuple[int, int]
) -> list[list[int]]:
    """One of Taillard's tables, (jobs, machines)."""
    lines.skip_heading(heading)
    rows = []
    for j in range(jobs):
        line = lines.take(f"row {j + 1} of {jobs} of the {heading}")
        rows.append(line.integers(*limits))
        if len(rows[-1]) != machines:
            problem = f"expected {machines} {heading}, found {len(rows[-1])}"
            raise InputError(line.where, problem)
    return rows


def _parse_taillard(path: Path, text: str) -> JobShopInstance:
    lines = Lines(path, text)
    lines.skip_heading("nb")
    jobs, machines = _counts(lines.take("'jobs machines'"), more=True)
    times = _table(lines, "times", jobs, machines, (0, MAX_TIME))
    routes = _table(lines, "machines", jobs, machines, (1, machines))
    lines.finish()
    rows = [
        [(machine - 1, time) for machine, time in zip(*pair, strict=True)]
        for pair in zip(routes, times, strict=True)
    ]
    return JobShopInstance.from_jobs(path.stem, rows, machines)


def _parse_json(path: Path, text: str) -> JobShopInstance:
    return within(path, partial(_from_document, path.stem, parse_json(text, path)))


def _from_document(name: str, document: dict[str, Any]) -> JobShopInstance:
    return instance_from_json({"name": name, **document})


def _looks_like_taillard(path: Path, text: str) -> bool:
    """Headings, a header with seeds, or more rows than jobs, each with a number per machine."""
    lines = list(Lines(path, text))
    if any(line.has_words for line in lines):
        return True
    header, *body = (line.text.split() for line in lines)
    if len(header) != 2 or not all(token.isdecimal() for token in header):
        return len(header) > 2
    jobs, machines = (int(token[:20]) for token in header)
    return len(body) > jobs and len(body[0]) == machines


def read_standard(path: Path) -> JobShopInstance:
    """Read the OR-Library's format.

    Jobs may differ in length and visit a machine more than once.

    Args:
        path: text file; its stem names the instance. Lines that start with ``#`` are comments.

    Raises:
        InputError: naming file and line.
    """
    return _parse_standard(path, read_text(path, MAX_BYTES))


def read_taillard(path: Path) -> JobShopInstance:
    """Read Taillard's format, with or without its headings; one instance a file.

    Args:
        path: text file; its stem names the instance. Numbers after ``jobs machines`` (seeds and
            bounds) are skipped.

    Raises:
        InputError: naming file and line.
    """
    return _parse_taillard(path, read_text(path, MAX_BYTES))


def read_json(path: Path) -> JobShopInstance:
    """Read what `JobShopInstance.to_json` writes. Raises InputError naming file and field."""
    return _parse_json(path, read_text(path, MAX_BYTES))


def read_auto(path: Path) -> JobShopInstance:
    """Read any of the formats, told apart by content. Raises InputError naming file and line."""
    text = read_text(path, MAX_BYTES)
    if path.name.removesuffix(".gz").endswith(".fjs"):
        raise InputError(path, "a flexible job shop; expected one machine for each operation")
    if text.lstrip()[:1] in ("{", "["):
        return _parse_json(path, text)
    parse = _parse_taillard if _looks_like_taillard(path, text) else _parse_standard
    return parse(path, text)


READERS: dict[str, Callable[[Path], JobShopInstance]] = {
    "auto": read_auto,
    "standard": read_standard,
    "taillard": read_taillard,
    "json": read_json,
}
