"""Learning which moves help: tried moves and what they saved, and a network fitted to tell them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphsched.envs.memory.improving.ejections import EJECTION
from graphsched.envs.memory.improving.orders import ORDER_MOVE
from graphsched.envs.memory.improving.scorer import Scorer
from graphsched.envs.memory.improving.searching import (
    begin_search,
    search_orders,
    search_runs,
    settle,
)
from graphsched.envs.memory.physics.mapping import best_order
from graphsched.envs.memory.physics.orders import fixed_orders
from graphsched.envs.memory.physics.program import problem_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

    from graphsched.envs.memory.improving.rounds import Ranking
    from graphsched.envs.memory.instance import MemoryInstance

    F32 = NDArray[np.float32]

BATCH = 8192
RATE = 5e-3  # of the first step; falls to nothing
BETAS, ROUNDING = (0.9, 0.999), 1e-8  # of Adam (Kingma and Ba 2015)
DECAY = 1e-3  # of weights, decoupled (Loshchilov and Hutter 2019)
LEAST_SAVED = 1e-9  # share of the latency: what is less is rounding
MOST_COUNTED = (
    4.0  # a move that saves more than the mean of those that help counts so often at most
)


class Tried(NamedTuple):
    """M moves of one kind with F features."""

    rows: F32  # (M, F)
    saved: F32  # (M,) share of the latency


def joined(parts: Sequence[Tried]) -> Tried:
    """All moves of several logs."""
    return Tried(np.concatenate([t.rows for t in parts]), np.concatenate([t.saved for t in parts]))


def try_moves(
    instance: MemoryInstance, ranking: Ranking, tries: int, seed: int
) -> tuple[Tried, Tried]:
    """Moves of both kinds from the best of the fixed orders, chosen by a ranking."""
    p = problem_of(instance)
    s = begin_search(p, best_order(p, fixed_orders(p)))
    words = np.random.SeedSequence(seed).generate_state(2).tolist()
    orders = Tried(np.zeros((tries, len(ORDER_MOVE)), np.float32), np.zeros(tries, np.float32))
    runs = Tried(np.zeros((tries, len(EJECTION)), np.float32), np.zeros(tries, np.float32))
    first, second = ranking.offered
    cost = search_orders(p, s, ranking.order_moves, settle(p, s), tries, first, words[0], *orders)
    search_runs(p, s, ranking.runs, cost, tries, second, words[1], *runs)
    return _made(orders), _made(runs)


def _made(tried: Tried) -> Tried:
    """Without the tries for which there was no move."""
    real = tried.rows.any(axis=1)
    return Tried(tried.rows[real], tried.saved[real])


def fit(
    tried: Tried, units: int, epochs: int, noise: float, rng: Generator
) -> tuple[Scorer, float]:
    """A scorer of what helps, and which share of that is among the best sixteenth by it.

    Logistic loss; a move that helps counts by what it saves.
    """
    rows = tried.rows.astype(np.float64)
    mean, scale = rows.mean(axis=0), 1.0 / np.maximum(rows.std(axis=0), 1e-3)
    x = ((rows - mean) * scale).astype(np.float32)
    helps = tried.saved > LEAST_SAVED
    weight = np.ones(len(x), np.float32)
    usual = tried.saved[helps].mean() if helps.any() else 1.0
    weight[helps] = np.minimum(np.sqrt(tried.saved[helps] / usual), MOST_COUNTED)
    net = _descend(x, helps.astype(np.float32), weight, units, epochs, rng)
    value = _forward(net, x)[1]
    best = np.argsort(-value)[: len(x) // 16]
    inner = net[0] * scale[:, None]
    bias = net[1] - mean @ inner
    scorer = Scorer(_plain(inner), _plain(bias), _plain(net[2]), noise)
    return scorer, float(helps[best].sum() / max(helps.sum(), 1))


def _plain(weights: NDArray[Any]) -> F32:
    return np.ascontiguousarray(weights, np.float32)


Net = list[np.ndarray]  # inner (F, H), bias (H,), outer (H,), constant (1,)


def _forward(net: Net, x: F32) -> tuple[F32, F32]:
    """Hidden units (M, H) and log odds (M,)."""
    hidden = np.maximum(x @ net[0] + net[1], 0.0)
    return hidden, hidden @ net[2] + net[3][0]


def _gradient(net: Net, x: F32, y: F32, weight: F32) -> Net:
    """Of the mean logistic loss."""
    hidden, value = _forward(net, x)
    error = weight * (1.0 / (1.0 + np.exp(-value)) - y) / len(x)
    back = (hidden > 0) * np.outer(error, net[2])
    return [x.T @ back, back.sum(axis=0), hidden.T @ error, error.sum(keepdims=True)]


def _descend(x: F32, y: F32, weight: F32, units: int, epochs: int, rng: Generator) -> Net:
    """Adam over shuffled batches, the rate falling to nothing."""
    size = x.shape[1]
    net = [
        rng.standard_normal((size, units)) * np.sqrt(2.0 / size),
        np.zeros(units),
        rng.standard_normal(units) / np.sqrt(units),
        np.array([np.log(max(y.mean(), 1e-6))]),
    ]
    net = [w.astype(np.float32) for w in net]
    first, second = ([np.zeros_like(w) for w in net] for _ in range(2))
    batches = -(-len(x) // BATCH)
    for step in range(steps := epochs * batches):
        if step % batches == 0:
            shuffled = rng.permutation(len(x))
        mine = shuffled[step % batches * BATCH :][:BATCH]
        rate = RATE * (1.0 - step / steps)
        parts = zip(net, first, second, _gradient(net, x[mine], y[mine], weight[mine]), strict=True)
        for w, m, v, g in parts:
            m += (1.0 - BETAS[0]) * (g - m)
            v += (1.0 - BETAS[1]) * (g * g - v)
            sure = m / (1.0 - BETAS[0] ** (step + 1))
            spread = np.sqrt(v / (1.0 - BETAS[1] ** (step + 1))) + ROUNDING
            w -= rate * (sure / spread + DECAY * w)
    return net
