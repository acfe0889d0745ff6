"""Episodes played again: the observations that their decisions were taken on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from graphsched.agents.learning.repack import UNMAPPED, join, select
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.graph import GraphStore, blank_obs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from graphsched.envs.core.domain import Domain
    from graphsched.envs.core.graph import PackedObs
    from graphsched.envs.core.sim import BatchSim
    from graphsched.training.teaching.dataset import Episode

SUM_TOLERANCE = 1e-3  # of probabilities
COST_TOLERANCE = 1e-6  # relative


@dataclass(frozen=True)
class Examples:
    """What is to be learned: decisions with a choice, in the order of episodes and of time.

    Attributes:
        obs: of each decision; ``slot`` is the number of its episode, graphs are those of `store`.
        targets: (candidates of all decisions,) float32 probabilities, in the order of obs.
        store: the graphs, for `repack.rebase` and encoders.
    """

    obs: PackedObs
    targets: NDArray[np.float32]
    store: GraphStore

    def __len__(self) -> int:
        """Decisions."""
        return len(self.obs["slot"])


def replay(
    domain: Domain[Any, Any], options: Any, episodes: Sequence[Episode], slots: int = 64
) -> Examples:
    """Play episodes by their actions.

    Args:
        domain: of the episodes.
        options: of the simulator, those that the episodes were made with.
        episodes: one or more.
        slots: episodes that are played side by side; what comes out doesn't depend on it.

    Raises:
        InputError: actions, targets or cost of an episode aren't what the simulator has there.
    """
    store = GraphStore()
    parts = [_no_decisions(domain)]
    targets: list[NDArray[np.float32]] = [np.zeros(0, np.float32)]
    for first in range(0, len(episodes), slots):
        group = _Group(domain, options, episodes[first : first + slots], first, store)
        obs, wanted = group.play()
        parts.append(obs)
        targets.append(wanted)
    return Examples(join(parts), np.concatenate(targets), store)


def _no_decisions(domain: Domain[Any, Any]) -> PackedObs:
    zero = np.zeros(1, np.int64)
    return blank_obs(domain.schema, zero[:0], zero, zero)


class _Group:
    """Episodes side by side, each in the slot of its place among them."""

    def __init__(
        self,
        domain: Domain[Any, Any],
        options: Any,
        episodes: Sequence[Episode],
        first: int,
        store: GraphStore,
    ) -> None:
        self._episodes, self._first, self._store = episodes, first, store
        self._nothing = _no_decisions(domain)
        self._sim: BatchSim[Any, Any] = domain.simulator(len(episodes), options)
        instances, seeds = [e.instance for e in episodes], [e.seed for e in episodes]
        self._sim.reset(range(len(episodes)), instances, seeds)
        self._graphs: dict[int, int] = {}  # of the simulator's store -> of ours
        self._rows = np.zeros(0, np.int64)  # of its node table -> of ours
        self._used = np.zeros((2, len(episodes)), np.int64)  # actions and targets so far
        self._targets: list[NDArray[np.float32]] = []

    def play(self) -> tuple[PackedObs, NDArray[np.float32]]:
        """All decisions with a choice and their targets, episode after episode."""
        seen = [self._nothing]
        while len((obs := self._sim.observe())["slot"]):
            counts = np.diff(obs["candidate_ptr"])
            actions = self._actions(obs["slot"], counts)
            for slot, count, action in zip(obs["slot"], counts, actions, strict=True):
                self._targets.append(self._target(int(slot), int(count), int(action)))
            seen.append(self._moved(obs))
            self._sim.step(actions)
        self._check_ends()
        return self._sorted(join(seen))

    def _actions(self, slots: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
        out = np.empty(len(slots), np.int64)
        for i, (slot, count) in enumerate(zip(slots.tolist(), counts.tolist(), strict=True)):
            actions, k = self._episodes[slot].actions, int(self._used[0, slot])
            if k >= len(actions):
                raise self._wrong(slot, "actions", f"expected more than {k}: the episode goes on")
            if not 0 <= actions[k] < count:
                found = f"expected below {count} candidates, found {actions[k]}"
                raise self._wrong(slot, f"actions[{k}]", found)
            out[i] = actions[k]
        self._used[0, slots] += 1
        return out

    def _target(self, slot: int, count: int, action: int) -> NDArray[np.float32]:
        """(count,) probabilities of a decision's candidates."""
        targets, k = self._episodes[slot].targets, int(self._used[1, slot])
        self._used[1, slot] += count
        if targets is None:
            out = np.zeros(count, np.float32)
            out[action] = 1.0
            return out
        out = targets[k : k + count]
        if len(out) < count:
            raise self._wrong(
                slot, "targets", f"expected at least {k + count}, found {k + len(out)}"
            )
        if not abs(float(out.sum()) - 1.0) <= SUM_TOLERANCE or out.min() < 0.0:
            found = f"expected probabilities that sum to 1, found {float(out.sum()):g}"
            raise self._wrong(slot, f"targets[{k}:{k + count}]", found)
        return out

    def _check_ends(self) -> None:
        costs = self._sim.costs()
        for slot, episode in enumerate(self._episodes):
            lengths = [len(episode.actions)]
            lengths += [] if episode.targets is None else [len(episode.targets)]
            for name, used, length in zip(
                ("actions", "targets"), self._used, lengths, strict=False
            ):
                if used[slot] != length:
                    raise self._wrong(slot, name, f"expected {used[slot]}, found {length}")
            cost = float(costs[slot])
            if abs(cost - episode.cost) > COST_TOLERANCE * max(1.0, abs(cost)):
                found = f"the actions lead to {cost:g}, found {episode.cost:g}"
                raise self._wrong(slot, "cost", found)

    def _wrong(self, slot: int, name: str, problem: str) -> InputError:
        place = self._episodes[slot].where or f"episode {self._first + slot}"
        return InputError(f"{place}.{name}", f"doesn't fit the simulator: {problem}")

    def _moved(self, obs: PackedObs) -> PackedObs:
        """The observation with its graphs in our store."""
        self._take_graphs(obs["graph"])
        out: dict[str, Any] = dict(obs)
        for key in ("candidate_node", "resource_node"):
            nodes = out[key]
            out[key] = np.where(nodes < 0, nodes, self._rows[nodes])
        ids = obs["graph"].tolist()
        out["graph"] = np.array([self._graphs[graph] for graph in ids], np.int64)
        return cast("PackedObs", out)

    def _take_graphs(self, ids: NDArray[np.int64]) -> None:
        theirs = self._sim.store
        if theirs.num_rows > len(self._rows):
            more = np.full(theirs.num_rows - len(self._rows), UNMAPPED, np.int64)
            self._rows = np.concatenate([self._rows, more])
        for graph in np.unique(ids).tolist():
            if graph not in self._graphs:
                nodes = theirs.graph(graph)
                ours = self._graphs[graph] = self._store.add(nodes)
                begin, start = theirs.row_start(graph), self._store.row_start(ours)
                rows = np.arange(start, start + nodes.num_nodes)
                self._rows[begin : begin + nodes.num_nodes] = rows

    def _sorted(self, obs: PackedObs) -> tuple[PackedObs, NDArray[np.float32]]:
        """By episode, without decisions that have no choice."""
        order = np.argsort(obs["slot"], kind="stable")
        order = order[np.diff(obs["candidate_ptr"])[order] > 1]
        targets = [np.zeros(0, np.float32), *(self._targets[i] for i in order.tolist())]
        out = select(obs, order)
        out["slot"] = out["slot"] + self._first
        return out, np.concatenate(targets)
