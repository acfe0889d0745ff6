"""The simulator of both modes: each slot plans one job, or assigns the tasks of a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphsched.envs.core.arrays import empty
from graphsched.envs.core.graph import blank_obs, pointers
from graphsched.envs.core.sim import DONE, IDLE, WAITING, StepResult
from graphsched.envs.core.slots import SlotSim
from graphsched.envs.soc.features import SCHEMA, static_graph
from graphsched.envs.soc.instance import MAX_KINDS, SocInstance, instance_from_json
from graphsched.envs.soc.options import SocOptions
from graphsched.envs.soc.plan.mode import PlanMode
from graphsched.envs.soc.plan.state import PlanState  # noqa: TC001 - `State` is made from it
from graphsched.envs.soc.solution import SocSolution
from graphsched.envs.soc.stream.mode import StreamMode
from graphsched.envs.soc.stream.state import StreamState  # noqa: TC001 - `State` is made from it

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from graphsched.envs.core.arrays import Bools, Ints
    from graphsched.envs.core.graph import PackedObs, StaticGraph


class State(NamedTuple):
    """A slot is used by one of the modes and idle in the other."""

    plan: PlanState
    stream: StreamState


class SocSim(SlotSim[SocInstance, SocSolution, State]):
    """`BatchSim` of task graphs on platforms of unlike PEs.

    The world (arrivals, kinds of job, execution times) comes from the instance's own seed, so that
    the seeds of `reset` are not used. Rewards are described with each mode.
    """

    def __init__(self, num_slots: int, options: SocOptions | None = None) -> None:
        """Args: num_slots: episodes run side by side. options: defaults if None."""
        self.options = options or SocOptions()
        self._plan, self._stream = PlanMode(self.options), StreamMode(self.options)
        sizes = {
            "plan": {"B": num_slots, **self._plan.sizes([])},
            "stream": {"B": num_slots, **self._stream.sizes([])},
        }
        super().__init__(num_slots, empty(State, sizes), MAX_KINDS)

    @property
    def status(self) -> Ints:
        """(num_slots,) IDLE, WAITING or DONE."""
        return np.asarray(np.maximum(self.state.plan.status, self.state.stream.slot_status))

    def _graphs_of(self, instance: SocInstance) -> list[StaticGraph]:
        return [static_graph(job, instance.platform, instance.ticks) for job in instance.jobs]

    def _instance_from_json(self, document: Mapping[str, Any]) -> SocInstance:
        return instance_from_json(document)

    def _sizes(self, instances: Sequence[SocInstance]) -> Mapping[str, Any]:
        plans = [instance for instance in instances if not instance.is_stream]
        streams = [instance for instance in instances if instance.is_stream]
        return {"plan": self._plan.sizes(plans), "stream": self._stream.sizes(streams)}

    def _load(self, slot: int, instance: SocInstance) -> None:
        plan, stream = self.state
        plan.status[slot] = stream.slot_status[slot] = IDLE
        if instance.is_stream:
            self._stream.load(stream, slot, instance)
        else:
            self._plan.load(plan, slot, instance)

    def _offer_first(self, slot: int) -> bool:
        instance = self._held(slot)
        if instance.is_stream:
            self._load(slot, instance)
            self.state.stream.offer_first[slot] = 1
        return instance.is_stream

    def _begin(self, slots: Ints) -> None:
        instances = [self._held(slot) for slot in slots.tolist()]
        streams = np.array([instance.is_stream for instance in instances], np.bool_)
        for mode, state, blocks in self._split(streams):
            mode.begin(state, slots[blocks], [instances[k] for k in blocks])

    def _split(self, streams: Bools) -> Iterator[tuple[Any, Any, Ints]]:
        """Mode, state and blocks of both modes, as far as there are blocks. streams: (N,)."""
        plan, stream = np.flatnonzero(~streams), np.flatnonzero(streams)
        if len(plan):
            yield self._plan, self.state.plan, plan
        if len(stream):
            yield self._stream, self.state.stream, stream

    def _streams(self, slots: Ints) -> Bools:
        """(N,) whether waiting slots are those of streams."""
        return np.asarray(self.state.stream.slot_status[slots] == WAITING)

    def _counts(self, slots: Ints) -> Ints:
        return self._chosen(slots, "num_candidates")

    def _chosen(self, slots: Ints, name: str) -> Ints:
        """(N,) a field of either mode in waiting slots."""
        plan, stream = (getattr(state, name)[slots] for state in self.state)
        return np.asarray(np.where(self._streams(slots), stream, plan))

    def _most_candidates(self, instance: SocInstance) -> int:
        mode = self._stream if instance.is_stream else self._plan
        return mode.sizes([])["C"]

    def _most_resources(self, instance: SocInstance) -> int:
        assert instance.platform.capacity is not None
        return int(instance.platform.capacity.sum())

    def _most_live(self, instance: SocInstance) -> int:
        return 1 if instance.stream is None else instance.stream.max_in_system

    def _act(self, slots: Ints, actions: Ints, result: StepResult) -> None:
        for mode, state, blocks in self._split(self._streams(slots)):
            size, mine = len(blocks), slots[blocks]
            part = StepResult(mine, np.empty(size), np.empty(size, np.bool_), np.empty(size))
            mode.act(state, mine, actions[blocks], part)
            result.rewards[blocks], result.dones[blocks] = part.rewards, part.dones
            result.elapsed[blocks] = part.elapsed

    def observe(self) -> PackedObs:
        """One block per waiting slot; see `BatchSim.observe`."""
        slots = self._waiting_slots()
        candidate_ptr = pointers(self._chosen(slots, "num_candidates"))
        obs = blank_obs(SCHEMA, slots, candidate_ptr, pointers(self._chosen(slots, "lanes")))
        alive: list[list[int]] = [[] for _ in slots]
        for mode, state, blocks in self._split(self._streams(slots)):
            for k in blocks.tolist():
                alive[k] = mode.alive(state, slots[k], self.graphs[slots[k]])
            mode.fill(state, slots[blocks], blocks, self.first_row, obs)
        obs["graph_ptr"] = np.cumsum([0, *map(len, alive)], dtype=np.int64)
        obs["graph"] = np.array([graph for ids in alive for graph in ids], np.int64)
        return obs

    def _both(self, instance: SocInstance) -> tuple[Any, Any]:
        """Mode and state that an instance is played in."""
        if instance.is_stream:
            return self._stream, self.state.stream
        return self._plan, self.state.plan

    def standing_of_streams(self, slots: Ints, rates: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `standing`."""
        return self._stream.standing(self.state.stream, slots, rates)

    def costs(self) -> NDArray[np.float64]:
        """(num_slots,) cost of each finished episode; 0 in other slots."""
        found = np.zeros(self.num_slots)
        for slot in np.flatnonzero(self.status == DONE).tolist():
            instance = self._held(slot)
            mode, state = self._both(instance)
            found[slot] = mode.cost(state, slot, instance)
        return found

    def solution(self, slot: int) -> SocSolution:
        """The finished schedule; see `BatchSim.solution`."""
        instance = self._finished(slot)
        mode, state = self._both(instance)
        found: SocSolution = mode.solution(state, slot, instance)
        return found
