"""A policy with embeddings learns from graphs that are made anew at each decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import pytest
import torch

from graphsched.agents.bundles.export import encoder_onnx
from graphsched.agents.learning.ppo import GraphPPO
from graphsched.agents.learning.vec_env import BatchVecEnv
from graphsched.agents.networks.encoder import GraphEncoder, collate
from graphsched.agents.networks.packing import collate_arrays, encoder_inputs
from graphsched.envs.batching import DOMAIN
from graphsched.envs.batching.options import BatchingOptions
from graphsched.training.train import train
from tests.agents.learning.test_policy import SMALL, randomise
from tests.training.runs import scalars, small_config

if TYPE_CHECKING:
    from pathlib import Path

    from graphsched.envs.batching.instance import BatchingInstance
    from graphsched.envs.core.graph import StaticGraph

pytestmark = pytest.mark.compiled
INSTANCES = "random:16"


def _draw(rng: np.random.Generator) -> BatchingInstance:
    return DOMAIN.generators["random"](rng, "16@20")


def _graphs(window: int) -> list[StaticGraph]:
    """Of a few decisions one after the other."""
    sim, out = DOMAIN.simulator(1, BatchingOptions(graph_window=window)), []
    sim.reset([0], [_draw(np.random.default_rng(3))], [0])
    for _ in range(8):
        out.append(sim.store.graph(int(sim.observe()["graph"][0])))
        sim.step(np.zeros(1, np.int64))
    return out


def _rollout() -> GraphPPO:
    """A model that has collected one rollout with random weights."""
    env = BatchVecEnv(DOMAIN, 4, _draw, seed=1, options=BatchingOptions(graph_window=8))
    model = GraphPPO(env=env, batch_size=20, n_steps=7, seed=0, device="cpu", policy_kwargs=SMALL)
    randomise(model.policy)
    _, callback = model._setup_learn(1, None)
    assert model.collect_rollouts(env, callback, model.rollout_buffer, model.n_steps)
    return model


def test_both_decoders_agree_and_see_the_requests() -> None:
    """Stored log-probabilities are those that torch computes, which depend on requests' nodes."""
    buffer = (model := _rollout()).rollout_buffer
    assert buffer.log_probs.std() > 0.3
    changes = []
    for batch in buffer.get(20):
        obs = batch.observations
        values, log_prob, _ = model.policy.evaluate_actions(obs, batch.actions)
        assert (log_prob - batch.old_log_prob).abs().max().item() < 1e-5
        assert (values - batch.old_values).abs().max().item() < 1e-5
        nodes = obs["candidate_node"].clone()
        nodes[:, 1] = -1
        _, blind, _ = model.policy.evaluate_actions(obs | {"candidate_node": nodes}, batch.actions)
        changes.append((blind - log_prob).abs().max().item())
    assert max(changes) > 1e-2


def test_a_run_trains_on_them(tmp_path: Path) -> None:
    """A few updates, with finite losses, and validation before and after."""
    config = small_config(
        tmp_path / "run",
        domain="batching",
        steps=600,
        instances={INSTANCES: 1.0},
        simulator={"graph_window": 8},
        network={"embeddings": True, "layers": 2},
        validation={"instances": {INSTANCES: 1.0}, "count": 2, "every": 1.0},
    )
    result = train(config, export=False)
    losses = scalars(result.folder, "train/loss")
    assert len(losses) >= 2
    assert np.isfinite(losses).all()
    assert result.steps >= 600


def test_the_exported_encoder_embeds_them_as_torch_does() -> None:
    """Graphs of several decisions, and those that hold no requests at all."""
    torch.manual_seed(0)
    encoder, schema = GraphEncoder(DOMAIN.schema, 8, layers=1), DOMAIN.schema
    session = onnxruntime.InferenceSession(
        encoder_onnx(encoder), providers=["CPUExecutionProvider"]
    )
    for graph in [*_graphs(window=8), *_graphs(window=0)]:
        arrays = collate_arrays(schema, [graph])
        (found,) = session.run(None, encoder_inputs(schema, arrays))
        with torch.no_grad():
            expected = encoder(collate(schema, [graph])).numpy()
        np.testing.assert_allclose(found[arrays.rows], expected, rtol=1e-5, atol=1e-5)


def test_released_graphs_leave_the_store() -> None:
    """After a rollout its buffer holds a graph for each decision; after a reset the slots' alone."""
    model = _rollout()
    assert isinstance(model.env, BatchVecEnv)
    assert len(model.env.store) >= model.rollout_buffer.size()
    model.rollout_buffer.reset()
    assert len(model.env.store) == model.env.num_envs
