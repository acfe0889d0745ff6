"""Readers of job shop files.

``standard`` is the format of the OR-Library and of JSPLIB: a line ``jobs machines``, then for each
job a line of ``machine duration`` pairs, machines counted from 0. ``taillard`` is the format of
Taillard's files: durations and machines as two separate tables, machines counted from 1.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from graphsched.envs.core.errors import InputError
from graphsched.envs.jobshop.instance import MAX_TIME, JobShopInstance, instance_from_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MAX_BYTES = 64 * 2**20
MAX_COUNT = 10**6  # jobs or machines; a header alone must not make a simulator allocate gigabytes
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_WORD = re.compile(r"[^\W\d_]")  # a letter


class Line(NamedTuple):
    """One line that carries something, with its place for error messages."""

    where: str  # "file.txt, line 7"
    text: str

    def integers(self, minimum: int = 0, maximum: int = MAX_TIME) -> list[int]:
        """All numbers of the line; raises InputError unless they are integers in the range."""
        return [self._integer(token, minimum, maximum) for token in self.text.split()]

    def _integer(self, token: str, minimum: int, maximum: int) -> int:
        if not _INTEGER.fullmatch(token):
            raise InputError(self.where, f"expected an integer, found {token!r:.60}")
        value = int(token) if len(token) < 20 else MAX_TIME + 1
        if not minimum <= value <= maximum:
            problem = f"expected integers in [{minimum}, {maximum}], found {token:.60}"
            raise InputError(self.where, problem)
        return value

    @property
    def has_words(self) -> bool:
        """Whether the line begins with a letter, as headings do."""
        return _WORD.match(self.text) is not None


class Lines:
    """The lines of a file, taken one by one; running out of them is an InputError."""

    def __init__(self, path: Path, text: str) -> None:
        """Drop blank lines and ``#`` comments. Raises InputError if nothing is left."""
        self._path = path
        self._rest = [
            Line(f"{path}, line {number}", line.strip())
            for number, line in enumerate(text.splitlines(), start=1)
            if line.strip() and not line.lstrip().startswith("#")
        ]
        if not self._rest:
            raise InputError(path, "nothing but blank lines and comments; expected an instance")
        self._rest.reverse()
        self._last = self._rest[0].where

    def __iter__(self) -> Iterator[Line]:
        """The lines that are left, without taking them."""
        return reversed(self._rest)

    def take(self, what: str) -> Line:
        """The next line; `what` says what was expected there if there is none."""
        if not self._rest:
            raise InputError(self._last, f"the file ends here; expected {what}")
        return self._rest.pop()

    def skip_heading(self, word: str) -> None:
        """Take a heading if there is one; raises InputError if it does not start with `word`."""
        if self._rest and self._rest[-1].has_words:
            heading = self._rest.pop()
            if not heading.text.casefold().startswith(word):
                raise InputError(
                    heading.where, f"expected {word!r} or numbers, found {heading.text!r:.60}"
                )

    def finish(self) -> None:
        """Raise InputError if anything is left."""
        if self._rest:
            line = self._rest[-1]
            problem = "expected the end of the file (one instance a file)"
            raise InputError(line.where, f"{problem}, found {line.text!r:.60}")


def _text(path: Path) -> str:
    """Content of a text file; raises InputError if it can't be had."""
    if path.is_dir():
        raise InputError(path, "is a directory; expected a file")
    if not path.exists():
        raise InputError(path, "no such file")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})") from None
    if len(content) > MAX_BYTES:
        raise InputError(path, f"larger than {MAX_BYTES // 2**20} MiB; not a job shop instance")
    if not content:
        raise InputError(path, "is empty; expected an instance")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InputError(path, "is a binary file; expected text")
    return text


def _counts(line: Line, more: bool) -> tuple[int, int]:
    """Jobs and machines from a header; raises InputError. `more`: further numbers may follow."""
    numbers = line.integers(0, 2**63)
    if len(numbers) < 2 or (len(numbers) > 2 and not more):
        problem = f"expected 'jobs machines', found {line.text!r:.60}"
        raise InputError(line.where, problem)
    jobs, machines = numbers[:2]
    if not (1 <= jobs <= MAX_COUNT and 1 <= machines <= MAX_COUNT):
        problem = f"expected 1 to {MAX_COUNT} jobs and machines, found {jobs} and {machines}"
        raise InputError(line.where, problem)
    return jobs, machines


def _job(line: Line, machines: int) -> list[tuple[int, int]]:
    """One job of the standard format as (machine, duration) pairs."""
    numbers = line.integers()
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
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}", f"not JSON ({error.msg})") from None
    except (RecursionError, ValueError):
        raise InputError(path, "JSON nested too deeply or with a number too long") from None
    if not isinstance(document, dict):
        raise InputError(path, f"expected a JSON object, found {type(document).__name__}")
    if document.get("domain", "jobshop") != "jobshop":
        raise InputError(path, f"expected domain 'jobshop', found {document['domain']!r:.60}")
    document.setdefault("name", path.stem)
    try:
        instance = instance_from_json(document)
    except InputError as error:
        raise InputError(path, str(error)) from None
    if instance.num_machines > MAX_COUNT:
        problem = f"num_machines: expected at most {MAX_COUNT}, found {instance.num_machines}"
        raise InputError(path, problem)
    return instance


def _looks_like_taillard(path: Path, text: str) -> bool:
    """Headings, a header with seeds, or more rows than jobs, each with a number per machine."""
    lines = list(Lines(path, text))
    if any(line.has_words for line in lines):
        return True
    header, *body = (line.text.split() for line in lines)
    if len(header) != 2 or not all(_INTEGER.fullmatch(token) for token in header):
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
    return _parse_standard(path, _text(path))


def read_taillard(path: Path) -> JobShopInstance:
    """Read Taillard's format, with or without its headings; one instance a file.

    Args:
        path: text file; its stem names the instance. Numbers after ``jobs machines`` (seeds and
            bounds) are skipped.

    Raises:
        InputError: naming file and line.
    """
    return _parse_taillard(path, _text(path))


def read_json(path: Path) -> JobShopInstance:
    """Read what `JobShopInstance.to_json` writes. Raises InputError naming file and field."""
    return _parse_json(path, _text(path))


def read_auto(path: Path) -> JobShopInstance:
    """Read any of the formats, told apart by content. Raises InputError naming file and line."""
    text = _text(path)
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
