"""Actor-critic policy of Stable-Baselines3 on packed graphs."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakKeyDictionary

import torch
from stable_baselines3.common.policies import ActorCriticPolicy

from graphsched.agents.learning.actor import Actor
from graphsched.agents.learning.repack import rebase
from graphsched.agents.learning.space import GraphObs, GraphSpace
from graphsched.agents.networks import ragged
from graphsched.agents.networks.decoder import Decoder
from graphsched.agents.networks.encoder import GraphEncoder, collate
from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import gymnasium
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from graphsched.envs.core.graph import GraphStore

    Bonus = Callable[[Mapping[str, Any], Tensor, Tensor], Tensor]


class GraphPolicy(ActorCriticPolicy):
    """Encoder once per graph, light decoder per decision, values from the same decoder.

    Observations as tensors are dicts with the fields of a `NetworkObs` and ``graphs``, the collated
    graphs whose nodes, in their order, the node references mean.

    Attributes:
        bonus: if set, takes the place of the entropy that `evaluate_actions` returns: (obs,
            log-probabilities (N,), entropies (N,)) -> (N,). Training adds terms to its loss so.
    """

    def __init__(
        self,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        lr_schedule: Callable[[float], float],
        width: int = 32,
        layers: int = 3,
        decoder_width: int = 32,
        embeddings: bool = True,
        linear_only: bool = False,
        blind: Sequence[str] = (),
        optimizer_class: type[torch.optim.Optimizer] = torch.optim.Adam,
        optimizer_kwargs: dict[str, Any] | None = None,
        use_sde: bool = False,
    ) -> None:
        """Build encoder, decoder and optimizer.

        The parent's constructor would build networks for vectors, so it isn't called.

        Args:
            observation_space: a `GraphSpace`.
            action_space: index of a candidate.
            lr_schedule: learning rate by remaining progress.
            width: of the embeddings.
            layers: message rounds of the encoder.
            decoder_width: of the decoder.
            embeddings: whether the decoder sees them; without, the encoder is left alone.
            linear_only: judge candidates by the decoder's linear part alone.
            blind: candidate columns that the decoder doesn't see.
            optimizer_class: of the optimizer.
            optimizer_kwargs: of the optimizer, besides the learning rate.
            use_sde: not available; raises InputError if set.
        """
        if not isinstance(observation_space, GraphSpace):
            raise InputError("observation_space", f"expected a GraphSpace: {observation_space}")
        if use_sde:
            raise InputError("use_sde", "state-dependent noise needs continuous actions")
        if optimizer_kwargs is None:
            adam = optimizer_class is torch.optim.Adam
            optimizer_kwargs = {"eps": 1e-5, "fused": True} if adam else {}
        super(ActorCriticPolicy, self).__init__(
            observation_space,
            action_space,
            optimizer_class=optimizer_class,
            optimizer_kwargs=optimizer_kwargs,
        )
        self.schema = observation_space.schema
        self.width = width
        self.layers = layers
        self.decoder_width = decoder_width
        self.embeddings = embeddings
        self.linear_only = linear_only
        self.blind = tuple(blind)
        self.bonus: Bonus | None = None
        self._actors: WeakKeyDictionary[GraphStore, Actor] = WeakKeyDictionary()
        self._stamp = -1
        self._build(lr_schedule)

    def _build(self, lr_schedule: Callable[[float], float]) -> None:
        # Simulators speak in single precision, whatever torch's default is at the moment.
        self.encoder = GraphEncoder(self.schema, self.width, self.layers).float()
        self.decoder = Decoder(self.schema, self.width, self.decoder_width).float()
        if not self.embeddings:  # their projections start at zero and stay there
            self.encoder.requires_grad_(False)
            for weight in self.decoder.references():
                weight.requires_grad_(False)
        if self.linear_only:  # values are learned as ever
            self.decoder.score_out.weight.requires_grad_(False).zero_()
        if self.blind:
            for part in self._of_columns():
                hook: Any = part.register_hook
                hook(self._without_covered)
            self.cover()
        make: Any = self.optimizer_class
        self.optimizer = make(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)

    def _of_columns(self) -> tuple[Tensor, Tensor]:
        """Weights of candidate columns, (any, columns) each."""
        return self.decoder.candidate_in.weight, self.decoder.linear_out.weight

    def _without_covered(self, rows: Tensor) -> Tensor:
        """(any, columns) with zeros in those that aren't to be seen."""
        covered = [feature.name in self.blind for feature in self.schema.candidate]
        return rows.masked_fill(torch.tensor(covered, device=rows.device), 0.0)

    @torch.no_grad()
    def cover(self) -> None:
        """Take the weights of columns that aren't to be seen; gradients leave them at zero."""
        if self.blind:
            for weight in self._of_columns():
                weight.copy_(self._without_covered(weight))

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {
            "observation_space": self.observation_space,
            "action_space": self.action_space,
            "lr_schedule": self._dummy_schedule,
            "width": self.width,
            "layers": self.layers,
            "decoder_width": self.decoder_width,
            "embeddings": self.embeddings,
            "linear_only": self.linear_only,
            "blind": self.blind,
            "optimizer_class": self.optimizer_class,
            "optimizer_kwargs": self.optimizer_kwargs,
        }

    def decode(self, obs: Mapping[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probabilities (C,), the block of each candidate (C,) and values (N,)."""
        if not self.embeddings:
            obs, table = without_nodes(obs, self.width)
        elif "graphs" in obs:
            table = self.encoder(obs["graphs"])
        else:
            raise InputError(
                "observation", "expected tensors with graphs: call obs_to_tensor first"
            )
        logits, values = self.decoder(obs, table)
        ptr = obs["candidate_ptr"]
        block = ragged.block_index(ptr, len(logits))
        return ragged.log_softmax(logits, block, len(ptr) - 1), block, values

    def forward(  # type: ignore[override]
        self, obs: Mapping[str, Any], deterministic: bool = False
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Actions, values and log-probabilities, each (N,)."""
        log_probs, block, values = self.decode(obs)
        ptr = obs["candidate_ptr"]
        if deterministic:
            actions = ragged.argmax(log_probs, ptr, block)
        else:
            uniforms = torch.rand(len(ptr) - 1, device=ptr.device)
            actions = ragged.sample(log_probs, ptr, block, uniforms)
        return actions, values, log_probs[ptr[:-1] + actions]

    def evaluate_actions(  # type: ignore[override]
        self, obs: Mapping[str, Any], actions: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Values, log-probabilities of the actions and entropies (or `bonus`), each (N,)."""
        log_probs, block, values = self.decode(obs)
        ptr = obs["candidate_ptr"]
        taken = log_probs[ptr[:-1] + actions]
        entropies = ragged.entropy(log_probs, block, len(ptr) - 1)
        return values, taken, self.bonus(obs, taken, entropies) if self.bonus else entropies

    def predict_values(self, obs: Mapping[str, Any]) -> Tensor:  # type: ignore[override]
        """Values (N,)."""
        return self.decode(obs)[2]

    def get_distribution(self, obs: object) -> NoReturn:
        """Not available: raises NotImplementedError."""
        raise NotImplementedError(
            "decisions have different numbers of candidates, so they have no common distribution: "
            "call evaluate_actions for log-probabilities and entropies"
        )

    def extract_features(self, obs: object, features_extractor: object = None) -> NoReturn:
        """Not available: raises NotImplementedError."""
        raise NotImplementedError(
            "a graph policy has no features extractor: call encoder(obs['graphs']) for embeddings"
        )

    def make_features_extractor(self) -> NoReturn:
        """Not available: raises NotImplementedError."""
        raise NotImplementedError(
            "a graph policy has no features extractor: its encoder is made with width and layers"
        )

    def reset_noise(self, n_envs: int = 1) -> NoReturn:
        """Not available: raises NotImplementedError."""
        raise NotImplementedError(
            "candidates are drawn without noise that depends on the state: call forward or predict"
        )

    def is_vectorized_observation(self, observation: object) -> bool:
        """True for all observations of simulators, which come in blocks."""
        _store_of(observation)
        return True

    def _predict(  # type: ignore[override]
        self, observation: Mapping[str, Any], deterministic: bool = False
    ) -> Tensor:
        return self.forward(observation, deterministic)[0]

    def obs_to_tensor(  # type: ignore[override]
        self, observation: GraphObs
    ) -> tuple[dict[str, Any], bool]:
        """Tensors with the observation's graphs, so that gradients reach the encoder.

        Raises:
            InputError: the observation doesn't know its store.
        """
        store = _store_of(observation)
        packed, ids = rebase(observation, store)
        tensors: dict[str, Any] = self._tensors(packed)
        tensors["graphs"] = collate(self.schema, map(store.graph, ids.tolist())).to(self.device)
        return tensors, True

    def predict(  # type: ignore[override]
        self,
        observation: GraphObs,
        state: tuple[NDArray[Any], ...] | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[np.int64], tuple[NDArray[Any], ...] | None]:
        """Actions (N,) for the blocks of an observation; graphs seen before aren't encoded again.

        Args:
            observation: with its store, as `BatchVecEnv` gives it.
            state: returned as it is, since the policy has no memory.
            episode_start: not needed.
            deterministic: take the most probable candidates.
        """
        self.set_training_mode(False)
        store = _store_of(observation)
        actor = self._actor(store)
        actor.encode(store, observation["graph"])
        uniforms = torch.rand(len(observation["slot"]), dtype=torch.float64).numpy()
        return actor.act(observation, uniforms, deterministic).actions, state  # type: ignore[arg-type]

    def actor(self) -> Actor:
        """Decides with the present weights, for one simulator."""
        return Actor(self.encoder if self.embeddings else None, self.decoder)

    def _actor(self, store: GraphStore) -> Actor:
        """Embeddings by store and graph id, forgotten as soon as a weight changes."""
        weights = chain(self.parameters(), self.buffers())
        stamp = sum(weight._version for weight in weights)  # noqa: SLF001
        if stamp != self._stamp:
            self._actors.clear()
            self._stamp = stamp
        if store not in self._actors:
            self._actors[store] = self.actor()
        return self._actors[store]

    def _tensors(self, arrays: Mapping[str, Any]) -> dict[str, Tensor]:
        return {key: torch.from_numpy(value).to(self.device) for key, value in arrays.items()}


def without_nodes(obs: Mapping[str, Any], width: int) -> tuple[dict[str, Any], Tensor]:
    """The observation with references to no node, and a table of embeddings that says nothing."""
    blocks = len(obs["candidate_ptr"]) - 1
    like = obs["candidate_ptr"]
    out = dict(obs)
    for key in ("candidate_node", "resource_node"):
        out[key] = torch.full_like(obs[key], -1)
    out["graph_ptr"] = torch.arange(blocks + 1, device=like.device)
    out["graph_start"], out["graph_size"] = like.new_zeros(blocks), like.new_ones(blocks)
    return out, obs["candidate"].new_zeros(1, width)


def _store_of(observation: object) -> GraphStore:
    if not isinstance(observation, GraphObs):
        raise InputError(
            "observation", f"expected a GraphObs with its store, found {type(observation).__name__}"
        )
    return observation.store
