"""Whether a mapping keeps the rules, and its latency: from the instance and the mapping alone."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.domain import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from graphsched.envs.memory.instance import MemoryInstance
    from graphsched.envs.memory.solution import MemorySolution

MOST = 100  # violations reported
TOLERANCE = 1e-6  # relative, of bytes and of latency


class Copy(NamedTuple):
    """Bytes to be moved during the instructions [first, last]."""

    first: int
    last: int
    size: int
    what: str


class Access(NamedTuple):
    """An access to a storage."""

    time: int
    touched: int  # bytes
    writes: bool


def latency(instance: MemoryInstance, solution: MemorySolution) -> float:
    """Time of all instructions, us."""
    return float(_durations(instance, _split(instance, solution)).sum())


def _split(instance: MemoryInstance, solution: MemorySolution) -> NDArray[np.float64]:
    """(2, T) bytes that each instruction finds in slow and in fast memory."""
    stays: dict[int, list[tuple[int, int]]] = {}
    for g, start, end in zip(
        solution.storage.tolist(), solution.start.tolist(), solution.end.tolist(), strict=True
    ):
        stays.setdefault(g, []).append((start, end))
    out = np.zeros((2, instance.num_instructions))
    for t, g, read, written in zip(*(row.tolist() for row in instance.accesses), strict=True):
        fast = any(start <= t < end for start, end in stays.get(g, ()))
        out[int(fast), t] += read + written
    return out


def _durations(instance: MemoryInstance, touched: NDArray[np.float64]) -> NDArray[np.float64]:
    machine = instance.machine
    slow, fast = touched
    moving = slow / machine.slow_bandwidth + fast / machine.fast_bandwidth
    return np.asarray(1e6 * np.maximum(instance.flops / machine.flops_per_s, moving))


def _spare(instance: MemoryInstance, touched: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T,) bytes that copies can move during each instruction.

    The instruction's own traffic goes first on the link to slow memory; the copy engines move no
    more than they could if all operands were in fast memory.
    """
    machine = instance.machine
    seconds = _durations(instance, touched) / 1e6
    quickest = np.maximum(
        instance.flops / machine.flops_per_s, touched.sum(axis=0) / machine.fast_bandwidth
    )
    left = seconds * machine.slow_bandwidth - touched[0]
    return np.asarray(np.minimum(left, quickest * machine.copy_bandwidth))


def check(instance: MemoryInstance, solution: MemorySolution) -> list[Violation]:
    """Every broken rule: places, contents, copies, and the claimed latency."""
    out: list[Violation] = []
    copies: list[Copy] = []
    for violation in _all(instance, solution, copies):
        out.append(violation)
        if len(out) == MOST:
            return out
    out += _check_copies(instance, solution, copies)
    true = latency(instance, solution)
    if not abs(true - solution.cost) <= TOLERANCE * max(true, 1e-12):
        out.append(Violation("cost", f"latency is {true:g} us, claimed {solution.cost:g} us"))
    return out[:MOST]


def _all(
    instance: MemoryInstance, solution: MemorySolution, copies: list[Copy]
) -> Iterator[Violation]:
    yield from _check_places(instance, solution)
    yield from _check_overlaps(instance, solution)
    yield from _check_contents(instance, solution, copies)


def _name(instance: MemoryInstance, g: int) -> str:
    return f"storage {g} ({instance.buffers[int(instance.representative[g])].name})"


def _check_places(instance: MemoryInstance, solution: MemorySolution) -> Iterator[Violation]:
    machine = instance.machine
    for r, g in enumerate(solution.storage.tolist()):
        start, end, offset = (int(getattr(solution, f)[r]) for f in ("start", "end", "offset"))
        what = f"{_name(instance, g)}, residency {r}"
        if start >= end or start < 0 or end > instance.num_instructions:
            yield Violation("interval", f"{what}: instructions [{start}, {end})")
        if offset % machine.alignment:
            yield Violation("alignment", f"{what}: offset {offset} % {machine.alignment} != 0")
        top = offset + int(instance.size[g])
        if offset < 0 or top > machine.fast_capacity:
            yield Violation(
                "capacity", f"{what}: bytes {offset} to {top} of {machine.fast_capacity}"
            )


