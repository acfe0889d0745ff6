"""Stable-Baselines3's vectorised environment over one batched simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv

from graphsched.agents.learning.space import GraphObs, GraphSpace, action_space
from graphsched.envs.core.clock import wall_s
from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import gymnasium
    from numpy.typing import NDArray
    from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices

    from graphsched.envs.core.domain import Domain, Instance
    from graphsched.envs.core.graph import GraphStore
    from graphsched.envs.core.sim import BatchSim, StepResult

Infos = list[dict[str, Any]]
ARRAYS = ("returns", "lengths")


class BatchVecEnv(VecEnv):
    """All slots of one simulator, each with an endless sequence of random instances.

    Two ways to drive it: the vectorised API of Stable-Baselines3 (`reset`, `step`), in which a
    slot whose episode ends starts the next one at once; or `restart`, `observe` and `advance`,
    in which finished slots stay idle until they are restarted.

    Each instance is drawn together with a seed for its episode, and both serve
    ``rollouts_per_instance`` slots: the same problem in the same random world.
    """

    def __init__(
        self,
        domain: Domain[Any, Any],
        num_slots: int,
        source: Callable[[np.random.Generator], Instance],
        seed: int = 0,
        rollouts_per_instance: int = 1,
        options: object = None,
    ) -> None:
        """Build the simulator.

        Args:
            domain: where the simulator and the schema come from.
            num_slots: number of parallel episodes.
            source: draws a random instance.
            seed: stream of instances and of episode seeds.
            rollouts_per_instance: K; consecutive slots share an instance. Divides num_slots.
            options: simulator options; None for the domain's defaults.

        Raises:
            InputError: num_slots is no multiple of rollouts_per_instance.
        """
        if rollouts_per_instance < 1 or num_slots % rollouts_per_instance:
            raise InputError(
                "rollouts_per_instance",
                f"expected a divisor of {num_slots} slots, found {rollouts_per_instance}",
            )
        options = domain.options() if options is None else options
        self.sim: BatchSim[Any, Any] = domain.simulator(num_slots, options)
        self.rollouts_per_instance = rollouts_per_instance
        self.returns = np.zeros(num_slots)
        self.lengths = np.zeros(num_slots, np.int64)
        self.fresh = False
        self._source = source
        self._started = wall_s()
        self._actions: NDArray[np.int64] = np.zeros(0, np.int64)
        super().__init__(num_slots, GraphSpace(domain.schema), action_space())
        self.seed(seed)

    @property
    def store(self) -> GraphStore:
        """The simulator's graphs."""
        return self.sim.store

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Restart the stream of instances and episode seeds."""
        self.rng = np.random.default_rng(seed)
        self._repeats = 0
        return [seed] * self.num_envs

    def restart(self, slots: Iterable[int] | None = None) -> None:
        """Start new episodes in these slots, or in all, of which each K share an instance."""
        if slots is None:
            self._repeats = 0
            slots = range(self.num_envs)
        chosen = list(slots)
        if not chosen:
            return
        draws = [self._draw() for _ in chosen]
        self.sim.reset(chosen, [draw[0] for draw in draws], [draw[1] for draw in draws])
        self.returns[chosen] = 0.0
        self.lengths[chosen] = 0
        self.fresh = len(chosen) == self.num_envs

    def _draw(self) -> tuple[Instance, int]:
        if self._repeats == 0:
            instance = self._source(self.rng)
            self._current = instance, int(self.rng.integers(2**31))
            self._repeats = self.rollouts_per_instance
        self._repeats -= 1
        return self._current

    def observe(self) -> GraphObs:
        """One block per waiting slot, in slot order."""
        return GraphObs(self.sim.observe(), self.sim.store)

    def advance(self, actions: NDArray[np.int64]) -> tuple[StepResult, Infos]:
        """Act in every waiting slot and keep the episodes' accounts; restarts nothing.

        Returns:
            The outcome, and an info per acting slot: for finished episodes ``episode`` (return
            ``r``, length ``l``, seconds ``t`` since the environment was made) and ``cost``.
        """
        self.fresh = False
        result = self.sim.step(actions)
        self.returns[result.slots] += result.rewards
        self.lengths[result.slots] += 1
        infos: Infos = [{}] * len(result.slots)
        if result.dones.any():
            costs = self.sim.costs()
            for i in np.flatnonzero(result.dones).tolist():
                infos[i] = self._finished(int(result.slots[i]), costs)
        return result, infos

    def _finished(self, slot: int, costs: NDArray[np.float64]) -> dict[str, Any]:
        seconds = round(wall_s() - self._started, 6)
        episode = {"r": float(self.returns[slot]), "l": int(self.lengths[slot]), "t": seconds}
        return {"episode": episode, "cost": float(costs[slot])}

    def reset(self) -> GraphObs:
        """Start a new episode in every slot."""
        self.restart()
        return self.observe()

    def step_async(self, actions: NDArray[Any]) -> None:
        """Keep the (num_envs,) actions for `step_wait`."""
        self._actions = np.asarray(actions, np.int64).reshape(self.num_envs)

    def step_wait(
        self,
    ) -> tuple[GraphObs, NDArray[np.float32], NDArray[np.bool_], Infos]:
        """Act in every slot and restart those whose episode ended.

        A finished episode has nothing left to decide, so its ``terminal_observation`` is an
        observation without blocks.
        """
        result, infos = self.advance(self._actions)
        finished = np.flatnonzero(result.dones)
        if len(finished):
            self.restart(result.slots[finished].tolist())
        obs = self.observe()
        for i in finished.tolist():
            infos[i] |= {"terminal_observation": _without_blocks(obs), "TimeLimit.truncated": False}
        infos = [dict(info) for info in infos]
        return obs, result.rewards.astype(np.float32), result.dones, infos

    def close(self) -> None:
        """Nothing to release."""

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """An attribute of this environment, once per index; slots have none of their own."""
        value = None if attr_name == "render_mode" else getattr(self, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: object, indices: VecEnvIndices = None) -> None:
        """Set an attribute of this environment, whatever the indices."""
        setattr(self, attr_name, value)

    def env_method(
        self,
        method_name: str,
        *method_args: object,
        indices: VecEnvIndices = None,
        **method_kwargs: object,
    ) -> list[Any]:
        """Call a method of this environment once; its result is repeated for every index."""
        result = getattr(self, method_name)(*method_args, **method_kwargs)
        return [result for _ in self._get_indices(indices)]

    def env_is_wrapped(
        self,
        wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]],
        indices: VecEnvIndices = None,
    ) -> list[bool]:
        """True for ``Monitor``, whose accounts this environment keeps itself."""
        return [issubclass(wrapper_class, Monitor) for _ in self._get_indices(indices)]

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue bit-exactly."""
        return {
            "sim": self.sim.state_dict(),
            "rng": self.rng.bit_generator.state,
            "repeats": self._repeats,
            "current": self._current if self._repeats else None,
            "fresh": self.fresh,
            **{name: getattr(self, name).copy() for name in ARRAYS},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.sim.load_state_dict(state["sim"])
        self.rng.bit_generator.state = state["rng"]
        self._repeats = state["repeats"]
        if state["current"] is not None:
            self._current = state["current"]
        self.fresh = state["fresh"]
        for name in ARRAYS:
            getattr(self, name)[:] = state[name]


def _without_blocks(obs: GraphObs) -> GraphObs:
    pointers = ("candidate_ptr", "resource_ptr", "graph_ptr")
    return GraphObs({k: v[:1] * 0 if k in pointers else v[:0] for k, v in obs.items()}, obs.store)
