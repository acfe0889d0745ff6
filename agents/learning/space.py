"""The observation space and observation type that connect Stable-Baselines3 to packed graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import gymnasium
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphsched.envs.core.graph import GraphSchema, GraphStore, PackedObs

MAX_CANDIDATES = 2**31 - 1


class GraphObs(dict[str, Any]):
    """A `PackedObs` together with the store that its graph ids and node references mean.

    It is a plain dict to everything that passes observations on, such as evaluation loops.
    """

    def __init__(self, obs: PackedObs | Mapping[str, Any], store: GraphStore) -> None:
        """Args: obs: the arrays. store: the simulator's store."""
        super().__init__(obs)
        self.store = store


class GraphSpace(gymnasium.Space[GraphObs]):
    """Packed graph observations of any size; holds only the schema.

    Two spaces are equal if their schemas are, so that a policy loads onto any simulator that
    shows it the same features.
    """

    def __init__(self, schema: GraphSchema) -> None:
        """Args: schema: names and widths of every feature."""
        super().__init__(shape=None, dtype=None)
        self.schema = schema

    def contains(self, x: object) -> bool:
        """Whether the feature columns and pointers of an observation fit the schema."""
        if not isinstance(x, dict):
            return False
        widths = {
            "context": len(self.schema.context),
            "candidate": len(self.schema.candidate),
            "candidate_node": len(self.schema.candidate_nodes),
            "candidate_resource": len(self.schema.candidate_resources),
            "resource": len(self.schema.resource),
        }
        if not all(key in x and np.shape(x[key])[1:] == (w,) for key, w in widths.items()):
            return False
        rows = len(x["slot"]) + 1
        return all(len(x[key]) == rows for key in ("candidate_ptr", "resource_ptr", "graph_ptr"))

    def sample(self, mask: object = None, probability: object = None) -> NoReturn:
        """Observations come from simulators only; raises NotImplementedError."""
        raise NotImplementedError("a graph space has no distribution to sample from")

    @property
    def is_np_flattenable(self) -> bool:
        """False: graphs have no fixed size."""
        return False

    def __eq__(self, other: object) -> bool:
        """Equality of schemas."""
        return isinstance(other, GraphSpace) and self.schema == other.schema

    def __hash__(self) -> int:
        """Hash of the schema."""
        return hash(self.schema)

    def __repr__(self) -> str:
        """Short form naming the node types."""
        return f"GraphSpace({', '.join(node.name for node in self.schema.nodes)})"


def action_space() -> gymnasium.spaces.Discrete:
    """Index of a candidate; how many there are is known only at each decision."""
    return gymnasium.spaces.Discrete(MAX_CANDIDATES)
