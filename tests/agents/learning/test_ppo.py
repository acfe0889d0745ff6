"""GraphPPO learns, calls back, logs, saves and resumes as Stable-Baselines3's PPO does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback, EvalCallback
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.logger import configure

from graphsched.agents.learning.ppo import GraphPPO, RolloutOptions
from graphsched.agents.learning.vec_env import BatchVecEnv
from graphsched.envs.core.errors import InputError
from tests.agents.bandit import DOMAIN, draw_arms

if TYPE_CHECKING:
    from pathlib import Path

SMALL = {"width": 16, "layers": 1, "decoder_width": 16}


def make(slots: int = 64, rollouts: int = 1, seed: int = 0, **changes: Any) -> GraphPPO:
    """A small model on the bandit; changes: rollout options or arguments of the model."""
    fields = RolloutOptions.__dataclass_fields__
    options = RolloutOptions(**{k: changes.pop(k) for k in list(changes) if k in fields})
    env = BatchVecEnv(DOMAIN, slots, draw_arms, seed, rollouts)
    arguments: dict[str, Any] = {
        "batch_size": 128,
        "n_epochs": 4,
        "n_steps": 8,
        "learning_rate": 3e-3,
        "gamma": 1.0,
        "ent_coef": 0.01,
        "policy_kwargs": SMALL,
        "device": "cpu",
        "seed": seed,
    }
    return GraphPPO(env=env, rollout=options, **arguments | changes)


def score(model: GraphPPO) -> float:
    """Mean return on new instances; a uniform policy has about -3, the optimum is 0."""
    env = BatchVecEnv(DOMAIN, 32, draw_arms, seed=99)
    return float(evaluate_policy(model, env, n_eval_episodes=64)[0])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rollouts", "options"),
    [
        (1, {"baseline": "value"}),
        (4, {"baseline": "group", "split": "instances"}),
        (4, {"baseline": "group", "normalize_groups": True}),
        (4, {"baseline": "both", "label_coef": 0.1}),
        (4, {"baseline": "decision", "normalize_groups": True}),
        (1, {"mode": "steps", "gamma": 0.9, "time_unit": 1.0}),
    ],
    ids=["value", "group", "group-normalised", "both-labels", "decision", "steps"],
)
def test_learns_the_bandit(rollouts: int, options: dict[str, Any]) -> None:
    """Every way of collecting and judging rollouts finds what only the encoder sees."""
    model = make(rollouts=rollouts, **options)
    before = score(model)
    model.learn(10_000)
    assert before < -2.0
    assert score(model) > -0.3


def test_labels_alone_teach() -> None:
    """Without any policy gradient, imitation of the best of each group improves the policy."""
    model = make(rollouts=8, baseline="group", label_coef=1.0, ent_coef=0.0)
    judge = model._judge

    def without_advantages(last_values: Any) -> None:
        judge(last_values)
        model.rollout_buffer.advantages[:] = 0.0

    model._judge = without_advantages  # type: ignore[method-assign]
    before = score(model)
    model.learn(8_000)
    assert score(model) > before / 2


class Watch(BaseCallback):
    """Counts what callbacks see."""

    def __init__(self, stop_after: int = 10**9) -> None:
        """Args: stop_after: step at which to stop training."""
        super().__init__()
        self.steps = self.decisions = self.rollouts = self.episodes = 0
        self.stop_after = stop_after

    def _on_step(self) -> bool:
        self.steps += 1
        self.decisions += len(self.locals["rewards"])
        self.episodes += sum("episode" in info for info in self.locals["infos"])
        return self.steps < self.stop_after

    def _on_rollout_end(self) -> None:
        self.rollouts += 1


def test_callbacks_see_every_step_and_time_steps_are_decisions() -> None:
    """One call for each step of all waiting slots."""
    model, watch = make(slots=16), Watch()
    model.learn(200, callback=watch)
    assert model.num_timesteps == watch.decisions >= 200
    assert watch.episodes == 16 * watch.rollouts
    stopped = Watch(stop_after=3)
    make(slots=16).learn(200, callback=stopped)
    assert (stopped.steps, stopped.rollouts) == (3, 0)


def test_logs_under_the_usual_tags(tmp_path: Path) -> None:
    """The parent's tags come out, and those of this class."""
    model = make(rollouts=4, baseline="group", label_coef=0.1)
    model.set_logger(configure(str(tmp_path), ["json", "tensorboard"]))
    evaluation = EvalCallback(
        BatchVecEnv(DOMAIN, 8, draw_arms, seed=3), n_eval_episodes=8, eval_freq=9
    )
    model.learn(1200, callback=evaluation)
    text = (tmp_path / "progress.json").read_text()
    assert list(tmp_path.glob("events.*"))
    parents = ["rollout/ep_rew_mean", "rollout/ep_len_mean", "time/fps", "train/approx_kl"]
    parents += ["train/explained_variance", "train/value_loss", "eval/mean_reward"]
    for tag in [*parents, "train/logprob_error", "train/label_loss", "rollout/entropy"]:
        assert f'"{tag}"' in text


def test_entropy_is_logged_unscaled() -> None:
    """The bonus that stands in for the entropy doesn't leak into its log."""
    model = make(slots=16, ent_coef=0.25)
    model.learn(100)
    values = model.logger.name_to_value
    assert -values["train/entropy_loss"] == pytest.approx(np.log(3), abs=0.3)
    assert model.ent_coef == 0.25
    assert model.policy.bonus is None


def test_a_rollout_that_disagrees_stops_training() -> None:
    """Stored log-probabilities that the network can't reproduce raise before any update."""
    model = make(slots=16)
    _, callback = model._setup_learn(1, None)
    model.collect_rollouts(model.env, callback, model.rollout_buffer, 8)  # type: ignore[arg-type]
    model.rollout_buffer.log_probs += 0.05
    before = [p.clone() for p in model.policy.parameters()]
    with pytest.raises(RuntimeError, match="recomputed log-probabilities"):
        model.train()
    assert all(torch.equal(a, b) for a, b in zip(before, model.policy.parameters(), strict=True))


def test_saves_and_loads(tmp_path: Path) -> None:
    """Stable-Baselines3's zip holds weights and settings, not the graphs."""
    model = make(slots=16, rollouts=4, baseline="group")
    model.learn(200)
    model.save(tmp_path / "model")
    env = BatchVecEnv(DOMAIN, 16, draw_arms, 7, 4)
    loaded = GraphPPO.load(tmp_path / "model", env=env, device="cpu")
    obs = BatchVecEnv(DOMAIN, 20, draw_arms, seed=5).reset()
    assert loaded.predict(obs, deterministic=True)[0].tolist() == (
        model.predict(obs, deterministic=True)[0].tolist()
    )
    assert loaded.rollout == model.rollout
    loaded.learn(200)
    without = GraphPPO.load(tmp_path / "model", device="cpu")
    assert without.predict(obs, deterministic=True)[0].shape == (20,)


def test_same_seed_same_weights() -> None:
    """Training is a function of its seed."""
    weights = []
    for seed in (1, 1, 2):
        model = make(slots=16, seed=seed)
        model.learn(300)
        weights.append(torch.cat([p.detach().ravel() for p in model.policy.parameters()]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_groups_need_several_rollouts() -> None:
    """Options that contradict each other are bad input."""
    with pytest.raises(InputError, match="at least 2 rollouts"):
        make(baseline="group")
    with pytest.raises(InputError, match="'steps'"):
        make(rollouts=4, mode="steps", label_coef=0.5)
