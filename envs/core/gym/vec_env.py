"""Gymnasium's vector environment over one batched simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.gym.env import MAX_CANDIDATES, check_offers
from graphsched.envs.core.gym.episodes import (
    RENDER_MODES,
    EpisodeSource,
    check_render_mode,
    preview,
    resolve_domain,
    resolve_options,
)
from graphsched.envs.core.gym.spaces import (
    CandidateIndex,
    CandidateIndices,
    Observation,
    empty_observation,
    observation,
    observation_space,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from graphsched.envs.core.domain import Domain, Instance

Infos = dict[str, Any]


class GraphSchedVectorEnv(VectorEnv[Observation, Any, Any]):
    """Many `GraphSchedEnv` in one simulator; ``gymnasium.make_vec`` makes it.

    Environment i behaves as a `GraphSchedEnv` that is reset with ``seed + i``. Observations are
    batched as Gymnasium batches them: ragged parts as tuples, others as arrays.
    ``action_space.sample()`` draws candidates that are on offer.
    """

    def __init__(
        self,
        domain: str | Domain[Any, Any],
        num_envs: int = 1,
        options: Any = None,
        generator: str = "random",
        size: str = "",
        instance: Instance | str | None = None,
        max_candidates: int = MAX_CANDIDATES,
        render_mode: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    ) -> None:
        """Build the simulator.

        Args:
            domain: a domain or its name.
            num_envs: number of parallel episodes.
            options: simulator options, or a mapping of their fields; None for the defaults.
            generator: name of the domain's generator of instances.
            size: what the generator is told, such as ``20x15``; empty for its default.
            instance: plays this one instead, or those of a specification.
            max_candidates: limit of every action.
            render_mode: ``ansi`` or ``rgb_array``.
            autoreset_mode: what happens to an environment whose episode ends: it starts the next
                one in the same step, in the next step (that step's action is ignored), or only
                when told by ``reset(options={"reset_mask": ...})``.

        Raises:
            InputError: an argument is none of what it may be.
        """
        self.domain = resolve_domain(domain)
        self.sim_options = resolve_options(self.domain, options)
        self.render_mode = check_render_mode(render_mode)
        self.num_envs = num_envs
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {
            "render_modes": list(RENDER_MODES),
            "render_fps": 4,
            "autoreset_mode": self.autoreset_mode,
        }
        self.single_observation_space = observation_space(self.domain.schema)
        self.single_action_space = CandidateIndex(max_candidates)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = self._candidates = CandidateIndices(max_candidates, num_envs)
        self._limit = max_candidates
        self._source = EpisodeSource(self.domain, generator, size, instance)
        self._sim = self.domain.simulator(num_envs, self.sim_options)
        self._instances: list[Instance | None] = [None] * num_envs
        self._streams = [np.random.default_rng() for _ in range(num_envs)]
        self._over = np.ones(num_envs, np.bool_)
        self._on_offer = np.zeros(num_envs, np.int64)  # candidates of the pending decisions

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: Infos | None = None
    ) -> tuple[Observation, Infos]:
        """Start episodes in all environments.

        Args:
            seed: of the first environment, counting up, or one for each.
            options: ``instance``: the instance of these episodes, or a specification;
                ``reset_mask``: (num_envs,) bool, the environments to start.

        Raises:
            InputError: an unknown option, or a mask or seeds of the wrong shape.
        """
        options = dict(options or {})
        given = options.pop("instance", None)
        chosen = self._chosen(options.pop("reset_mask", None))
        if options:
            expected = "expected 'instance' or 'reset_mask'"
            raise InputError("options", f"unknown {sorted(options)}, {expected}")
        for i, s in enumerate(self._seeds(seed)):
            if s is not None and i in chosen:
                self._streams[i] = np.random.default_rng(np.random.SeedSequence(s))
        self._start(chosen, given)
        infos: Infos = {}
        obs = self._observe()
        for i in chosen:
            infos = self._add_info(infos, {"elapsed": 0.0, "action_mask": self._mask(i)}, i)
        return self._batch(obs), infos

    def _seeds(self, seed: int | Sequence[int | None] | None) -> Sequence[int | None]:
        if seed is None or isinstance(seed, int | np.integer):
            return [None if seed is None else int(seed) + i for i in range(self.num_envs)]
        if len(seed) != self.num_envs:
            raise InputError("seed", f"expected {self.num_envs} seeds, found {len(seed)}")
        return seed

    def _chosen(self, mask: Any) -> list[int]:
        mask = np.ones(self.num_envs, np.bool_) if mask is None else np.asarray(mask)
        if mask.shape != (self.num_envs,) or mask.dtype != np.bool_ or not mask.any():
            expected = f"expected ({self.num_envs},) bool with some True"
            raise InputError("reset_mask", f"{expected}, found {mask!r:.60}")
        return [int(i) for i in np.flatnonzero(mask)]

    def _start(self, chosen: Sequence[int], given: Instance | str | None = None) -> None:
        draws = [self._source.draw(self._streams[i], given) for i in chosen]
        for i, (instance, _) in zip(chosen, draws, strict=True):
            self._instances[i] = instance
        self._sim.reset(chosen, [draw[0] for draw in draws], [draw[1] for draw in draws])
        self._over[chosen] = False

    def _observe(self) -> list[Observation]:
        """Observation of each environment, empty where the episode is over."""
        packed = self._sim.observe()
        check_offers(packed["candidate_ptr"], self._limit)
        self._on_offer = np.zeros(self.num_envs, np.int64)
        self._on_offer[packed["slot"]] = np.diff(packed["candidate_ptr"])
        self._candidates.on_offer = self._on_offer.copy()
        obs = [empty_observation(self.domain.schema) for _ in range(self.num_envs)]
        for block, slot in enumerate(packed["slot"].tolist()):
            obs[slot] = observation(self.domain.schema, self._sim.store, packed, block)
        return obs

    def _batch(self, obs: list[Observation]) -> Observation:
        out = create_empty_array(self.single_observation_space, self.num_envs)
        return dict(concatenate(self.single_observation_space, obs, out))  # type: ignore[arg-type]

    def _mask(self, i: int) -> NDArray[np.int8]:
        mask: NDArray[np.bool_] = np.arange(self._limit) < self._on_offer[i]
        return mask.astype(np.int8)

    def step(
        self, actions: Any
    ) -> tuple[Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], Infos]:
        """Act in every environment; see `GraphSchedEnv.step`.

        Raises:
            InputError: an action is not on offer; nothing has changed then.
            ResetNeeded: an environment has no episode and does not start one by itself.
        """
        actions = np.asarray(actions, np.int64)
        resting = np.flatnonzero(self._over)
        self._check(actions, resting)
        result = self._sim.step(actions[~self._over])
        rewards = self._spread(result.slots, result.rewards)
        elapsed = self._spread(result.slots, result.elapsed)
        terminations = self._spread(result.slots, result.dones)
        self._over = terminations.copy()
        infos = self._outcomes(elapsed, terminations)
        same_step = self.autoreset_mode == AutoresetMode.SAME_STEP
        starting = np.flatnonzero(terminations) if same_step else resting
        if len(starting):
            self._start(starting.tolist())
        obs = self._observe()
        for i in range(self.num_envs):
            infos = self._add_info(infos, {"action_mask": self._mask(i)}, i)
        return self._batch(obs), rewards, terminations, np.zeros(self.num_envs, np.bool_), infos

    def _spread(self, slots: NDArray[np.int64], values: NDArray[Any]) -> NDArray[Any]:
        """Values of the slots that acted, zero elsewhere."""
        out = np.zeros(self.num_envs, values.dtype)
        out[slots] = values
        return out

    def _outcomes(self, elapsed: NDArray[np.float64], terminations: NDArray[np.bool_]) -> Infos:
        """Elapsed time and costs; those of finished episodes apart if the next starts at once."""
        costs, infos = self._sim.costs(), Infos()
        for i in range(self.num_envs):
            info = {"elapsed": float(elapsed[i])}
            if terminations[i]:
                info["cost"] = float(costs[i])
            if terminations[i] and self.autoreset_mode == AutoresetMode.SAME_STEP:
                mask = np.zeros(self._limit, np.int8)
                last = empty_observation(self.domain.schema)
                final = {"final_obs": last, "final_info": {**info, "action_mask": mask}}
                infos = self._add_info(infos, final, i)
                info = {"elapsed": 0.0}
            infos = self._add_info(infos, info, i)
        return infos

    def _check(self, actions: NDArray[np.int64], resting: NDArray[np.int64]) -> None:
        if actions.shape != (self.num_envs,):
            raise InputError("actions", f"expected ({self.num_envs},), found {actions.shape}")
        started = all(instance is not None for instance in self._instances)
        waits = self.autoreset_mode == AutoresetMode.NEXT_STEP
        if not started or (len(resting) and not waits):
            raise ResetNeeded("some environment has no running episode; call reset first")
        on_offer = self._on_offer
        wrong = np.flatnonzero(~self._over & ((actions < 0) | (actions >= on_offer)))
        if len(wrong):
            i = wrong[0]
            problem = f"{actions[i]}: expected an index below the {on_offer[i]} on offer"
            raise InputError(f"actions[{i}]", problem)

    def render(self) -> tuple[Any, ...] | None:
        """A picture of every environment; see `GraphSchedEnv.render`."""
        if self.render_mode is None:
            return None
        rgb = self.render_mode == "rgb_array"
        draw = self.domain.render_rgb if rgb else self.domain.render_text
        return tuple(
            draw(instance, preview(self.domain, self.sim_options, self._sim, i))
            for i, instance in enumerate(self._instances)
        )