def _check_overlaps(instance: MemoryInstance, solution: MemorySolution) -> Iterator[Violation]:
    """Sweep over time: a residency that begins is compared with those that last."""
    size = instance.size[solution.storage]
    low, high = solution.offset, solution.offset + size
    lasting: list[int] = []
    for r in np.argsort(solution.start, kind="stable").tolist():
        lasting = [o for o in lasting if solution.end[o] > solution.start[r]]
        for o in lasting:
            same = solution.storage[o] == solution.storage[r]
            if same or (low[o] < high[r] and low[r] < high[o]):
                names = (_name(instance, int(solution.storage[k])) for k in (o, r))
                at = int(solution.start[r])
                yield Violation("overlap", f"{' and '.join(names)} at instruction {at}")
        lasting.append(r)


def _check_contents(
    instance: MemoryInstance, solution: MemorySolution, copies: list[Copy]
) -> Iterator[Violation]:
    """Every access finds current contents; adds the copies that this takes."""
    accesses: dict[int, list[Access]] = {}
    for t, g, read, written in zip(*(row.tolist() for row in instance.accesses), strict=True):
        accesses.setdefault(g, []).append(Access(t, read + written, written > 0))
    stays: dict[int, list[tuple[int, int]]] = {}
    for r in np.argsort(solution.start, kind="stable").tolist():
        stay = (int(solution.start[r]), int(solution.end[r]))
        stays.setdefault(int(solution.storage[r]), []).append(stay)
    for g, mine in stays.items():
        for start, end in mine:
            inside = [k for k, a in enumerate(accesses.get(g, [])) if start <= a.time < end]
            if inside:
                yield from _check_stay(instance, g, accesses[g], (start, end), inside, copies)
            else:
                yield Violation("idle", f"{_name(instance, g)}: [{start}, {end}) serves no access")


def _check_stay(
    instance: MemoryInstance,
    g: int,
    accesses: list[Access],
    stay: tuple[int, int],
    inside: list[int],
    copies: list[Copy],
) -> Iterator[Violation]:
    name, size = _name(instance, g), int(instance.size[g])
    first, last = inside[0], inside[-1]
    produced = first == 0 and not instance.live_in[g]
    if not produced:
        if stay[0] >= accesses[first].time:
            at = accesses[first].time
            yield Violation("copy", f"{name}: no time to copy it in before instruction {at}")
        copies.append(Copy(stay[0], accesses[first].time - 1, size, f"{name} copied in"))
    dirty = any(accesses[k].writes for k in inside)
    if dirty and (last + 1 < len(accesses) or instance.live_out[g]):
        if stay[1] <= accesses[last].time + 1:
            at = accesses[last].time
            yield Violation("write-back", f"{name}: written, and lost after instruction {at}")
        copies.append(Copy(accesses[last].time + 1, stay[1] - 1, size, f"{name} written back"))


def _check_copies(
    instance: MemoryInstance, solution: MemorySolution, copies: list[Copy]
) -> list[Violation]:
    """All copies fit if the most urgent always goes first (which is optimal for one link)."""
    spare = _spare(instance, _split(instance, solution))
    waiting = sorted((c for c in copies if c.first <= c.last), key=lambda c: c.first)
    active: list[tuple[int, int]] = []
    left = [float(c.size) for c in waiting]
    out, k = [], 0
    for t in range(instance.num_instructions):
        while k < len(waiting) and waiting[k].first <= t:
            heapq.heappush(active, (waiting[k].last, k))
            k += 1
        room = float(spare[t])
        while active and room > 0:
            part = min(room, left[active[0][1]])
            left[active[0][1]] -= part
            room -= part
            if left[active[0][1]] <= TOLERANCE * waiting[active[0][1]].size:
                heapq.heappop(active)
        while active and active[0][0] <= t:
            _, late = heapq.heappop(active)
            copy = waiting[late]
            out.append(
                Violation(
                    "bandwidth",
                    f"{copy.what}: {left[late]:g} of {copy.size} bytes left after {copy.last}",
                )
            )
    return out
