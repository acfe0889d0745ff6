"""Throughput is measured on valid random play of the preset's instances."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from graphsched.eval.bench import RandomPlay, bench_domain, bench_instances, random_actions
from tests.toy_domain import DOMAIN

if TYPE_CHECKING:
    from pathlib import Path


def test_every_metric_is_positive() -> None:
    found = bench_domain(DOMAIN, seconds=0.05)
    assert list(found) == ["simulator_steps_per_cpu_s_b1", "simulator_steps_per_cpu_s_b64"]
    assert all(value > 0 for value in found.values())


def test_the_bench_preset_names_the_instances(tmp_path: Path) -> None:
    presets = tmp_path / "presets.toml"
    presets.write_text('[train.bench.instances]\n"random:4x2" = 1\n')
    found = bench_instances(replace(DOMAIN, presets=presets), 3)
    wanted = [DOMAIN.generators["random"](np.random.default_rng((0, i)), "4x2") for i in range(3)]
    assert [i.to_json() for i in found] == [i.to_json() for i in wanted]


def test_slots_that_finish_begin_anew() -> None:
    play = RandomPlay(DOMAIN, 3, bench_instances(DOMAIN, 8), DOMAIN.options())
    assert [play.step() for _ in range(200)] == [3] * 200


def test_random_actions_reach_every_candidate_and_no_other() -> None:
    sim = DOMAIN.simulator(1, DOMAIN.options())
    sim.reset([0], [DOMAIN.generators["toy"](np.random.default_rng(0), "")], [0])
    obs, rng = sim.observe(), np.random.default_rng(0)
    drawn = {int(random_actions(obs, rng)[0]) for _ in range(200)}
    assert drawn == set(range(int(obs["candidate_ptr"][1])))
