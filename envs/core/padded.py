"""Fixed-size observations, for algorithms that know nothing of graphs."""

from __future__ import annotations

import logging
from dataclasses import asdict, astuple, fields
from math import ceil
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from gymnasium import spaces

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.gym.env import GraphSchedEnv
from graphsched.envs.core.gym.spaces import (
    LARGEST,
    CandidateIndex,
    Observation,
    edge_width,
    node_width,
)
from graphsched.envs.core.sim import RowLimits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.core.graph import GraphSchema

DRAWS = 64  # instances whose limits are asked for
HEADROOM = 1.5  # over limits that vary
TRIES = 1000  # draws of an instance that fits
PaddedSizes = RowLimits  # of a padded observation

_log = logging.getLogger(__name__)


def measure_sizes(env: GraphSchedEnv, draws: int = DRAWS) -> PaddedSizes:
    """Sizes that fit the environment's episodes: what its simulator says of instances.

    They are exact for instances that are given. Of generators some are drawn: a limit that never
    varies is taken as it is, any other with half as much again to spare. The environment itself is
    not touched.

    Args:
        env: says which instances are played.
        draws: how many.
    """
    given, rng = env.source.given, np.random.default_rng(0)
    instances = given or [env.source.draw(rng)[0] for _ in range(draws)]
    limits = np.array([astuple(env.most_rows(instance)) for instance in instances])
    least, most = limits.min(axis=0).tolist(), limits.max(axis=0).tolist()
    if given:
        return PaddedSizes(*most)
    return PaddedSizes(
        *(b if a == b else ceil(b * HEADROOM) for a, b in zip(least, most, strict=True))
    )


