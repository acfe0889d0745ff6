"""Static allocation: buffers with fixed lifetimes and sizes, and minimalloc's files of them."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

COLUMNS = ("id", "lower", "upper", "size")
MAX_BYTES = 64 * 2**20  # of a file
LIMIT = 2**53  # of a number, so that sums stay far from what 64 bits hold
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)


@dataclass(frozen=True, eq=False)
class Allocation:
    """Buffers to be given offsets, so that what lives at the same time shares no address.

    Attributes:
        name: shown in reports.
        ids: (num_buffers,) names of the buffers.
        lower, upper: (num_buffers,) time at which a buffer begins and ends to live; it lives in
            [lower, upper).
        size: (num_buffers,) bytes, perhaps zero.
        capacity: bytes of memory; None where only the height counts.
    """

    name: str
    ids: tuple[str, ...]
    lower: Ints
    upper: Ints
    size: Ints
    capacity: int | None = None

    def __post_init__(self) -> None:
        """Validate; raises InputError naming the buffer."""
        if not self.ids:
            raise InputError(self.name, "expected at least one buffer")
        for field in ("lower", "upper", "size"):
            column = np.asarray(getattr(self, field))
            if column.shape != (len(self.ids),) or column.dtype.kind not in "iu":
                problem = f"expected {len(self.ids)} integers, found {column.dtype} {column.shape}"
                raise InputError(field, problem)
            object.__setattr__(self, field, column.astype(np.int64))
        for i in np.flatnonzero(self.lower >= self.upper)[:1]:
            problem = f"expected lower < upper, found {self.lower[i]} and {self.upper[i]}"
            raise InputError(f"buffer {self.ids[i]!r:.40}", problem)
        for i in np.flatnonzero(self.size < 0)[:1]:
            raise InputError(f"buffer {self.ids[i]!r:.40}", f"expected size >= 0: {self.size[i]}")
        if self.capacity is not None and self.capacity < 0:
            raise InputError("capacity", f"expected >= 0, found {self.capacity}")

    @property
    def num_buffers(self) -> int:
        """Number of buffers."""
        return len(self.ids)

    @cached_property
    def sections(self) -> tuple[Ints, Ints]:
        """(num_buffers,) each: first section of a buffer's life, and the one after its last.

        A section is the time between two neighbours among all starts and ends, so nothing begins
        or ends within one.
        """
        times = np.unique(np.concatenate([self.lower, self.upper]))
        return np.searchsorted(times, self.lower), np.searchsorted(times, self.upper)

    @cached_property
    def load(self) -> Ints:
        """(num_sections,) bytes that live in each section; their maximum bounds every height."""
        first, after = self.sections
        change = np.zeros(int(after.max()) + 1, np.int64)
        np.add.at(change, first, self.size)
        np.subtract.at(change, after, self.size)
        return np.cumsum(change)[:-1]

    @property
    def max_load(self) -> int:
        """Bytes that live at the busiest time: no allocation is lower."""
        return int(self.load.max())


def _integer(word: str, where: str, column: str) -> int:
    text = word.strip()
    if not _INTEGER.fullmatch(text) or len(text) > 18 or abs(int(text)) >= LIMIT:
        raise InputError(where, f"expected an integer as {column}, found {word!r:.40}")
    return int(text)


def _lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(path, f"can't be read: {error.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise InputError(path, f"expected a file of at most {MAX_BYTES // 2**20} MiB")
    try:
        return raw.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError(path, "expected a text file, found binary data") from None


def _rows(path: Path) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Words of the heading; of each row, its place and its words."""
    rows = [
        (f"{path}, line {n}", words)
        for n, line in enumerate(_lines(path), start=1)
        for words in csv.reader([line])
        if any(word.strip() for word in words)
    ]
    if not rows:
        raise InputError(path, f"is empty; expected a line {','.join(COLUMNS)!r}")
    (where, heading), *rest = rows
    heading = [word.strip().casefold() for word in heading]
    for column in COLUMNS:
        if heading.count(column) != 1:
            raise InputError(
                where, f"expected one column {column!r}, found {','.join(heading)!r:.60}"
            )
    if not rest:
        raise InputError(where, "expected rows of buffers below the heading, found none")
    return heading, rest


def _numbers(words: list[str], where: str, heading: list[str]) -> list[int]:
    """Lower, upper and size of a row."""
    if len(words) != len(heading):
        raise InputError(where, f"expected {len(heading)} columns, found {len(words)}")
    lower, upper, size = (_integer(words[heading.index(c)], where, c) for c in COLUMNS[1:])
    if lower >= upper:
        raise InputError(where, f"expected lower < upper, found {lower} and {upper}")
    if size < 0:
        raise InputError(where, f"expected size >= 0, found {size}")
    return [lower, upper, size]


def capacity_of(path: Path) -> int | None:
    """Capacity in a file's name, such as 1048576 in ``A.1048576.csv``; None where there is none."""
    word = path.stem.rpartition(".")[2] if "." in path.stem else ""
    return int(word) if _INTEGER.fullmatch(word) and 0 < int(word) < LIMIT else None


def read_minimalloc(path: Path, capacity: int | None = None) -> Allocation:
    """Read minimalloc's CSV: ``id,lower,upper,size``, upper exclusive, columns in any order.

    Args:
        path: the file. Other columns are skipped.
        capacity: bytes of memory; by default the number in the file's name, if there is one.

    Raises:
        InputError: naming file and line, and what was expected there.
    """
    heading, rows = _rows(path)
    at = heading.index("id")
    table = np.array([_numbers(words, where, heading) for where, words in rows], np.int64)
    ids = [words[at].strip() for _, words in rows]
    seen: set[str] = set()
    for name, (where, _) in zip(ids, rows, strict=True):
        if name in seen:
            raise InputError(where, f"expected an id of its own, found {name!r:.40} again")
        seen.add(name)
    if capacity is None:
        capacity = capacity_of(path)
    name = path.stem.partition(".")[0]
    return Allocation(name, tuple(ids), table[:, 0], table[:, 1], table[:, 2], capacity)
