"""The simulator of both modes: each slot plans one job, or assigns the tasks of a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from graphsched.envs.core.graph import GraphStore, PackedObs
from graphsched.envs.core.sim import StepResult
from graphsched.envs.soc.features import static_graph
from graphsched.envs.soc.instance import MAX_KINDS, instance_from_json
from graphsched.envs.soc.options import SocOptions
from graphsched.envs.soc.plan.mode import StaticMode
from graphsched.envs.soc.stream.mode import StreamMode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from graphsched.envs.soc.instance import SocInstance
    from graphsched.envs.soc.solution import SocSolution

    Mode = StaticMode | StreamMode

POINTERS = {"candidate": "candidate_ptr", "resource": "resource_ptr", "graph": "graph_ptr"}
ROWS = {
    "candidate": ("candidate", "candidate_node", "candidate_resource"),
    "resource": ("resource", "resource_node"),
    "graph": ("graph",),
}


def merge(parts: Sequence[PackedObs]) -> PackedObs:
    """Observations of disjoint slots as one, in slot order."""
    slot = np.concatenate([part["slot"] for part in parts])
    order = np.argsort(slot)
    out: dict[str, Any] = {"slot": slot[order]}
    stacked = {
        key: np.concatenate([cast("dict[str, Any]", part)[key] for part in parts])
        for key in ("kind", "context", *(name for names in ROWS.values() for name in names))
    }
    out["kind"], out["context"] = stacked["kind"][order], stacked["context"][order]
    for group, pointer in POINTERS.items():
        sizes = np.concatenate([np.diff(cast("dict[str, Any]", part)[pointer]) for part in parts])
        first = np.cumsum(sizes) - sizes
        rows = [np.arange(first[i], first[i] + sizes[i]) for i in order]
        index = np.concatenate([np.zeros(0, np.int64), *rows])
        out[pointer] = np.concatenate([[0], np.cumsum(sizes[order])])
        for name in ROWS[group]:
            out[name] = stacked[name][index]
    return cast("PackedObs", out)


class SocSim:
    """`BatchSim` of task graphs on platforms of unlike PEs.

    The world (arrivals, kinds of job, execution times) comes from the instance's own seed, so that
    the seeds of `reset` are not used. Rewards are described with each mode.
    """

    def __init__(self, num_slots: int, options: SocOptions | None = None) -> None:
        """Args: num_slots: episodes run side by side. options: defaults if None."""
        self.num_slots = num_slots
        self.options = options or SocOptions()
        self.store = GraphStore()
        self._modes: tuple[StaticMode, StreamMode] = (
            StaticMode(num_slots, self.options),
            StreamMode(num_slots, self.options),
        )
        self._instances: list[SocInstance | None] = [None] * num_slots
        self._graphs: list[list[int]] = [[] for _ in range(num_slots)]
        self._first_row = np.zeros((num_slots, MAX_KINDS), np.int64)

    def reset(
        self, slots: Sequence[int], instances: Sequence[SocInstance], seeds: Sequence[int]
    ) -> None:
        """Start episodes; see `BatchSim.reset`."""
        del seeds  # an instance carries its world
        shared: dict[int, list[int]] = {}
        for slot, instance in zip(slots, instances, strict=True):
            if id(instance) in shared:
                graphs = self._retained(shared[id(instance)])
            else:
                graphs = shared[id(instance)] = self._encoded(instance)
            self._put(slot, instance, graphs)
        for stream, mode in enumerate(self._both):
            mine = [k for k, instance in enumerate(instances) if instance.is_stream == stream]
            if mine:
                mode.load([slots[k] for k in mine], [instances[k] for k in mine])

    @property
    def _both(self) -> tuple[Mode, ...]:
        return self._modes

    def _encoded(self, instance: SocInstance) -> list[int]:
        return [
            self.store.add(static_graph(job, instance.platform, instance.ticks))
            for job in instance.jobs
        ]

    def _retained(self, graphs: list[int]) -> list[int]:
        for graph in graphs:
            self.store.retain(graph)
        return graphs

    def _put(self, slot: int, instance: SocInstance, graphs: list[int]) -> None:
        for graph in self._graphs[slot]:
            self.store.release(graph)
        self._instances[slot], self._graphs[slot] = instance, graphs
        self._first_row[slot, : len(graphs)] = [self.store.row_start(g) for g in graphs]
        self._modes[not instance.is_stream].idle(slot)

    def _mode(self, slot: int) -> Mode:
        instance = self._instances[slot]
        return self._modes[instance is not None and instance.is_stream]

    def observe(self) -> PackedObs:
        """One block per waiting slot; see `BatchSim.observe`."""
        parts = []
        for mode in self._modes:
            slots = np.flatnonzero(mode.waiting)
            if len(slots) or (mode is self._modes[0] and not self._modes[1].waiting.any()):
                parts.append(mode.observe(slots, self._graphs, self._first_row))
        return parts[0] if len(parts) == 1 else merge(parts)

    def step(self, actions: NDArray[np.int64]) -> StepResult:
        """Act in all waiting slots; see `BatchSim.step`."""
        masks = [mode.waiting for mode in self._modes]
        slots = np.flatnonzero(masks[0] | masks[1])
        actions = np.asarray(actions, np.int64)
        if actions.shape != slots.shape:
            raise IndexError(f"expected {len(slots)} actions, found shape {actions.shape}")
        picks = [np.flatnonzero(mask[slots]) for mask in masks]
        for mode, mine in zip(self._both, picks, strict=True):
            counts = mode.counts(slots[mine])
            wrong = np.flatnonzero((actions[mine] < 0) | (actions[mine] >= counts))
            if len(wrong):
                k, count = mine[wrong[0]], counts[wrong[0]]
                raise IndexError(f"action {actions[k]} of block {k}: expected < {count}")
        size = len(slots)
        result = StepResult(slots, np.empty(size), np.empty(size, np.bool_), np.empty(size))
        for mode, mine in zip(self._both, picks, strict=True):
            if len(mine):
                rewards, dones = np.empty(len(mine)), np.empty(len(mine), np.bool_)
                elapsed = np.empty(len(mine))
                mode.step(slots[mine], actions[mine], rewards, dones, elapsed)
                result.rewards[mine], result.dones[mine] = rewards, dones
                result.elapsed[mine] = elapsed
        return result

    @property
    def waiting(self) -> NDArray[np.bool_]:
        """(num_slots,) whether each slot waits for a decision."""
        return self._modes[0].waiting | self._modes[1].waiting

    @property
    def planning(self) -> StaticMode:
        """The slots of the static mode, for run-time rules; not to be written to."""
        return self._modes[0]

    @property
    def streaming(self) -> StreamMode:
        """The slots of the streaming mode, for run-time rules; not to be written to."""
        return self._modes[1]

    def costs(self) -> NDArray[np.float64]:
        """(num_slots,) cost of each finished episode; 0 in other slots."""
        slots = range(self.num_slots)
        return np.array(
            [self._mode(s).cost(s) if self._mode(s).done(s) else 0.0 for s in slots], np.float64
        )

    def solution(self, slot: int) -> SocSolution:
        """The finished schedule; see `BatchSim.solution`."""
        mode = self._mode(slot)
        if self._instances[slot] is None or not mode.done(slot):
            raise RuntimeError(f"slot {slot} has no finished episode")
        return mode.solution(slot)

    def fork(self, sources: Sequence[int], targets: Sequence[int]) -> None:
        """Copy slots; see `BatchSim.fork`."""
        held = [(self._instances[s], self._retained(list(self._graphs[s]))) for s in sources]
        if any(instance is None for instance, _ in held):
            raise RuntimeError("cannot fork a slot that was never reset")
        for mode in self._modes:
            mode.copy(sources, targets)
        for (instance, graphs), target in zip(held, targets, strict=True):
            assert instance is not None
            self._put(target, instance, graphs)

    def state_dict(self) -> dict[str, Any]:
        """Arrays and instances; see `BatchSim.state_dict`."""
        documents: dict[int, int] = {}
        which = [documents.setdefault(id(i), len(documents)) for i in self._instances]
        unique = {id(i): i for i in self._instances}
        return {
            "modes": [mode.arrays() for mode in self._modes],
            "instances": [i.to_json() if i else None for i in unique.values()],
            "which": which,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore; slots that shared an instance share it again."""
        unique = [None if d is None else instance_from_json(d) for d in state["instances"]]
        graphs: dict[int, list[int]] = {}
        for slot, k in enumerate(state["which"]):
            instance = unique[k]
            if instance is None:
                continue
            known = graphs.get(k)
            graphs[k] = self._encoded(instance) if known is None else self._retained(known)
            self._put(slot, instance, list(graphs[k]))
        held = [unique[k] for k in state["which"]]
        for stream, (mode, arrays) in enumerate(zip(self._both, state["modes"], strict=True)):
            mine = [i if i is not None and i.is_stream == stream else None for i in held]
            mode.restore(arrays, mine)
