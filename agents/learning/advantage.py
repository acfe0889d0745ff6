"""Advantages of decisions that were recorded in ragged sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


@kernel
def generalized_advantages(
    slot: NDArray[np.int64],
    reward: NDArray[np.float32],
    done: NDArray[np.bool_],
    value: NDArray[np.float32],
    discount: NDArray[np.float64],
    bootstrap: NDArray[np.float32],
    gae_lambda: float,
) -> NDArray[np.float32]:
    """Generalized advantage estimation (Schulman et al. 2016, arXiv:1506.02438, eq. 16) per slot.

    Args:
        slot: (D,) int64 slot of each decision; a slot's decisions appear in order of time.
        reward: (D,) float32.
        done: (D,) bool, the decision ended its episode.
        value: (D,) float32 estimates.
        discount: (D,) float64 weight of what follows each decision.
        bootstrap: (num_slots,) float32 values of the situations after the last decisions.
        gae_lambda: weight of longer returns.

    Returns:
        (D,) float32 advantages.
    """
    following = bootstrap.astype(np.float64)
    running = np.zeros(len(bootstrap), np.float64)
    out = np.empty(len(slot), np.float32)
    for i in range(len(slot) - 1, -1, -1):
        s = slot[i]
        carry = 0.0 if done[i] else discount[i]
        delta = reward[i] + carry * following[s] - value[i]
        running[s] = delta + carry * gae_lambda * running[s]
        following[s] = value[i]
        out[i] = running[s]
    return out


def group_advantages(
    returns: NDArray[np.float64], group_size: int, normalize: bool
) -> NDArray[np.float64]:
    """How much better each rollout did than the other rollouts of the same instance.

    Args:
        returns: (num_slots,) returns; consecutive ``group_size`` slots share an instance.
        group_size: K, at least 2.
        normalize: divide by the group's standard deviation instead of leaving one out.

    Returns:
        (num_slots,) float64: ``R_k`` less the mean return of the K - 1 others (Kool et al. 2019),
        or less the group's mean and over its standard deviation.
    """
    grouped: NDArray[np.float64] = returns.reshape(-1, group_size)
    centred = grouped - grouped.mean(axis=1, keepdims=True)
    if normalize:
        out: NDArray[np.float64] = centred / (grouped.std(axis=1, keepdims=True) + 1e-8)
    else:
        out = centred * (group_size / (group_size - 1))
    return out.ravel()


def aligned_advantages(
    slots: NDArray[np.int64], returns: NDArray[np.float32], group_size: int, normalize: bool
) -> NDArray[np.float64]:
    """How much better each decision did than those of the same number in its group's other rollouts.

    Args:
        slots: (D,) of each decision; a slot's decisions appear in order of time.
        returns: (D,) from each decision on.
        group_size: K; consecutive K slots share an instance.
        normalize: divide by the root mean square over all decisions of the group.

    Returns:
        (D,) float64, 0 where no other rollout has as many decisions.
    """
    order = np.argsort(slots, kind="stable")
    counts = np.bincount(slots)
    number = np.empty(len(slots), np.int64)
    number[order] = np.arange(len(slots)) - np.repeat(np.cumsum(counts) - counts, counts)
    group = slots // group_size
    key = group * counts.max() + number
    others = np.bincount(key)[key] - 1
    rest = np.bincount(key, weights=returns)[key] - returns
    out = np.where(others > 0, returns - rest / np.maximum(others, 1), 0.0)
    if normalize:
        square = np.bincount(group, weights=out**2) / np.maximum(np.bincount(group), 1)
        out /= np.sqrt(square)[group] + 1e-8
    return out


def best_of_groups(returns: NDArray[np.float64], group_size: int) -> NDArray[np.bool_]:
    """(num_slots,) whether a slot holds the best rollout of its instance.

    The first one where several tie, and none where all do: nothing is to be learned there.
    """
    grouped = returns.reshape(-1, group_size)
    out = np.zeros(grouped.shape, bool)
    out[np.arange(len(grouped)), grouped.argmax(axis=1)] = grouped.max(axis=1) > grouped.min(axis=1)
    return out.ravel()
