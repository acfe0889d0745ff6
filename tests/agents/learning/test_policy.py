"""The policy recomputes in torch what the rollout's compiled decoder decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch

from graphsched.agents.learning.policy import GraphPolicy
from graphsched.agents.learning.ppo import Diverged, GraphPPO, RolloutOptions, log_prob_error
from graphsched.agents.learning.space import GraphSpace, action_space
from graphsched.agents.learning.vec_env import BatchVecEnv
from graphsched.envs.core.errors import InputError
from tests.agents.bandit import DOMAIN, SCHEMA, draw_arms

if TYPE_CHECKING:
    from pathlib import Path

    from graphsched.agents.learning.space import GraphObs

SMALL: dict[str, Any] = {"width": 8, "layers": 2, "decoder_width": 8}


def randomise(policy: GraphPolicy, scale: float = 1.5) -> None:
    """Weights large enough that the candidates' probabilities differ clearly."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in policy.parameters():
            fan = max(parameter.shape[-1], 1)
            parameter.copy_(torch.randn_like(parameter) * scale / fan**0.5)


def rollout(mode: str = "episodes") -> GraphPPO:
    """A model that has collected one rollout with random weights."""
    env = BatchVecEnv(DOMAIN, 12, draw_arms, seed=1)
    options = RolloutOptions(mode=mode)  # type: ignore[arg-type]
    model = GraphPPO(
        env=env,
        rollout=options,
        batch_size=20,
        n_steps=7,
        seed=0,
        device="cpu",
        policy_kwargs=SMALL,
    )
    randomise(model.policy)
    total, callback = model._setup_learn(1, None)
    assert total == 1
    assert model.collect_rollouts(env, callback, model.rollout_buffer, model.n_steps)
    return model


@pytest.mark.parametrize("mode", ["episodes", "steps"])
def test_stored_and_recomputed_agree(mode: str) -> None:
    """Log-probabilities, values of re-packed minibatches, with spread-out probabilities."""
    model = rollout(mode)
    assert model.rollout_buffer.log_probs.std() > 0.3
    for batch in model.rollout_buffer.get(20):
        values, log_prob, entropy = model.policy.evaluate_actions(batch.observations, batch.actions)
        for recomputed, stored in ((log_prob, batch.old_log_prob), (values, batch.old_values)):
            assert torch.isfinite(recomputed).all()
            assert (recomputed - stored).abs().max().item() < 1e-5
        assert (entropy > 0).all()


@pytest.mark.parametrize(
    "key", ["candidate_node", "candidate_resource", "resource_node", "graph_start"]
)
def test_a_corrupted_index_shows(key: str) -> None:
    """The comparison above would notice a single wrong reference of any kind."""
    model = rollout()
    batch = next(iter(model.rollout_buffer.get(200)))
    right = batch.observations[key]
    errors = []
    for row in range(0, len(right), 5):
        wrong = right.clone()
        wrong[row] = right[right != right[row]][0]
        _, log_prob, _ = model.policy.evaluate_actions(
            batch.observations | {key: wrong}, batch.actions
        )
        errors.append((log_prob - batch.old_log_prob).abs().max().item())
    assert max(errors) > 1e-2
    assert np.mean(np.array(errors) > 1e-5) > 0.5  # where the policy is all but certain: no change


def test_nan_is_no_agreement() -> None:
    """A comparison with NaN raises instead of passing as zero."""
    stored = torch.zeros(3)
    assert log_prob_error(stored + 1e-6, stored) < 1e-5
    with pytest.raises(Diverged, match="not finite"):
        log_prob_error(torch.tensor([0.0, float("nan"), 0.0]), stored)
    with pytest.raises(RuntimeError, match="differ"):
        log_prob_error(stored + 0.1, stored)
    with pytest.warns(UserWarning, match="differ"):
        log_prob_error(stored + 1e-3, stored)


def test_predict_is_the_most_probable_candidate() -> None:
    """Greedy predictions equal the argmax of the gradient's network, also for new graphs."""
    model = rollout()
    env = BatchVecEnv(DOMAIN, 9, draw_arms, seed=5)
    obs = env.reset()
    for _ in range(12):
        actions, state = model.predict(obs, deterministic=True)
        tensors, vectorised = model.policy.obs_to_tensor(obs)
        with torch.no_grad():
            expected, values, _ = model.policy(tensors, deterministic=True)
            again = model.policy.predict_values(tensors)
        assert vectorised
        assert state is None
        assert actions.tolist() == expected.tolist()
        assert torch.equal(values, again)
        obs = cast("GraphObs", env.step(actions)[0])  # Stable-Baselines3 declares any observation


