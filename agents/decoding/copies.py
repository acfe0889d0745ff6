"""Copies of episodes in which decisions are tried out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.clock import cpu_s

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.agents.runtime import Session
    from graphsched.envs.core.domain import Domain
    from graphsched.envs.core.sim import BatchSim

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

LEAST = 1e-9  # of a usual cost


def release(sim: BatchSim[Any, Any], slots: Ints) -> None:
    """Hold all slots but these, (N,)."""
    held = np.ones(sim.num_slots, np.bool_)
    held[slots] = False
    sim.hold(held)


def reach_of(domain: Domain[Any, Any], horizon: float | None, instance: Any) -> float:
    """How far copies of an episode go: time, or decisions where the domain has no `Domain.span`."""
    if horizon is None:
        return np.inf
    return horizon if domain.span is None else horizon * domain.span(instance)


def outcomes(
    domain: Domain[Any, Any],
    sim: BatchSim[Any, Any],
    session: Session,
    copies: Ints,
    actions: Ints,
    reach: Floats,
    usual: Floats,
    deadline: float = np.inf,
) -> Floats | None:
    """(N,) costs of copies that a policy plays on with greedily; all other slots are held then.

    Where the domain says what an episode stands at, they are shares of its usual cost; otherwise
    the rewards, their sign turned.

    Args:
        domain: of the simulator.
        sim: where the copies are.
        session: of the policy.
        copies: (N,) slots, at the same decision as what they were copied from.
        actions: (N,) that they begin with.
        reach: (N,) how far each goes, see `reach_of`.
        usual: (N,) cost of an episode of the kind, where the domain says what one stands at.
        deadline: processor time at which it is given up, and nothing returned.
    """
    gone, worth, limit = (np.zeros(sim.num_slots) for _ in range(3))
    limit[copies] = reach
    release(sim, copies)
    while True:
        if cpu_s() >= deadline:
            return None
        done = sim.step(actions)
        worth[done.slots] += done.rewards
        gone[done.slots] += 1.0 if domain.span is None else done.elapsed
        release(sim, copies[gone[copies] < limit[copies]])
        obs = sim.observe()
        if not len(obs["slot"]):
            break
        actions = session.act(obs, np.zeros(len(obs["slot"])), greedy=True).actions
    if domain.standing is None:
        return -worth[copies]
    return np.asarray(domain.standing(sim, copies.tolist(), usual.tolist()) / usual)


def usual_costs(
    domain: Domain[Any, Any], sim: BatchSim[Any, Any], session: Session, slots: Ints
) -> Floats:
    """(N,) what episodes cost that a policy plays to the end; 1 where nobody asks for it."""
    if domain.standing is None:
        return np.ones(len(slots))
    release(sim, slots)
    while len((obs := sim.observe())["slot"]):
        sim.step(session.act(obs, np.zeros(len(obs["slot"])), greedy=True).actions)
    return np.maximum(sim.costs()[slots], LEAST)
