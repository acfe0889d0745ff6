"""Programs to map: instructions in a fixed order that read and write buffers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.documents import (
    check_head,
    check_names,
    read_integer,
    read_list,
    read_name,
)
from graphsched.envs.core.parts.values import PythonScalars, count, number, python_scalars
from graphsched.envs.memory.hardware.machine import Machine, machine_from_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

KINDS = ("temporary", "input", "output", "parameter", "state")
LIVE_IN = ("input", "parameter", "state")  # in slow memory when the program starts
LIVE_OUT = ("output", "state")  # wanted in slow memory when it ends


@dataclass(frozen=True)
class Buffer(PythonScalars):
    """A tensor.

    Attributes:
        name: shown in pictures.
        size: bytes, may be zero.
        kind: one of `KINDS`; a ``state`` is read and updated (an optimizer's, a cache).
        alias: index of the buffer whose memory it shares (a view, an in-place result), if any.
    """

    name: str
    size: int
    kind: str = "temporary"
    alias: int | None = None


@dataclass(frozen=True)
class Instruction(PythonScalars):
    """An operator.

    Attributes:
        name: shown in pictures.
        flops: arithmetic operations.
        reads, writes: (buffer, bytes) pairs; the bytes are those touched, the buffer's size
            unless a part is (a gather from a table, say).
    """

    name: str
    flops: float
    reads: tuple[tuple[int, int], ...] = ()
    writes: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, eq=False)
class MemoryInstance:
    """A program and the machine it runs on. Minimise latency, us.

    Buffers that alias share one *storage*; what is decided, storage by storage and *access* by
    access, is whether an instruction finds its operand in fast memory. An access is an (instruction,
    storage) pair, in program order.

    Attributes:
        name: shown in reports.
        buffers, instructions: the program.
        machine: the machine.
    """

    name: str
    buffers: tuple[Buffer, ...]
    instructions: tuple[Instruction, ...]
    machine: Machine

    def __post_init__(self) -> None:
        """Validate; raises InputError naming the field."""
        python_scalars(self)
        if not self.instructions:
            raise InputError("instructions", "expected at least one")
        for i, buffer in enumerate(self.buffers):
            where = f"buffers[{i}]"
            count(buffer.size, f"{where}.size")
            if buffer.kind not in KINDS:
                raise InputError(f"{where}.kind", f"{buffer.kind!r:.40} is not one of {KINDS}")
            if buffer.alias is not None and not 0 <= buffer.alias < len(self.buffers):
                raise InputError(
                    f"{where}.alias",
                    f"expected a buffer below {len(self.buffers)}, found {buffer.alias}",
                )
        for i, instruction in enumerate(self.instructions):
            self._check_instruction(instruction, f"instructions[{i}]")
        self._check_order()

    def _check_instruction(self, instruction: Instruction, where: str) -> None:
        if number(instruction.flops, f"{where}.flops") < 0:
            raise InputError(f"{where}.flops", f"expected >= 0, found {instruction.flops}")
        for word in ("reads", "writes"):
            for buffer, size in getattr(instruction, word):
                count(buffer, f"{where}.{word}")
                if buffer >= len(self.buffers):
                    raise InputError(
                        f"{where}.{word}",
                        f"expected buffers below {len(self.buffers)}, found {buffer}",
                    )
                count(size, f"{where}.{word} bytes")

    def _check_order(self) -> None:
        """Nothing is read before it is written."""
        there = self.live_in.copy()
        for i, instruction in enumerate(self.instructions):
            for buffer, _ in instruction.reads:
                if not there[self.storage[buffer]]:
                    problem = f"reads {self.buffers[buffer].name!r:.40} before anything wrote it"
                    raise InputError(f"instructions[{i}]", problem)
            there[[self.storage[buffer] for buffer, _ in instruction.writes]] = True

    @cached_property
    def storage(self) -> Ints:
        """(num_buffers,) the storage of each buffer, numbered by first appearance.

        Raises:
            InputError: aliases form a circle.
        """
        roots = np.full(len(self.buffers), -1, np.int64)
        for i in range(len(self.buffers)):
            at, chain = i, [i]
            while roots[at] < 0 and (after := self.buffers[at].alias) is not None:
                at = after
                chain.append(at)
                if len(chain) > len(self.buffers):
                    raise InputError(f"buffers[{i}].alias", "aliases form a circle")
            roots[chain] = at if roots[at] < 0 else roots[at]
        _, first, index = np.unique(roots, return_index=True, return_inverse=True)
        rank = np.empty(len(first), np.int64)
        rank[np.argsort(first)] = np.arange(len(first))
        return rank[index]

    @property
    def num_storages(self) -> int:
        """Number of storages."""
        return int(self.storage.max(initial=-1)) + 1

    def _any_of(self, kinds: Sequence[str]) -> NDArray[np.bool_]:
        out = np.zeros(self.num_storages, np.bool_)
        mine = [k for k, buffer in enumerate(self.buffers) if buffer.kind in kinds]
        out[self.storage[mine]] = True
        return out

    @cached_property
    def live_in(self) -> NDArray[np.bool_]:
        """(num_storages,) in slow memory when the program starts."""
        return self._any_of(LIVE_IN)

    @cached_property
    def live_out(self) -> NDArray[np.bool_]:
        """(num_storages,) wanted in slow memory when the program ends."""
        return self._any_of(LIVE_OUT)

    @cached_property
    def size(self) -> Ints:
        """(num_storages,) bytes: the largest of the buffers that share it."""
        out = np.zeros(self.num_storages, np.int64)
        np.maximum.at(out, self.storage, [buffer.size for buffer in self.buffers])
        return out

    @cached_property
    def representative(self) -> Ints:
        """(num_storages,) the first buffer of each."""
        return np.unique(self.storage, return_index=True)[1]

    @cached_property
    def flops(self) -> Floats:
        """(num_instructions,) arithmetic operations."""
        return np.array([instruction.flops for instruction in self.instructions])

    @cached_property
    def accesses(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Of each access: instruction, storage, bytes read, bytes written.

        In program order. An access to nothing (a storage of zero bytes) is none.
        """
        rows: list[tuple[int, int, int, int]] = []
        for i, instruction in enumerate(self.instructions):
            merged: dict[int, list[int]] = {}
            for which, pairs in enumerate((instruction.reads, instruction.writes)):
                for buffer, size in pairs:
                    entry = merged.setdefault(int(self.storage[buffer]), [0, 0, 0])
                    entry[which] += size
                    entry[2] |= which
            rows += [
                (i, g, read, max(written, wrote))
                for g, (read, written, wrote) in merged.items()
                if self.size[g]
            ]
        table = np.array(rows, np.int64).reshape(-1, 4)
        return table[:, 0], table[:, 1], table[:, 2], table[:, 3]

    @property
    def num_instructions(self) -> int:
        """Number of instructions."""
        return len(self.instructions)

    @property
    def num_accesses(self) -> int:
        """Number of accesses, so of decisions in the step-wise game at most."""
        return len(self.accesses[0])

    def to_json(self) -> dict[str, Any]:
        """JSON document; `instance_from_json` reads it back."""
        return {
            "schema": 1,
            "domain": "memory",
            "name": self.name,
            "machine": self.machine.to_json(),
            "buffers": [
                {"name": b.name, "size": b.size, "kind": b.kind}
                | ({} if b.alias is None else {"alias": b.alias})
                for b in self.buffers
            ],
            "instructions": [
                {
                    "name": i.name,
                    "flops": i.flops,
                    "reads": self._words(i.reads),
                    "writes": self._words(i.writes),
                }
                for i in self.instructions
            ],
        }

    def _words(self, pairs: Sequence[tuple[int, int]]) -> list[int | list[int]]:
        """A buffer's number alone where all of it is touched."""
        return [b if size == self.buffers[b].size else [b, size] for b, size in pairs]


def _pairs(words: Any, buffers: Sequence[Buffer], where: str) -> tuple[tuple[int, int], ...]:
    out = []
    for k, word in enumerate(read_list(words, where, "buffers")):
        at = f"{where}[{k}]"
        buffer, *size = word if isinstance(word, list) and len(word) == 2 else [word]
        read_integer(buffer, at, 0, len(buffers) - 1)
        size = [count(s, f"{at} bytes") for s in size] or [buffers[buffer].size]
        out.append((buffer, size[0]))
    return tuple(out)


def instance_from_json(document: Any) -> MemoryInstance:
    """Inverse of `MemoryInstance.to_json`; raises InputError naming the field.

    ``machine`` may be the name of a preset.
    """
    needed = ("buffers", "instructions", "machine")
    check_head(document, "memory", needed, ("name",), what="instance")
    buffers = [
        _buffer(row, f"buffers[{i}]", f"buffer-{i}")
        for i, row in enumerate(read_list(document["buffers"], "buffers", "objects"))
    ]
    instructions = tuple(
        _instruction(row, f"instructions[{i}]", f"instruction-{i}", buffers)
        for i, row in enumerate(read_list(document["instructions"], "instructions", "objects"))
    )
    return MemoryInstance(
        read_name(document.get("name", "unnamed"), "name"),
        tuple(buffers),
        instructions,
        machine_from_json(document["machine"]),
    )


def _buffer(row: Any, where: str, name: str) -> Buffer:
    check_names(row, ("size",), ("name", "kind", "alias"), f"{where}.")
    alias = row.get("alias")
    return Buffer(
        read_name(row.get("name", name), f"{where}.name"),
        count(row["size"], f"{where}.size"),
        read_name(row.get("kind", "temporary"), f"{where}.kind"),
        alias if alias is None else count(alias, f"{where}.alias"),
    )


def _instruction(row: Any, where: str, name: str, buffers: Sequence[Buffer]) -> Instruction:
    check_names(row, (), ("name", "flops", "reads", "writes"), f"{where}.")
    return Instruction(
        read_name(row.get("name", name), f"{where}.name"),
        number(row.get("flops", 0), f"{where}.flops"),
        _pairs(row.get("reads", []), buffers, f"{where}.reads"),
        _pairs(row.get("writes", []), buffers, f"{where}.writes"),
    )