def test_predictions_follow_the_weights() -> None:
    """Embeddings kept from earlier predictions are forgotten when weights change."""
    model = rollout()
    obs = BatchVecEnv(DOMAIN, 60, draw_arms, seed=5).reset()
    before, _ = model.predict(obs, deterministic=True)
    with torch.no_grad():
        for parameter in model.policy.encoder.parameters():
            parameter.mul_(-1.0)
    after, _ = model.predict(obs, deterministic=True)
    tensors, _ = model.policy.obs_to_tensor(obs)
    expected = model.policy(tensors, deterministic=True)[0]
    assert after.tolist() == expected.tolist()
    assert after.tolist() != before.tolist()


def test_samples_follow_the_probabilities() -> None:
    """Frequencies of sampled actions, by torch and by the kernel, match the probabilities."""
    model = rollout()
    obs = BatchVecEnv(DOMAIN, 1, draw_arms, seed=5).reset()
    tensors, _ = model.policy.obs_to_tensor(obs)
    with torch.no_grad():
        count = int(tensors["candidate_ptr"][1])
        each = [model.policy.evaluate_actions(tensors, torch.tensor([a]))[1] for a in range(count)]
        probabilities = torch.cat(each).exp().numpy()
        by_torch = [int(model.policy(tensors)[0]) for _ in range(1500)]
    by_kernel = [int(model.predict(obs)[0][0]) for _ in range(1500)]
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-5)
    for drawn in (by_torch, by_kernel):
        frequency = np.bincount(drawn, minlength=count) / 1500
        np.testing.assert_allclose(frequency, probabilities, atol=0.05)


def test_policy_alone_saves_and_loads(tmp_path: Path) -> None:
    """Stable-Baselines3's own format for a policy without its algorithm."""
    model = rollout()
    obs = BatchVecEnv(DOMAIN, 20, draw_arms, seed=5).reset()
    model.policy.save(str(tmp_path / "policy"))
    loaded = GraphPolicy.load(str(tmp_path / "policy"), device="cpu")
    assert loaded.predict(obs, deterministic=True)[0].tolist() == (
        model.predict(obs, deterministic=True)[0].tolist()
    )


@pytest.mark.parametrize(
    ("method", "instead"),
    [
        ("get_distribution", "evaluate_actions"),
        ("extract_features", "encoder"),
        ("make_features_extractor", "width and layers"),
        ("reset_noise", "forward or predict"),
    ],
)
def test_what_ragged_decisions_have_not_says_what_to_call(method: str, instead: str) -> None:
    """Stable-Baselines3's methods for vectors and continuous actions; callers get a clear word."""
    model = rollout()
    tensors, _ = model.policy.obs_to_tensor(BatchVecEnv(DOMAIN, 3, draw_arms, seed=5).reset())
    given = (tensors,) if method in ("get_distribution", "extract_features") else ()
    with pytest.raises(NotImplementedError, match=instead):
        getattr(model.policy, method)(*given)


@pytest.mark.parametrize("method", ["predict_values", "_predict", "forward"])
def test_networks_want_tensors(method: str) -> None:
    """They take what `obs_to_tensor` gives, and an observation as it is names it."""
    model = rollout()
    obs = BatchVecEnv(DOMAIN, 3, draw_arms, seed=5).reset()
    tensors, _ = model.policy.obs_to_tensor(obs)
    out = getattr(model.policy, method)(tensors)
    assert all(len(part) == 3 for part in (out if isinstance(out, tuple) else (out,)))
    with pytest.raises(InputError, match="obs_to_tensor"):
        getattr(model.policy, method)(obs)


def test_observations_are_vectorised() -> None:
    """Those of simulators always; others are refused."""
    model = rollout()
    obs = BatchVecEnv(DOMAIN, 3, draw_arms, seed=5).reset()
    assert model.policy.is_vectorized_observation(obs)
    with pytest.raises(InputError, match="GraphObs"):
        model.policy.is_vectorized_observation(np.zeros(3))


def test_bad_arguments() -> None:
    """Plain observations and other spaces are refused with a reason."""
    policy = GraphPolicy(GraphSpace(SCHEMA), action_space(), lambda _: 1e-3, **SMALL)
    with pytest.raises(InputError, match="expected a GraphObs"):
        policy.predict({})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="expected a GraphSpace"):
        GraphPolicy(action_space(), action_space(), lambda _: 1e-3)
    with pytest.raises(InputError, match="use_sde"):
        GraphPolicy(GraphSpace(SCHEMA), action_space(), lambda _: 1e-3, use_sde=True)
