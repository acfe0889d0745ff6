"""The one Gymnasium environment: a batch of one over any domain's simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded

from graphsched.envs.core.errors import InputError
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
    Observation,
    empty_observation,
    observation,
    observation_space,
)
from graphsched.envs.core.parts.values import python_value

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.core.domain import Domain, Instance, Solution
    from graphsched.envs.core.sim import RowLimits

MAX_CANDIDATES = 1024


class GraphSchedEnv(gymnasium.Env[Observation, Any]):
    """Scheduling, one decision at a time, with graphs to look at.

    ## Description
    A domain's simulator asks for a decision whenever there is a choice: which candidate of those
    on offer to take. Only feasible candidates are offered, and moves without an alternative are
    taken silently, so every step is a real decision (an episode that has none still offers its
    last move). ``gymnasium.make("graphsched:JobShop-v0")`` and its like make this environment.

    ## Observation space
    A ``Dict``. Sizes vary from step to step; wrap in `PaddedGraph` for fixed ones.

    | key | space | meaning |
    |---|---|---|
    | ``graph`` | ``Graph`` | static nodes and edges of all that is known by now |
    | ``kind`` | ``Discrete`` | kind of the decision, an index into ``schema.kinds`` |
    | ``context`` | ``Box`` | features of the whole situation |
    | ``candidate`` | ``Sequence`` of rows | features of each candidate |
    | ``candidate_node`` | ``Sequence`` | the nodes of ``graph`` it refers to, or -1 |
    | ``candidate_resource`` | ``Sequence`` | the rows of ``resource`` it refers to, or -1 |
    | ``resource`` | ``Sequence`` of rows | features of each resource |
    | ``resource_node`` | ``Sequence`` | the node of ``graph`` that a resource is, or -1 |

    Node rows begin with a column for each node type (1 for the node's own), followed by the
    features of each type side by side; edge rows likewise. ``env.unwrapped.domain.schema`` names
    all columns and their units. Parts that a schema does not have are left out. After the last
    step everything is empty.

    ## Action space
    ``Discrete(max_candidates)``: the index of a candidate. Fewer are usually on offer:
    ``info["action_mask"]`` and `action_masks` mark them, and ``action_space.sample()`` draws from
    them. Any other index raises InputError and changes nothing.

    ## Rewards
    Dense; over an episode they sum up to an affine function of the domain's cost (the smaller the
    cost, the larger the sum). ``info["elapsed"]`` is the simulated time that the step took.

    ## Starting state
    A fresh random instance at each reset, or the given one; ``reset(options={"instance": ...})``
    sets one for the episode. The seed decides the instance and its random world.

    ## Episode end
    Terminates when the solution is complete; ``info["cost"]`` is its cost and `solution` returns
    it. Never truncates.

    ## Arguments
    See `__init__`; ``gymnasium.make`` passes them on.

    ## Version history
    * v0: first version.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        "render_modes": list(RENDER_MODES),
        "render_fps": 4,
    }

    def __init__(
        self,
        domain: str | Domain[Any, Any],
        options: Any = None,
        generator: str = "random",
        size: str = "",
        instance: Instance | str | None = None,
        max_candidates: int = MAX_CANDIDATES,
        render_mode: str | None = None,
    ) -> None:
        """Build the simulator; `reset` starts an episode.

        Args:
            domain: a domain or its name.
            options: simulator options, or a mapping of their fields; None for the defaults.
            generator: name of the domain's generator of instances.
            size: what the generator is told, such as ``20x15``; empty for its default.
            instance: plays this one instead, or those of a specification such as ``ft06`` or
                ``la01-la05`` (one of them at random in each episode).
            max_candidates: size of the action space.
            render_mode: ``ansi`` or ``rgb_array``.

        Raises:
            InputError: an argument is none of what it may be.
        """
        self.domain = resolve_domain(domain)
        self.sim_options = resolve_options(self.domain, options)
        self.render_mode = check_render_mode(render_mode)
        self.observation_space = observation_space(self.domain.schema)
        self.action_space = self._candidates = CandidateIndex(max_candidates)
        self._on_offer = 0  # candidates of the pending decision
        self.source = EpisodeSource(self.domain, generator, size, instance)
        self._sim = self.domain.simulator(1, self.sim_options)
        self._instance: Instance | None = None
        self._steps = 0

    @property
    def instance(self) -> Instance:
        """The instance being played. Raises ResetNeeded before the first reset."""
        if self._instance is None:
            raise ResetNeeded("no episode has been started; call reset first")
        return self._instance

    def most_rows(self, instance: Instance) -> RowLimits:
        """What no observation of an episode of an instance exceeds."""
        return self._sim.most_rows(instance)

    def solution(self) -> Solution:
        """The finished episode's solution. Raises RuntimeError while it still runs."""
        solution: Solution = self._sim.solution(0)
        return solution

    def action_masks(self) -> NDArray[np.bool_]:
        """(max_candidates,) which actions are on offer."""
        return np.arange(self._candidates.n) < self._on_offer

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode.

        Args:
            seed: restarts the stream of instances and of their random worlds.
            options: ``instance``: the instance of this episode, or a specification of it.

        Raises:
            InputError: an unknown option, or a specification of no instance.
        """
        super().reset(seed=python_value(seed))
        options = dict(options or {})
        given = options.pop("instance", None)
        if options:
            raise InputError("options", f"unknown {sorted(options)}, expected 'instance'")
        self._instance, world = self.source.draw(self.np_random, given)
        self._sim.reset([0], [self._instance], [world])
        self._steps = 0
        return self._observe(), {"elapsed": 0.0, "action_mask": self._mask()}

    def _observe(self) -> Observation:
        obs = self._sim.observe()
        self._on_offer = 0  # should there be too many
        self._on_offer = check_offers(obs["candidate_ptr"], int(self._candidates.n))
        self._candidates.on_offer = self._on_offer
        if not len(obs["slot"]):
            return empty_observation(self.domain.schema)
        return observation(self.domain.schema, self._sim.store, obs, 0)

    def _offers(self, action: int) -> bool:
        return 0 <= action < self._on_offer

    def _mask(self) -> NDArray[np.int8]:
        return self.action_masks().astype(np.int8)

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Take a candidate; see the class for what comes back.

        Raises:
            InputError: the action is not on offer; nothing has changed then.
            ResetNeeded: no episode runs.
        """
        if not self._on_offer:
            raise ResetNeeded("no episode is running; call reset first")
        actions = np.asarray(action).reshape(-1)
        if actions.shape != (1,) or actions.dtype.kind not in "iu" or not self._offers(actions[0]):
            expected = f"expected the index of one of {self._on_offer} candidates"
            raise InputError("action", f"{expected}, found {action!r:.60}")
        result = self._sim.step(actions.astype(np.int64))
        self._steps += 1
        obs, done = self._observe(), bool(result.dones[0])
        info = {"elapsed": float(result.elapsed[0]), "action_mask": self._mask()}
        if done:
            info["cost"] = float(self._sim.costs()[0])
        return obs, float(result.rewards[0]), done, False, info

    def render(self) -> Any:
        """A text (``ansi``) or an (H, W, 3) uint8 picture (``rgb_array``) of the solution.

        While the episode runs it shows how it would end if the first candidate were taken from
        now on, without disturbing it.
        """
        instance = self.instance
        if self.render_mode is None:
            gymnasium.logger.warn('give render_mode="ansi" or "rgb_array" to render')
            return None
        solution = preview(self.domain, self.sim_options, self._sim, 0)
        if self.render_mode == "rgb_array":
            return self.domain.render_rgb(instance, solution)
        running = f"decision {self._steps + 1}, {self._on_offer} candidates"
        state = running if self._on_offer else f"complete after {self._steps} decisions"
        return f"{instance.name}: {state}\n{self.domain.render_text(instance, solution)}"


def check_offers(candidate_ptr: NDArray[np.int64], limit: int) -> int:
    """Largest number of candidates of any block. Raises InputError if that exceeds the limit."""
    largest = int(np.diff(candidate_ptr).max(initial=0))
    if largest > limit:
        raise InputError("max_candidates", f"{limit} is too small, {largest} are on offer")
    return largest
