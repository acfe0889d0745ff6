"""Random crews, the toy one, and a small library."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from graphsched.envs.core.domain import Library
from graphsched.envs.core.errors import InputError
from tests.toy_domain.instance import CrewInstance, Job, Worker

if TYPE_CHECKING:
    import numpy as np

TOY_OPTIMUM = 15.0
SHAPES = ((), (0,), (0, 1))  # a task comes after none, one or all of the earlier ones


def toy(rng: np.random.Generator, size: str = "") -> CrewInstance:
    """The same three jobs every time; `TOY_OPTIMUM` is the least total flow time."""
    del rng, size
    jobs = (
        Job(0, (6,), ((),)),
        Job(1, (2, 1), ((), (0,))),
        Job(2, (3,), ((),)),
    )
    return CrewInstance(jobs, (Worker(1), Worker(2, can_rush=False)), name="toy")


def lonely(rng: np.random.Generator, size: str = "") -> CrewInstance:
    """One task and one worker: there is nothing to decide."""
    del size
    return CrewInstance((Job(3, (int(rng.integers(1, 9)),), ((),)),), (Worker(1, False),))


def random(rng: np.random.Generator, size: str = "") -> CrewInstance:
    """Jobs of one to three tasks; size is ``JOBSxWORKERS``. Raises InputError."""
    match = re.fullmatch(r"([1-9]\d?)x([1-9])", size or "5x2")
    if not match:
        raise InputError(f"size {size!r}", "expected JOBSxWORKERS such as 5x2")
    jobs, workers = map(int, match.groups())
    arrivals = rng.integers(0, 6 * jobs, jobs)
    arrivals.sort()
    crew = [Worker(int(rng.integers(1, 4)), bool(rng.random() < 0.5)) for _ in range(workers)]
    return CrewInstance(tuple(_job(rng, int(a)) for a in arrivals), tuple(crew), jitter=2)


def _job(rng: np.random.Generator, arrival: int) -> Job:
    tasks = int(rng.integers(1, 4))
    work = tuple(int(w) for w in rng.integers(1, 9, tasks))
    after = tuple(SHAPES[rng.integers(t + 1)] for t in range(tasks))
    return Job(arrival, work, after)


def _named(name: str) -> CrewInstance:
    if name not in LIBRARY.sets["all"]:
        raise InputError(f"instance {name!r}", f"not one of {', '.join(LIBRARY.sets['all'])}")
    jobs = tuple(Job(2 * j, (j + 1,), ((),)) for j in range(int(name[-2:])))
    return CrewInstance(jobs, (Worker(1), Worker(2)), name=name)


GENERATORS = {"random": random, "toy": toy, "lonely": lonely}
LIBRARY = Library(
    sets={
        "all": tuple(f"q{n:02d}" for n in range(1, 7)),
        "queues": tuple(f"q{n:02d}" for n in range(1, 7)),
        "queues:short": ("q01", "q02"),
    },
    load=_named,
)