class PaddedGraph(
    gymnasium.Wrapper[Observation, Any, Observation, Any], gymnasium.utils.RecordConstructorArgs
):
    """A `GraphSchedEnv` with observations of fixed size and an ``action_masks`` method.

    The observation is a flat ``Dict``: the parts of the wrapped one, each filled up with rows of
    zeros (references: of -1), and a mask of the rows that mean something:

    | key | shape | mask |
    |---|---|---|
    | ``node`` | (nodes, features) float32 | ``node_mask`` |
    | ``edge`` | (edges, features) float32 | ``edge_mask`` |
    | ``edge_link`` | (edges, 2) int64: source and target node | ``edge_mask`` |
    | ``candidate`` | (candidates, features) float32 | ``candidate_mask`` |
    | ``candidate_node`` | (candidates, references) int64 | ``candidate_mask`` |
    | ``candidate_resource`` | (candidates, references) int64 | ``candidate_mask`` |
    | ``resource`` | (resources, features) float32 | ``resource_mask`` |
    | ``resource_node`` | (resources, 1) int64 | ``resource_mask`` |
    | ``context`` | (features,) float32 | |
    | ``kind`` | index | |

    Parts that the schema does not have, parts of size 0 and references to them are left out;
    ``gymnasium.wrappers.FilterObservation`` leaves out more. The action space shrinks to
    ``Discrete(candidates)``. An episode never outgrows its sizes: `reset` draws another instance in
    place of one that might, and refuses one that is given.
    """

    def __init__(
        self, env: gymnasium.Env[Observation, Any], sizes: PaddedSizes | None = None
    ) -> None:
        """Wrap an environment.

        Args:
            env: a `GraphSchedEnv`, wrapped or not.
            sizes: rows of each part; None asks `measure_sizes`.

        Raises:
            InputError: `env` is of another kind, or there is no room for any candidate.
        """
        gymnasium.utils.RecordConstructorArgs.__init__(self, sizes=sizes)
        super().__init__(env)
        base = env.unwrapped
        if not isinstance(base, GraphSchedEnv):
            raise InputError("env", f"expected a GraphSchedEnv, found {type(base).__name__}")
        self.sizes = sizes or measure_sizes(base)
        if self.sizes.candidates < 1:
            raise InputError("sizes.candidates", "expected at least 1")
        self._base = base
        self.observation_space = padded_space(base.domain.schema, self.sizes)
        self._candidates = CandidateIndex(self.sizes.candidates)
        self.action_space = self._candidates

    def action_masks(self) -> NDArray[np.bool_]:
        """(candidates,) which actions are on offer."""
        return self._base.action_masks()[: self.sizes.candidates]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """See `GraphSchedEnv.reset`. Raises InputError for a given instance that is too large."""
        obs, info = self.env.reset(seed=seed, options=options)
        given = bool(self._base.source.given) or "instance" in (options or {})
        for attempt in range(TRIES):
            if (problem := self._excess()) is None:
                break
            if given or attempt == TRIES - 1:
                raise InputError(*problem)
            _log.info("an instance is left out: %s: %s", *problem)
            obs, info = self.env.reset(options=options)
        return self._pad(obs), self._shrink(info)

    def _excess(self) -> tuple[str, str] | None:
        """The size that the episode might outgrow, and by what."""
        needed = asdict(self._base.most_rows(self._base.instance))
        for name, room in asdict(self.sizes).items():
            if 0 < room < needed[name]:  # of size 0 a part is left out
                return f"sizes.{name}", f"{room} is too small for {needed[name]}"
        return None

    def step(self, action: Any) -> tuple[Observation, Any, bool, bool, dict[str, Any]]:
        """See `GraphSchedEnv.step`."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        return self._pad(obs), reward, terminated, truncated, self._shrink(info)

    def _shrink(self, info: dict[str, Any]) -> dict[str, Any]:
        return info | {"action_mask": self.action_masks().astype(np.int8)}

    def _pad(self, obs: Observation) -> Observation:
        self._candidates.on_offer = len(obs["candidate"])
        graph = obs["graph"]
        parts = {
            **{key: part for key, part in obs.items() if key != "graph"},
            "node": graph.nodes,
            "edge": graph.edges,
            "edge_link": graph.edge_links,
        }
        space: Any = self.observation_space
        out = {}
        for key, part in space.items():
            if key.endswith("_mask"):
                out[key] = _mask(key, len(parts[key.removesuffix("_mask")]), part.n)
            elif key in ("context", "kind"):
                out[key] = parts[key]
            else:
                out[key] = _fill(key, parts[key], part)
        return out


def padded_space(schema: GraphSchema, sizes: PaddedSizes) -> spaces.Dict:
    """The space of `PaddedGraph`'s observations."""
    widths = {
        "node": node_width(schema),
        "edge": edge_width(schema),
        "edge_link": 2 if schema.edges else 0,
        "candidate": len(schema.candidate),
        "candidate_node": len(schema.candidate_nodes),
        "candidate_resource": len(schema.candidate_resources),
        "resource": len(schema.resource),
        "resource_node": 1 if schema.resource_node else 0,
    }
    rows = {field.name[:-1]: asdict(sizes)[field.name] for field in fields(sizes)}
    parts: dict[str, spaces.Space[Any]] = {"kind": spaces.Discrete(len(schema.kinds))}
    if schema.context:
        parts["context"] = spaces.Box(-LARGEST, LARGEST, (len(schema.context),), np.float32)
    for key, width in widths.items():
        count = rows[key.split("_")[0]]
        target = key.split("_")[-1].replace("link", "node")
        if not count or not width or not rows[target]:
            continue
        if key in rows:
            parts[key] = spaces.Box(-LARGEST, LARGEST, (count, width), np.float32)
            parts[f"{key}_mask"] = spaces.MultiBinary(count)
        else:
            parts[key] = spaces.Box(-1, rows[target] - 1, (count, width), np.int64)
    return spaces.Dict(parts)


def _mask(key: str, count: int, room: int) -> NDArray[np.int8]:
    if count > room:
        raise InputError(f"sizes.{key.removesuffix('_mask')}s", f"{room} is too small for {count}")
    return (np.arange(room) < count).astype(np.int8)


def _fill(key: str, rows: NDArray[Any], space: spaces.Box) -> NDArray[Any]:
    """The rows, and below them zeros, or -1 for references."""
    room = space.shape[0]
    if len(rows) > room:
        raise InputError(f"sizes.{key.split('_')[0]}s", f"{room} is too small for {len(rows)}")
    out = np.full(space.shape, 0 if space.dtype == np.float32 else -1, space.dtype)
    out[: len(rows)] = rows
    return out
