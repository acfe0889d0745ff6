"""Shapes of random task graphs: edges (2, E) over tasks numbered in topological order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Shape = Callable[[np.random.Generator, int], NDArray[np.int64]]


def _edges(pairs: list[tuple[int, int]]) -> NDArray[np.int64]:
    return np.array(sorted(set(pairs)), np.int64).reshape(-1, 2).T.copy()


def layered(rng: np.random.Generator, tasks: int) -> NDArray[np.int64]:
    """Layers of random width, about the square root of the tasks; inputs from the layer before."""
    mean = max(np.sqrt(tasks) * rng.uniform(0.5, 1.5), 1.0)
    first, last, pairs = 0, 1, []  # the layer before
    while last < tasks:
        width = min(int(rng.integers(1, int(2 * mean) + 1)), tasks - last)
        for i in range(last, last + width):
            inputs = rng.choice(
                np.arange(first, last), min(int(rng.integers(1, 4)), last - first), replace=False
            )
            pairs += [(int(j), i) for j in inputs]
        first, last = last, last + width
    return _edges(pairs)


def erdos(rng: np.random.Generator, tasks: int) -> NDArray[np.int64]:
    """Any earlier task feeds any later one with the same probability, two to four on average."""
    chance = min(2 * rng.uniform(1.0, 2.0) / max(tasks - 1, 1), 1.0)
    upper = np.triu(rng.random((tasks, tasks)) < chance, 1)
    return np.ascontiguousarray(np.argwhere(upper).T)


def fork_join(rng: np.random.Generator, tasks: int) -> NDArray[np.int64]:
    """A task forks into parallel ones, which join in a task, and so on."""
    width = max(int(rng.integers(2, max(int(np.sqrt(tasks)) + 2, 3))), 1)
    hub, pairs = 0, []
    while hub + 1 < tasks:
        arms = range(hub + 1, min(hub + 1 + width, tasks))
        pairs += [(hub, i) for i in arms]
        join = arms[-1] + 1
        if join >= tasks:
            break
        pairs += [(i, join) for i in arms]
        hub = join
    return _edges(pairs)


def gauss(rng: np.random.Generator, tasks: int) -> NDArray[np.int64]:
    """Gaussian elimination of the largest matrix with at most that many tasks (2 at least)."""
    del rng
    rows = 2
    while (rows + 1) ** 2 + (rows + 1) - 2 <= 2 * tasks:
        rows += 1
    number: dict[tuple[int, int], int] = {}
    for k in range(1, rows):
        for j in range(k, rows + 1):
            number[k, j] = len(number)  # j == k is the pivot of step k
    pairs = []
    for (k, j), i in number.items():
        if j > k:
            pairs.append((number[k, k], i))
            if (k + 1, j) in number:
                pairs.append((i, number[k + 1, j]))
    return _edges(pairs)


def fft(rng: np.random.Generator, tasks: int) -> NDArray[np.int64]:
    """Recursive calls and butterflies of the largest FFT with at most that many tasks (5 at least)."""
    del rng
    points = 2
    while 4 * points - 1 + 2 * points * int(np.log2(2 * points)) <= tasks:
        points *= 2
    pairs = [(i, child) for i in range(points - 1) for child in (2 * i + 1, 2 * i + 2)]
    row = list(range(points - 1, 2 * points - 1))  # leaves of the calls
    for stage in range(int(np.log2(points))):
        below = [row[-1] + 1 + i for i in range(points)]
        for i in range(points):
            pairs += [(row[i], below[i]), (row[i ^ (1 << stage)], below[i])]
        row = below
    return _edges(pairs)


def cholesky(rng: np.random.Generator, tasks: int) -> NDArray[np.int64]:
    """Tiled Cholesky factorisation with as many tiles as give at most that many tasks (4 at least)."""
    del rng
    tiles = 2
    while (tiles + 1) * (tiles + 2) * (tiles + 3) // 6 <= tasks:
        tiles += 1
    number: dict[tuple[int, int, int], int] = {}  # (step, row, column): what writes the tile
    for k in range(tiles):
        for i in range(k, tiles):
            number[k, i, k] = len(number)  # factor or solve
        for i in range(k + 1, tiles):
            for j in range(k + 1, i + 1):
                number[k, i, j] = len(number)  # update
    pairs = []
    for (k, i, j), task in number.items():
        if k > 0:
            pairs.append((number[k - 1, i, j], task))
        if j == k < i:
            pairs.append((number[k, k, k], task))
        if j > k:
            pairs += [(number[k, i, k], task), (number[k, j, k], task)]
    return _edges(pairs)


EXACT_SHAPES = ("layered", "erdos", "fork-join")  # take any number of tasks
SHAPES: dict[str, Shape] = {
    "layered": layered,
    "erdos": erdos,
    "fork-join": fork_join,
    "gauss": gauss,
    "fft": fft,
    "cholesky": cholesky,
}
