"""Beam search over the decisions of a policy, by copying simulator slots."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.clock import cpu_s

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.agents.decoding.options import Decoding
    from graphsched.agents.decoding.rollouts import Rollouts
    from graphsched.envs.core.domain import InstanceT, SolutionT


class Beam(NamedTuple):
    """What the slots of a simulator hold, by slot."""

    held: NDArray[np.bool_]  # (W,) the slot holds a prefix
    log_prob: NDArray[np.float64]  # (W,) of the prefix
    key: NDArray[np.float64]  # (W,) that prefixes are ranked by
    open: NDArray[np.bool_]  # (W,) the prefix is not complete


def beam_search(
    rollouts: Rollouts[InstanceT, SolutionT], decoding: Decoding, deadline: float
) -> list[SolutionT]:
    """The best complete solution that a beam comes to; nothing if it takes too long.

    Complete prefixes compete for a place in the beam like others: their solutions count from the
    moment of completion, and in a stochastic beam they must hold their place for the rest to stay
    a sample without replacement.
    """
    width = decoding.beam
    sim, session = rollouts.start(width, 1)
    rng = np.random.default_rng([decoding.seed, width]) if decoding.stochastic else None
    beam = _first_beam(width)
    best: list[SolutionT] = []
    best_cost = np.inf
    while beam.open.any():
        if cpu_s() > deadline:
            return []
        obs = sim.observe()
        logits, _ = session.logits(obs)
        grown = _expand(beam, obs["slot"], obs["candidate_ptr"], logits, decoding, rng)
        kept = _keep_best(grown, width)
        sources, targets, beam, actions = _place(kept, beam)
        if len(sources):
            sim.fork(sources.tolist(), targets.tolist())
        done = sim.step(actions[beam.open])
        finished = done.slots[done.dones]
        beam.open[finished] = False
        costs = sim.costs()
        for slot in finished.tolist():
            if costs[slot] < best_cost:
                best, best_cost = [sim.solution(slot)], float(costs[slot])
    return best


class _Entries(NamedTuple):
    """Prefixes that compete for the beam; E of them."""

    slot: NDArray[np.int64]  # (E,) that holds the prefix or its parent
    action: NDArray[np.int64]  # (E,) to take there, -1 for a complete prefix
    log_prob: NDArray[np.float64]  # (E,)
    key: NDArray[np.float64]  # (E,)


def _first_beam(width: int) -> Beam:
    first = np.arange(width) == 0
    return Beam(first, np.zeros(width), np.zeros(width), first.copy())


def _expand(
    beam: Beam,
    slots: NDArray[np.int64],
    ptr: NDArray[np.int64],
    logits: NDArray[np.float32],
    decoding: Decoding,
    rng: np.random.Generator | None,
) -> _Entries:
    """All one-step continuations of open prefixes, and the complete ones."""
    sizes = np.diff(ptr)
    slot = np.repeat(slots, sizes)
    log_prob = beam.log_prob[slot] + _log_softmax(logits / decoding.temperature, ptr)
    key = log_prob if rng is None else _perturbed(log_prob, beam.key[slots], ptr, rng)
    action = np.arange(len(logits)) - np.repeat(ptr[:-1], sizes)
    complete = np.flatnonzero(beam.held & ~beam.open)
    return _Entries(
        np.concatenate([slot, complete]),
        np.concatenate([action, np.full(len(complete), -1)]),
        np.concatenate([log_prob, beam.log_prob[complete]]),
        np.concatenate([key, beam.key[complete]]),
    )


def _log_softmax(logits: NDArray[np.float32], ptr: NDArray[np.int64]) -> NDArray[np.float64]:
    """(C,) log-probabilities within each block; no block is empty."""
    sizes = np.diff(ptr)
    wide = logits.astype(np.float64)
    shifted = wide - np.repeat(np.maximum.reduceat(wide, ptr[:-1]), sizes)
    total = np.log(np.add.reduceat(np.exp(shifted), ptr[:-1]))
    return np.asarray(shifted - np.repeat(total, sizes))


def _perturbed(
    log_prob: NDArray[np.float64],
    parent_key: NDArray[np.float64],
    ptr: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """(C,) Gumbel-perturbed log-probabilities whose maximum in each block is the parent's.

    Kool et al. (2019), appendix B.3, the form that is stable in floating point.
    """
    sizes = np.diff(ptr)
    drawn = log_prob + rng.gumbel(size=len(log_prob))
    largest = np.repeat(np.maximum.reduceat(drawn, ptr[:-1]), sizes)
    wanted = np.repeat(parent_key, sizes)
    with np.errstate(divide="ignore"):  # log(0) at the largest itself, which becomes the parent's
        shift = wanted - drawn + np.log1p(-np.exp(drawn - largest))
    return np.asarray(wanted - np.maximum(shift, 0.0) - np.log1p(np.exp(-np.abs(shift))))


def _keep_best(entries: _Entries, width: int) -> _Entries:
    """The ``width`` entries with the largest keys, ties to the earlier, in order of slot."""
    order = np.sort(np.argsort(-entries.key, kind="stable")[:width])
    return _Entries(
        entries.slot[order], entries.action[order], entries.log_prob[order], entries.key[order]
    )


def _place(
    kept: _Entries, beam: Beam
) -> tuple[NDArray[np.int64], NDArray[np.int64], Beam, NDArray[np.int64]]:
    """Give every kept entry a slot: a parent's own to its first child, others to the rest.

    Returns:
        Sources and targets of the copies, the beam after them, and the (W,) actions by slot.
    """
    width = len(beam.held)
    _, firsts = np.unique(kept.slot, return_index=True)
    stays = np.zeros(len(kept.slot), np.bool_)
    stays[firsts] = True
    free = np.setdiff1d(np.arange(width), kept.slot[stays])
    slot = kept.slot.copy()
    slot[~stays] = free[: np.count_nonzero(~stays)]
    held, opened = np.zeros((2, width), np.bool_)
    log_prob, key = np.zeros((2, width))
    actions = np.full(width, -1)
    held[slot], log_prob[slot], key[slot] = True, kept.log_prob, kept.key
    actions[slot], opened[slot] = kept.action, kept.action >= 0
    return kept.slot[~stays], slot[~stays], Beam(held, log_prob, key, opened), actions
