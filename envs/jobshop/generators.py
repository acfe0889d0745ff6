"""Random job shop instances, and the toy one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.errors import InputError
from graphsched.envs.jobshop.instance import JobShopInstance

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

MAX_OPERATIONS = 10**6
_SIZE = re.compile(r"([0-9]{1,7})x([0-9]{1,7})", re.ASCII)
_MULTIPLIER, _MODULUS = 16807, 2**31 - 1

# every usual dispatching rule misses its optimum, and so does the lower bound (14)
TOY_JOBS = (((0, 5), (1, 1), (2, 2)), ((0, 2), (2, 3), (1, 5)), ((0, 4), (1, 1), (2, 5)))
TOY_OPTIMUM = 15.0


def _size(size: str, default: str) -> tuple[int, int]:
    """Jobs and machines of ``20x15``; raises InputError."""
    match = _SIZE.fullmatch(size or default)
    jobs, machines = map(int, match.groups()) if match else (0, 0)
    if not 1 <= jobs * machines <= MAX_OPERATIONS:
        problem = f"expected JOBSxMACHINES such as 20x15, at most {MAX_OPERATIONS} operations"
        raise InputError(f"size {size!r:.40}", problem)
    return jobs, machines


def _rectangular(
    name: str, machine: NDArray[np.int64], duration: NDArray[np.int64]
) -> JobShopInstance:
    """Instance in which every job visits every machine once; both arrays (jobs, machines)."""
    jobs, machines = machine.shape
    return JobShopInstance(
        f"{name}-{jobs}x{machines}",
        np.arange(0, jobs * machines + 1, machines),
        machine.ravel(),
        duration.ravel(),
        machines,
    )


def _uniform(rng: np.random.Generator, jobs: int, machines: int) -> JobShopInstance:
    order = rng.random((jobs, machines)).argsort(axis=1)  # 3x as fast as rng.permuted
    return _rectangular("uniform", order, rng.integers(1, 100, (jobs, machines)))


def uniform(rng: np.random.Generator, size: str = "") -> JobShopInstance:
    """Every job visits all machines in random order; durations uniform in 1..99.

    Args:
        rng: source of randomness.
        size: ``JOBSxMACHINES``, by default 10x10.

    Raises:
        InputError: the size is malformed.
    """
    return _uniform(rng, *_size(size, "10x10"))


def mixed(rng: np.random.Generator, size: str = "") -> JobShopInstance:
    """A `uniform` instance of random size with at least as many jobs as machines.

    Args:
        rng: source of randomness.
        size: smallest and largest size, by default ``10x10-30x20``: first the machines are drawn
            uniformly from their range, then the jobs from the part of theirs that is admissible.

    Raises:
        InputError: the size is malformed or admits no instance.
    """
    low, dash, high = (size or "10x10-30x20").partition("-")
    min_jobs, min_machines = _size(low, "-")
    max_jobs, max_machines = _size(high if dash else low, "-")
    if max_jobs < min_jobs or max_machines < min_machines or max_jobs < min_machines:
        problem = "expected a range such as 10x10-30x20 that admits jobs >= machines"
        raise InputError(f"size {size!r:.40}", problem)
    machines = int(rng.integers(min_machines, min(max_machines, max_jobs) + 1))
    return _uniform(rng, int(rng.integers(max(min_jobs, machines), max_jobs + 1)), machines)


def two_sets(rng: np.random.Generator, size: str = "") -> JobShopInstance:
    """Jobs visit the first half of the machines before the second, each half in random order.

    The likes of ``swv``, after Storer, Wu and Vaccari (1992), "New search spaces for sequencing
    problems with application to job shop scheduling"; durations uniform in 1..99.

    Args:
        rng: source of randomness.
        size: ``JOBSxMACHINES``, by default 20x10; with an odd number the second half is larger.

    Raises:
        InputError: the size is malformed.
    """
    jobs, machines = _size(size, "20x10")
    keys = rng.random((jobs, machines))
    keys[:, machines // 2 :] += 1.0
    return _rectangular("two-sets", keys.argsort(axis=1), rng.integers(1, 100, (jobs, machines)))


def _stream(seed: int, count: int) -> NDArray[np.float64]:
    """The first draws in (0, 1), (count,), of the generator that Taillard uses.

    Bratley, Fox and Schrage (1983), "A guide to simulation": x <- 16807 x mod 2^31 - 1.
    """
    powers = np.empty(count, np.int64)
    power = seed
    for i in range(count):
        power = power * _MULTIPLIER % _MODULUS
        powers[i] = power
    return powers / _MODULUS


def taillard(time_seed: int, machine_seed: int, jobs: int, machines: int) -> JobShopInstance:
    """Taillard's generator: with the published seeds it reproduces ta01 to ta80.

    Taillard (1993), "Benchmarks for basic scheduling problems", EJOR 64. Durations are uniform in
    1..99, drawn job by job; each job's machines are shuffled by swapping position i with a later
    or the same one.

    Raises:
        InputError: a seed is outside 1..2^31 - 2 or the size isn't positive.
    """
    for seed in (time_seed, machine_seed):
        if not 1 <= seed < _MODULUS:
            raise InputError(f"seed {seed}", f"expected 1 to {_MODULUS - 1}")
    _size(f"{jobs}x{machines}", "")
    size = jobs, machines
    duration = 1 + (_stream(time_seed, jobs * machines).reshape(size) * 99).astype(np.int64)
    draws = _stream(machine_seed, jobs * machines).reshape(size)
    order = np.tile(np.arange(machines), (jobs, 1))
    rows = np.arange(jobs)
    for i in range(machines):
        other = i + (draws[:, i] * (machines - i)).astype(np.int64)
        swapped = order[rows, other]
        order[rows, other] = order[:, i]
        order[:, i] = swapped
    return _rectangular("taillard", order, duration)


def random_taillard(rng: np.random.Generator, size: str = "") -> JobShopInstance:
    """Taillard's generator with random seeds; `size` as in `uniform`."""
    jobs, machines = _size(size, "10x10")
    time_seed, machine_seed = rng.integers(1, _MODULUS, 2).tolist()
    return taillard(time_seed, machine_seed, jobs, machines)


def toy(rng: np.random.Generator, size: str = "") -> JobShopInstance:
    """The same 3x3 instance every time, with optimum `TOY_OPTIMUM`; arguments are ignored."""
    del rng, size
    return JobShopInstance.from_jobs("toy", TOY_JOBS)


def irregular(rng: np.random.Generator, size: str = "") -> JobShopInstance:
    """All that a job shop may be: unequal jobs, revisited machines, idle times, release times.

    Jobs have 1 to 2 x machines operations on machines drawn with replacement; a fifth of the
    durations are zero. `size` as in `uniform`, by default 6x4.
    """
    jobs, machines = _size(size, "6x4")
    lengths = rng.integers(1, 2 * machines + 1, jobs)
    total = int(lengths.sum())
    return JobShopInstance(
        f"irregular-{jobs}x{machines}",
        np.concatenate([[0], np.cumsum(lengths)]),
        rng.integers(0, machines, total),
        rng.integers(1, 100, total) * (rng.random(total) < 0.8),
        machines,
        release_time=rng.integers(0, 200, jobs),
    )


GENERATORS: dict[str, Callable[[np.random.Generator, str], JobShopInstance]] = {
    "uniform": uniform,
    "random": uniform,
    "mixed": mixed,
    "two-sets": two_sets,
    "taillard": random_taillard,
    "toy": toy,
    "irregular": irregular,
}
