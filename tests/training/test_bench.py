"""The training benchmark measures both learners on the same instances."""

from __future__ import annotations

import pytest

from graphsched.envs.jobshop import DOMAIN
from graphsched.training import bench


@pytest.mark.slow
def test_metrics_are_consistent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rollouts are faster than rollouts with updates, and ours faster than padded ones."""
    monkeypatch.setattr(bench, "MINIMUM_S", 0.5)
    found = bench.training_metrics(DOMAIN)
    full, padded = found["ppo_steps_per_cpu_s"], found["sb3_padded_ppo_steps_per_cpu_s"]
    assert found["rollout_steps_per_cpu_s"] > full > padded > 0
    assert found["ppo_speedup"] == pytest.approx(full / padded)
