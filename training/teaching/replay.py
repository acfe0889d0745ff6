"""Episodes played again: the observations that their decisions were taken on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

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
        costs: (candidates of all decisions,) float32 of those that were tried out; 0 elsewhere.
        tried: (decisions,) bool.
        store: the graphs, for `repack.rebase` and encoders.
    """

    obs: PackedObs
    targets: NDArray[np.float32]
    costs: NDArray[np.float32]
    tried: NDArray[np.bool_]
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
    labels = [_Labels([], [], [])]
    for first in range(0, len(episodes), slots):
        group = _Group(domain, options, episodes[first : first + slots], first, store)
        obs, part = group.play()
        parts.append(obs)
        labels.append(part)
    targets = [row for part in labels for row in part.targets]
    costs = [row for part in labels for row in part.costs]
    tried = [mark for part in labels for mark in part.tried]
    none = np.zeros(0, np.float32)
    return Examples(
        join(parts),
        np.concatenate([none, *targets]),
        np.concatenate([none, *costs]),
        np.array(tried, np.bool_),
        store,
    )


class _Labels(NamedTuple):
    """Of decisions, each with a row over its candidates."""

    targets: list[NDArray[np.float32]]
    costs: list[NDArray[np.float32]]
    tried: list[bool]


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
        # actions, targets, decisions tried and their costs so far
        self._used = np.zeros((4, len(episodes)), np.int64)
        self._labels = _Labels([], [], [])
        self._taught: list[bool] = []  # whether there is something to learn of the decision

    def play(self) -> tuple[PackedObs, _Labels]:
        """All decisions with a choice and their labels, episode after episode."""
        seen = [self._nothing]
        while len((obs := self._sim.observe())["slot"]):
            counts = np.diff(obs["candidate_ptr"])
            actions = self._actions(obs["slot"], counts)
            for slot, count, action in zip(obs["slot"], counts, actions, strict=True):
                self._label(int(slot), int(count), int(action))
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

    def _label(self, slot: int, count: int, action: int) -> None:
        """Take down what is known of a decision's candidates."""
        episode, costs = self._episodes[slot], None
        if episode.tried is not None and episode.costs is not None:
            costs = self._costs(slot, count, episode.tried, episode.costs)
        self._labels.targets.append(self._target(slot, count, action))
        self._labels.costs.append(np.zeros(count, np.float32) if costs is None else costs)
        self._labels.tried.append(costs is not None)
        self._taught.append(count > 1 and (costs is not None or episode.tried is None))

    def _costs(
        self, slot: int, count: int, tried: NDArray[np.int64], costs: NDArray[np.float32]
    ) -> NDArray[np.float32] | None:
        """(count,) costs of a decision's candidates, if they were tried; the action was taken."""
        number, k = self._used[2, slot], int(self._used[3, slot])
        if number == len(tried) or tried[number] != self._used[0, slot] - 1:
            return None
        self._used[2, slot] += 1
        self._used[3, slot] += count
        if k + count > len(costs):
            raise self._wrong(slot, "costs", f"expected at least {k + count}, found {len(costs)}")
        return costs[k : k + count]

    def _check_ends(self) -> None:
        costs = self._sim.costs()
        for slot, episode in enumerate(self._episodes):
            for name, used in zip(
                ("actions", "targets", "tried", "costs"), self._used, strict=True
            ):
                found = getattr(episode, name)
                if found is not None and used[slot] != len(found):
                    raise self._wrong(slot, name, f"expected {used[slot]}, found {len(found)}")
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

    def _sorted(self, obs: PackedObs) -> tuple[PackedObs, _Labels]:
        """By episode, without decisions of which there is nothing to learn."""
        order = np.argsort(obs["slot"], kind="stable")
        order = order[np.array(self._taught, np.bool_)[order]]
        labels = _Labels(*([part[i] for i in order.tolist()] for part in self._labels))
        out = select(obs, order)
        out["slot"] = out["slot"] + self._first
        return out, labels
