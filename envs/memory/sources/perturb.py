"""A small random change of a program or its machine, for searches over instances."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.perturbing import changed, draw_factor

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from graphsched.envs.memory.instance import Instruction, MemoryInstance

    Change = Callable[["MemoryInstance", np.random.Generator], "MemoryInstance"]

SPREAD = 0.7  # standard deviation of the logarithm of a changed number over the one before
MOST_BYTES = 2**40
TRIES = 20  # an order of instructions may be impossible


def _bytes(size: int, factor: float) -> int:
    """A size times a factor; another one unless there is no room."""
    out = round(max(size, 1) * factor)
    return min(max(out + (out == size), 1), MOST_BYTES)


def _size(instance: MemoryInstance, rng: np.random.Generator) -> MemoryInstance:
    """A buffer's size, and with it what instructions touch of the buffer."""
    k, factor = int(rng.integers(len(instance.buffers))), draw_factor(rng, SPREAD)
    buffers = list(instance.buffers)
    before = buffers[k].size
    after = _bytes(before, factor)
    buffers[k] = replace(buffers[k], size=after)

    def touched(pairs: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
        return tuple(
            (b, size if b != k else after if size == before else _bytes(size, factor))
            for b, size in pairs
        )

    instructions = tuple(
        replace(one, reads=touched(one.reads), writes=touched(one.writes))
        for one in instance.instructions
    )
    return replace(instance, buffers=tuple(buffers), instructions=instructions)


def _flops(instance: MemoryInstance, rng: np.random.Generator) -> MemoryInstance:
    """An instruction's arithmetic; one without any gets the mean."""
    i = int(rng.integers(len(instance.instructions)))
    mean = float(instance.flops.mean()) or 1.0
    flops = (instance.instructions[i].flops or mean) * draw_factor(rng, SPREAD)
    return _with_instruction(instance, i, replace(instance.instructions[i], flops=flops))


def _with_instruction(instance: MemoryInstance, i: int, changed: Instruction) -> MemoryInstance:
    instructions = (*instance.instructions[:i], changed, *instance.instructions[i + 1 :])
    return replace(instance, instructions=instructions)


def _capacity(instance: MemoryInstance, rng: np.random.Generator) -> MemoryInstance:
    """The size of fast memory, by half as much as other numbers."""
    machine = instance.machine
    capacity = _bytes(machine.fast_capacity, draw_factor(rng, SPREAD) ** 0.5)
    return replace(instance, machine=machine.with_capacity(capacity))


def _bandwidth(instance: MemoryInstance, rng: np.random.Generator) -> MemoryInstance:
    """One of the machine's rates; fast memory stays at least as fast as slow memory."""
    machine, factor = instance.machine, draw_factor(rng, SPREAD) ** 0.5
    name = ("flops_per_s", "slow_bandwidth", "fast_bandwidth", "copy_bandwidth")[rng.integers(4)]
    rate = getattr(machine, name) * factor
    if name == "slow_bandwidth":
        rate = min(rate, machine.fast_bandwidth)
    if name == "fast_bandwidth":
        rate = max(rate, machine.slow_bandwidth)
    return replace(instance, machine=replace(machine, **{name: rate}))


def _order(instance: MemoryInstance, rng: np.random.Generator) -> MemoryInstance:
    """An instruction changes places with the next, where nothing is read before it is written."""
    instructions = list(instance.instructions)
    for _ in range(TRIES if len(instructions) > 1 else 0):
        i = int(rng.integers(len(instructions) - 1))
        swapped = (*instructions[:i], instructions[i + 1], instructions[i], *instructions[i + 2 :])
        try:
            return replace(instance, instructions=swapped)
        except InputError:
            continue
    return _flops(instance, rng)


def _read(instance: MemoryInstance, rng: np.random.Generator) -> MemoryInstance:
    """An instruction reads a buffer more, or one less."""
    i = int(rng.integers(len(instance.instructions)))
    one = instance.instructions[i]
    if one.reads and rng.random() < 0.5:
        gone = int(rng.integers(len(one.reads)))
        reads = (*one.reads[:gone], *one.reads[gone + 1 :])
        return _with_instruction(instance, i, replace(one, reads=reads))
    touched = {b for b, _ in (*one.reads, *one.writes)}
    for _ in range(TRIES):
        b = int(rng.integers(len(instance.buffers)))
        if b in touched or not instance.buffers[b].size:
            continue
        reads = (*one.reads, (b, instance.buffers[b].size))
        try:
            return _with_instruction(instance, i, replace(one, reads=reads))
        except InputError:
            continue  # nothing has written it yet
    return _flops(instance, rng)


KINDS: tuple[tuple[Change, float], ...] = (
    (_size, 0.35),
    (_flops, 0.2),
    (_capacity, 0.15),
    (_bandwidth, 0.1),
    (_order, 0.1),
    (_read, 0.1),
)


def perturb(instance: MemoryInstance, rng: np.random.Generator) -> MemoryInstance:
    """The program with another size, operand, order or amount of work, or on another machine.

    Args:
        instance: left as it is.
        rng: source of randomness.
    """
    return changed(instance, rng, KINDS)
