"""Linear priority rules over candidate features: the baseline that a network has to beat.

The score of a candidate is the dot product of its feature row with a weight vector. `linear_costs`
evaluates many weight vectors on many instances in one batch; `linear_solver` is a baseline.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.core.parts.documents import read_number
from graphsched.envs.core.parts.reading import parse_json, read_text, within

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from graphsched.envs.core.domain import SolverOptions
    from graphsched.envs.core.graph import GraphSchema
    from graphsched.envs.core.sim import BatchSim

InstanceT = TypeVar("InstanceT")
SolutionT = TypeVar("SolutionT")
PERTURBATION = 0.1  # standard deviation of weights in best-of-N runs, relative to their spread
MAX_SLOTS = 512


@kernel
def _choose(
    candidate: NDArray[np.float32],  # (C, F)
    ptr: NDArray[np.int64],  # (N + 1,)
    weights: NDArray[np.float32],  # (N, F), one row per block
) -> NDArray[np.int64]:
    actions = np.zeros(len(ptr) - 1, np.int64)
    for i in range(len(ptr) - 1):
        best = np.float32(-np.inf)
        for row in range(ptr[i], ptr[i + 1]):
            score = np.float32(0.0)
            for f in range(candidate.shape[1]):
                score += candidate[row, f] * weights[i, f]
            if score > best:
                best = score
                actions[i] = row - ptr[i]
    return actions


def _run(sim: BatchSim[Any, Any], weights: NDArray[np.float32]) -> None:
    """Play all slots to the end; weights: (num_slots, F)."""
    while len((obs := sim.observe())["slot"]):
        sim.step(_choose(obs["candidate"], obs["candidate_ptr"], weights[obs["slot"]]))


def linear_costs(
    simulator: Callable[[int, Any], BatchSim[InstanceT, Any]],
    options: Any,
    instances: Sequence[InstanceT],
    weights: NDArray[np.float32],
    seed: int = 0,
) -> NDArray[np.float64]:
    """(P, I) costs of P weight vectors (P, F) on I instances, common random numbers throughout."""
    costs = np.empty((len(weights), len(instances)))
    share = max(1, MAX_SLOTS // len(instances))
    for first in range(0, len(weights), share):
        part = np.asarray(weights[first : first + share], np.float32)
        slots = len(part) * len(instances)
        sim = simulator(slots, options)
        seeds = [seed + i for i in range(len(instances))]
        sim.reset(range(slots), list(instances) * len(part), seeds * len(part))
        _run(sim, np.repeat(part, len(instances), axis=0))
        costs[first : first + share] = sim.costs().reshape(len(part), len(instances))
    return costs


def linear_solver(
    simulator: Callable[[int, Any], BatchSim[InstanceT, SolutionT]],
    options: Any,
    weights: NDArray[np.float32],
    told: SolverOptions,
) -> Callable[[InstanceT], SolutionT]:
    """Solver by a linear rule; of several samples the best of runs with perturbed weights.

    The first run is the rule itself, so that more runs never hurt.

    Args:
        simulator: (number of slots, options) -> simulator.
        options: of the simulator.
        weights: (F,) one for each candidate feature.
        told: samples, seed and temperature, the standard deviation of a weight over their mean
            size (`PERTURBATION` if None).
    """
    spread = PERTURBATION if told.temperature is None else told.temperature

    def solve(instance: InstanceT) -> SolutionT:
        rng = np.random.default_rng(told.seed)
        best: tuple[float, SolutionT] | None = None
        for first in range(0, told.samples, MAX_SLOTS // 4):
            runs = min(MAX_SLOTS // 4, told.samples - first)
            noise = spread * rng.standard_normal((runs, len(weights)))
            if first == 0:
                noise[0] = 0.0
            sim = simulator(runs, options)
            sim.reset(range(runs), [instance] * runs, [told.seed] * runs)
            _run(sim, (weights + noise * np.abs(weights).mean()).astype(np.float32))
            costs = sim.costs()
            winner = int(np.argmin(costs))
            if best is None or costs[winner] < best[0]:
                best = float(costs[winner]), sim.solution(winner)
        assert best is not None
        return best[1]

    return solve


def save_weights(schema: GraphSchema, weights: NDArray[np.float32], **facts: Any) -> str:
    """JSON text of a weight vector by feature name, with the facts of its training."""
    named = {f.name: float(w) for f, w in zip(schema.candidate, weights, strict=True)}
    return json.dumps({"schema": 1, **facts, "weights": named}, indent=1) + "\n"


def load_weights(schema: GraphSchema, path: Path) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Weights in the schema's order, and the document; raises InputError if features differ.

    Columns of candidates are added at the end only: those that a file lacks there, being older, weigh
    nothing.
    """
    document = parse_json(read_text(path), path)
    columns = [feature.name for feature in schema.candidate]
    try:
        named = dict(document["weights"])
        known = max((i + 1 for i, name in enumerate(columns) if name in named), default=1)
        values = [named.pop(name) for name in columns[:known]] + [0] * (len(columns) - known)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(path, f"expected weights of the candidate features: {error!r}") from None
    if named:
        raise InputError(path, f"weights of unknown features {list(named)!r:.60}")
    names = [f"weights.{name}" for name in columns]
    weights = within(path, lambda: list(map(read_number, values, names)))
    return np.array(weights, np.float32), document
