"""Named instances, and pictures of their schedules."""

from __future__ import annotations

import numpy as np
import pytest

from graphsched.envs.core.errors import InputError
from graphsched.envs.soc import DOMAIN
from graphsched.envs.soc.generators import GENERATORS


def test_every_name_loads_and_keeps_its_name():
    for names in DOMAIN.library.sets.values():
        for name in names[::7]:
            assert DOMAIN.library.load(name).name == name
    with pytest.raises(InputError, match="not one of"):
        DOMAIN.library.load("bottom")


def test_a_world_is_always_the_same():
    first, second = (DOMAIN.library.load("ds3gym-0.5-03") for _ in range(2))
    assert first.to_json() == second.to_json()
    assert first.seed != DOMAIN.library.load("ds3gym-0.5-04").seed


def test_groups_name_tasks_and_ratio_or_setting():
    rng = np.random.default_rng(0)
    assert DOMAIN.group(GENERATORS["layered"](rng, "30x4@1")) == "30 tasks CCR 1"
    assert DOMAIN.group(GENERATORS["layered"](rng, "1x1@1")) == "1 tasks"
    assert DOMAIN.group(DOMAIN.library.load("ds3gym-0.5-03")).endswith("noise 0.5")
    assert DOMAIN.best_known(DOMAIN.library.load("top")) == 73
    assert DOMAIN.best_known(DOMAIN.library.load("wifi-tx")) is None


def test_wifi_jobs_have_the_known_sizes():
    sizes = [DOMAIN.library.load(f"wifi-{name}").jobs[0].num_tasks for name in ("tx", "rx")]
    assert sizes == [27, 34]


def test_pictures_show_a_row_for_each_lane_and_all_tasks():
    instance = DOMAIN.library.load("wifi-tx")
    solution = DOMAIN.baseline("heft")(instance)
    page = DOMAIN.render_html(instance, solution)
    assert page.count('<g class="bar ') == 27
    assert page.count("<line") > 0
    text = DOMAIN.render_text(instance, solution).splitlines()
    assert len(text) == 1 + 16 + 1
    assert all(len(line) <= 101 for line in text)
    world = DOMAIN.library.load("ds3gym-0.5-03")
    assert "jobs completed" in DOMAIN.render_text(world, DOMAIN.baseline("etf")(world))
