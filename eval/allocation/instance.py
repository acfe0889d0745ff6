"""Static allocation: buffers with fixed lifetimes and sizes, and minimalloc's files of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.reading import integer, read_rows

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

COLUMNS = ("id", "lower", "upper", "size")
UNKNOWN = {"alignment": ("", "1"), "gaps": ("",)}  # what may stand in columns that play no part
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


def _numbers(row: dict[str, str], where: str) -> list[int]:
    """Lower, upper and size of a row."""
    for name, nothing in UNKNOWN.items():
        if row.get(name, "") not in nothing:
            problem = f"expected {' or '.join(filter(None, nothing)) or 'nothing'}: not supported"
            raise InputError(f"{where}, {name}", f"{problem}, found {row[name]!r:.40}")
    lower, upper, size = (
        integer(row[name], f"{where}, {name}", 1 - LIMIT, LIMIT - 1) for name in COLUMNS[1:]
    )
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
        path: the file. Other columns are skipped, but for alignments and gaps, which would make
            it another problem.
        capacity: bytes of memory; by default the number in the file's name, if there is one.

    Raises:
        InputError: naming file and line, and what was expected there.
    """
    rows = read_rows(path, COLUMNS, fold=True)
    table = np.array([_numbers(row, where) for where, row in rows], np.int64)
    ids = [row["id"] for _, row in rows]
    seen: set[str] = set()
    for name, (where, _) in zip(ids, rows, strict=True):
        if name in seen:
            raise InputError(where, f"expected an id of its own, found {name!r:.40} again")
        seen.add(name)
    if capacity is None:
        capacity = capacity_of(path)
    name = path.stem.partition(".")[0]
    return Allocation(name, tuple(ids), table[:, 0], table[:, 1], table[:, 2], capacity)
